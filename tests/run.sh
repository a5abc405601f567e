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
pytest() { "$BIN/python" -m pytest --cov --durations=10 "$@"; }

# The demonstration mostly waits for minutes to pass: it runs beside the quick tests, which share two
# workers, a file at a time: a module's tests share one store.
if [ $# -gt 0 ]; then
  step "tests" pytest --cov-report=term:skip-covered "$@"
else
  demo=tests/acceptance/test_demo.py
  demo_log=$(mktemp)
  COVERAGE_FILE=$PWD/.coverage-demo pytest --cov-report= "$demo" >"$demo_log" 2>&1 &
  demo_pid=$!
  quick=$(find tests -mindepth 1 -maxdepth 1 -type d ! -name acceptance ! -name __pycache__ | sort)
  # shellcheck disable=SC2086 # one word a folder
  step "tests" pytest --numprocesses=2 --dist=loadfile --cov-report= $quick tests/acceptance --ignore="$demo"
  step "demo" wait "$demo_pid"
  cat "$demo_log"
  rm -f "$demo_log"
  "$BIN/python" -m coverage combine --quiet --append .coverage-demo
  "$BIN/python" -m coverage report --skip-covered
fi

if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[*]}"
  exit 1
fi
