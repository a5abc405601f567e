#!/usr/bin/env bash
# What `make test` runs: style, types, imports, then every test, with coverage of all processes.
# STREAMGAUGE_NIGHTLY=1 runs the full-size forms. Arguments go to pytest.
set -uo pipefail
cd "$(dirname "$0")/.."
BIN=$PWD/.venv/bin
failed=()

step() {
  local name=$1
  shift
  echo "── $name"
  "$@" || failed+=("$name")
}

# The pages are tested in a real browser. Once it is there, no network is needed again.
find_chromium() {
  command -v chromium >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "── installing chromium (once)"
    { timeout 300 apt-get update -qq && timeout 600 apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1
  fi
  command -v chromium >/dev/null || echo "· no chromium: the browser tests will be skipped (Debian: apt-get install chromium)"
}

step "style" "$BIN/ruff" check .
step "format" "$BIN/ruff" format --check .
step "types" "$BIN/mypy"
step "imports" "$BIN/lint-imports"
find_chromium
step "tests" "$BIN/python" -m pytest --cov --cov-report=term:skip-covered --durations=10 "$@"

if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[*]}"
  exit 1
fi
