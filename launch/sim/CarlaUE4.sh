#!/usr/bin/env bash
# Stands in for CARLA's launcher of the same name: tools that start CARLA start the embedded server.
#
#   CARLA_ROOT=<this folder> python leaderboard_evaluator.py ...      (Bench2Drive's)
#   bash CarlaUE4.sh -RenderOffScreen -nosound -carla-rpc-port=2000 [-- --towns FOLDER]
#
# Environment: LINKVLA_SIM_OPTIONS, options of `linkvla sim` for callers that know only CARLA's (--towns FOLDER --seed 3);
# LINKVLA_PYTHON, the interpreter, where neither `python3` nor the .venv of this checkout has linkvla.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

has_linkvla() {
  "$1" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("linkvla") is None)' 2>/dev/null
}

for candidate in "${LINKVLA_PYTHON:-python3}" "$here/../../.venv/bin/python"; do
  if has_linkvla "$candidate"; then
    # shellcheck disable=SC2086  (the options are words)
    exec "$candidate" -u -m linkvla.launch.sim.carla_ue4 "$@" -- ${LINKVLA_SIM_OPTIONS:-}
  fi
done
printf '%s\n' "CarlaUE4.sh: no Python with linkvla: set LINKVLA_PYTHON to the interpreter that it is installed for" >&2
exit 2
