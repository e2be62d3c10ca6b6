#!/usr/bin/env bash
# Style checks, then all tests that need no GPU. Sets up .venv on the first run; arguments go to pytest.
#
#   bash launch/test.sh [-m "not system"] [-k WORD] ...
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
linkvla_setup test
cd "$ROOT"
"$VENV/bin/ruff" check .
"$VENV/bin/ruff" format --check --quiet . || die "the files above are not formatted; run: .venv/bin/ruff format ."
exec "$VENV/bin/pytest" -m "not gpu" "$@"
