#!/usr/bin/env bash
# Drives the agent of this folder with the official leaderboard, unmodified, on a server that runs already.
#
#   LEADERBOARD_ROOT=... SCENARIO_RUNNER_ROOT=... CARLA_ROOT=... bash run_evaluation.sh [OPTIONS OF THE EVALUATOR]
#
# The names are those of the CARLA leaderboard: TEAM_CODE_ROOT, TEAM_AGENT, TEAM_CONFIG, CHALLENGE_TRACK_CODENAME, ROUTES,
# ROUTES_SUBSET, REPETITIONS, CHECKPOINT_ENDPOINT, DEBUG_CHALLENGE, RECORD_PATH. The server: CARLA_HOST, CARLA_PORT, and
# TM_PORT for the traffic manager. PYTHON is the interpreter. Options that are given come last and win.
# CARLA_ROOT serves only for PythonAPI/carla/agents; it is not needed where Python finds `agents` without it.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

fail() {
  printf 'run_evaluation.sh: %s\n' "$*" >&2
  exit 2
}

# need VARIABLE FILE WHAT: VARIABLE names a folder that has FILE.
need() {
  [ -n "${!1:-}" ] || fail "$1 is not set; set it to $3"
  [ -e "${!1}/$2" ] || fail "$1=${!1} has no $2; set it to $3"
}

need LEADERBOARD_ROOT leaderboard/leaderboard_evaluator.py "a checkout of carla-simulator/leaderboard"
# The evaluator itself skips every scenario without an error where this one is wrong.
need SCENARIO_RUNNER_ROOT srunner/scenarios "a checkout of carla-simulator/scenario_runner"

AGENT_OPTIONS="device=cuda"
TRACK="SENSORS"
export LEADERBOARD_ROOT SCENARIO_RUNNER_ROOT
export TEAM_CODE_ROOT="${TEAM_CODE_ROOT:-$here/team_code}"
export PYTHONPATH="$TEAM_CODE_ROOT:$LEADERBOARD_ROOT:$SCENARIO_RUNNER_ROOT${CARLA_ROOT:+:$CARLA_ROOT/PythonAPI/carla}${PYTHONPATH:+:$PYTHONPATH}"

team_agent="${TEAM_AGENT:-$TEAM_CODE_ROOT/linkvla_agent.py}"
team_config="${TEAM_CONFIG:-$TEAM_CODE_ROOT/checkpoint;$AGENT_OPTIONS}"
checkpoint="${CHECKPOINT_ENDPOINT:-$here/results/results.json}"
python="${PYTHON:-python3}"

command -v "$python" >/dev/null || fail "there is no $python; set PYTHON to the interpreter that has requirements.txt"
missing="$("$python" -c '
import importlib.util
names = ("carla", "agents", "torch", "transformers", "py_trees")
print(*(name for name in names if importlib.util.find_spec(name) is None))')"
case " $missing " in
  *" agents "*) fail "Python finds no package agents; set CARLA_ROOT to the folder that holds PythonAPI/carla/agents" ;;
  *[!\ ]*) fail "$python has no $missing; pip install carla==0.9.15 -r $TEAM_CODE_ROOT/requirements.txt" ;;
esac

mkdir -p "$(dirname "$checkpoint")"
# Its own run_leaderboard.sh sets TEAM_AGENT and ROUTES itself, so the evaluator is called directly.
exec "$python" "$LEADERBOARD_ROOT/leaderboard/leaderboard_evaluator.py" \
  --host="${CARLA_HOST:-localhost}" --port="${CARLA_PORT:-2000}" --traffic-manager-port="${TM_PORT:-8000}" \
  --routes="${ROUTES:-$LEADERBOARD_ROOT/data/routes_devtest.xml}" --routes-subset="${ROUTES_SUBSET:-}" \
  --repetitions="${REPETITIONS:-1}" --track="${CHALLENGE_TRACK_CODENAME:-$TRACK}" \
  --agent="$team_agent" --agent-config="$team_config" \
  --checkpoint="$checkpoint" --debug-checkpoint="${checkpoint%.json}.live.txt" \
  --debug="${DEBUG_CHALLENGE:-0}" --record="${RECORD_PATH:-}" "$@"
