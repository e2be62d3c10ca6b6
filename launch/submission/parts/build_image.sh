#!/usr/bin/env bash
# Builds the image that is submitted. Needs docker 23 or newer (BuildKit) and the three checkouts.
#
#   LEADERBOARD_ROOT=... SCENARIO_RUNNER_ROOT=... CARLA_ROOT=... bash build_image.sh [OPTIONS OF docker build]
#
# IMAGE is its name. `--build-arg CARLA_VERSION=0.9.16` takes the client of another server.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

need() {
  if [ ! -e "${!1:-}/$2" ]; then
    printf 'build_image.sh: %s\n' "$1=${!1:-} has no $2; set it to $3" >&2
    exit 2
  fi
}

need LEADERBOARD_ROOT leaderboard/leaderboard_evaluator.py "a checkout of carla-simulator/leaderboard"
need SCENARIO_RUNNER_ROOT srunner/scenarios "a checkout of carla-simulator/scenario_runner"
need CARLA_ROOT PythonAPI/carla/agents "the folder that CARLA was unpacked into"

exec docker build --tag "${IMAGE:-leaderboard-user}" \
  --build-context leaderboard="$LEADERBOARD_ROOT" \
  --build-context scenario_runner="$SCENARIO_RUNNER_ROOT" \
  --build-context pythonapi="$CARLA_ROOT/PythonAPI/carla" \
  "$@" "$here"
