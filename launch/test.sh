#!/usr/bin/env bash
# Style checks, then all tests that need no GPU. Sets up .venv on the first run; arguments go to pytest.
#
#   bash launch/test.sh [-m "not system"] [-k WORD] ...
#   bash launch/test.sh -n 0 -k WORD --pdb      in one process, for a debugger
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
linkvla_setup test
cd "$ROOT"
"$VENV/bin/ruff" check .
"$VENV/bin/ruff" format --check --quiet . || die "the files above are not formatted; run: .venv/bin/ruff format ."
# A process that dies ends the run: the others would wait for its tests for ever.
exec "$VENV/bin/pytest" -m "not gpu" -n auto --maxprocesses 8 --max-worker-restart 0 "$@"
