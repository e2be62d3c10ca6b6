#!/usr/bin/env bash
# Drive one route with the shipped checkpoint: sets up .venv on the first run, then `linkvla drive` with the arguments given.
#
#   bash launch/drive.sh [--out FOLDER] [--help] ...
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
linkvla_setup ""
exec "$VENV/bin/linkvla" drive "$@"
