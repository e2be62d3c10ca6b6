# Sourced by drive.sh and test.sh: makes .venv at the root of the repository ready for use, once.
#
#   linkvla_setup EXTRAS      EXTRAS is empty or a list like "test"
#
# Sets ROOT and VENV. A stamp, written last, holds a hash of what was installed; a second run only compares it.
# Environment: PYTHON picks the interpreter that makes the environment.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
TORCH_VERSION=2.13.0

say() { printf '%s\n' "linkvla: $*" >&2; }

die() {
  say "$@"
  exit 2
}

# The newest of Python 3.12, 3.11, 3.10 on this machine that can make virtual environments.
find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3.12 python3.11 python3.10 python3 python; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
    if [ "$candidate" = "${PYTHON:-}" ]; then
      die "PYTHON=$PYTHON is not a Python 3.10, 3.11 or 3.12 with the venv module; set it to one, or unset it"
    fi
  done
  die "no Python 3.10, 3.11 or 3.12 with the venv module was found; install one (for example: apt-get install" \
    "python3.11 python3.11-venv, or uv python install 3.11) and, if it is not on the PATH, set PYTHON to it"
}

# step WHAT COMMAND...: one line; the command's output is shown only when it fails.
step() {
  local what="$1" log
  shift
  log="$(mktemp "${TMPDIR:-/tmp}/linkvla-setup.XXXXXX")"
  say "$what"
  if ! "$@" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    die "failed: $what (whole output: $log)"
  fi
  rm -f "$log"
}

install_torch() {
  "$VENV/bin/python" -m pip install "torch==$TORCH_VERSION" || "$VENV/bin/python" -m pip install "torch>=2.5"
}

# Checksum of everything that decides what gets installed, and of the place that an editable install is bound to.
wanted_stamp() {
  { cat "$ROOT/setup.cfg" "$ROOT/pyproject.toml" "$ROOT/launch/setup.sh" && printf '%s\n' "$ROOT"; } | cksum
}

# 0 when the stamp says that the wanted state is installed. The test tools come on top: they serve a drive as well.
is_ready() {
  local stamp="$1" want="$2" extras="$3"
  [ -x "$VENV/bin/linkvla" ] && [ -f "$stamp" ] || return 1
  [ "$(sed -n 1p "$stamp")" = "$want" ] || return 1
  [ -z "$extras" ] || [ "$(sed -n 2p "$stamp")" = "$extras" ]
}

linkvla_setup() {
  local extras="${1:-}" target="$ROOT" stamp="$VENV/.linkvla-installed" want python
  want="$(wanted_stamp)"
  if is_ready "$stamp" "$want" "$extras"; then
    return
  fi
  rm -f "$stamp"
  if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
    python="$(find_python)" || exit 2
    step "making .venv with $("$python" --version) ($python)" "$python" -m venv --clear "$VENV"
  fi
  [ -z "$extras" ] || target="${ROOT}[$extras]"
  export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
  step "installing torch (the largest part; minutes on a fresh machine)" install_torch
  step "installing linkvla and what it needs" "$VENV/bin/python" -m pip install -e "$target"
  printf '%s\n%s\n' "$want" "$extras" >"$stamp.part"
  mv "$stamp.part" "$stamp" # last, and at once: an interrupted setup is done again
  say "ready: $VENV"
}
