#!/usr/bin/env bash
# What `make test` runs: style, types, imports, then every test.
# STREAMGAUGE_NIGHTLY=1 runs the full-size forms, and measures coverage of all processes, which takes
# a third more processor time. Arguments go to pytest.
set -uo pipefail
cd "$(dirname "$0")/.."
BIN=$PWD/.venv/bin
unset PYTHONDONTWRITEBYTECODE # each start of a program would compile it anew
failed=()

step() {
  local name=$1
  shift
  echo "── $name"
  "$@" || failed+=("$name")
}

# The pages are tested in a real browser, imports against the databases they come from, and the compose
# file by Docker Compose. Once they are there, no network is needed again.
find_programs() {
  local missing=() pair
  local pairs=(chromium:chromium influxd:influxdb victoria-metrics:victoria-metrics docker-compose:docker-compose prometheus:prometheus influx:influxdb-client)
  docker compose version >/dev/null 2>&1 && unset 'pairs[3]'
  for pair in "${pairs[@]}"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "── installing ${missing[*]} (once)"
    timeout 300 apt-get update -qq >/dev/null 2>&1
    # One at a time, so that one that is not to be had costs its own tests only; RUNLEVEL keeps
    # packages from starting their servers, where there is no systemd.
    for pair in "${missing[@]}"; do
      RUNLEVEL=1 timeout 600 apt-get install -y -qq --no-install-recommends "$pair" </dev/null >/dev/null 2>&1
    done
  fi
  for pair in "${pairs[@]}"; do
    command -v "${pair%%:*}" >/dev/null || echo "· no ${pair%%:*}: its tests will be skipped (Debian: apt-get install ${pair##*:})"
  done
}

step "style" "$BIN/ruff" check .
step "format" "$BIN/ruff" format --check .
step "types" "$BIN/mypy"
step "imports" "$BIN/lint-imports"
find_programs
coverage=()
[ -n "${STREAMGAUGE_NIGHTLY:-}" ] && coverage=(--cov --cov-report=)
pytest() { "$BIN/python" -m pytest "${coverage[@]}" --durations=10 "$@"; }

# The demonstration mostly waits for minutes to pass: it runs beside the other tests, which share three
# workers, a file at a time: a module's tests share one store. Those of the whole program and those of
# detection come first, in turn: the ones wait, while the others keep the processors busy. The many
# small files come last, so that no worker is left alone with a long one.
if [ $# -gt 0 ]; then
  step "tests" pytest "$@"
else
  demo=tests/acceptance/test_demo.py
  demo_log=$(mktemp)
  COVERAGE_FILE=$PWD/.coverage-demo pytest "$demo" >"$demo_log" 2>&1 &
  demo_pid=$!
  in_turn=$(paste -d '\n' <(ls -S tests/acceptance/test_*.py | grep -v "$demo") <(ls -S tests/detect/test_*.py))
  quick=$(find tests -mindepth 1 -maxdepth 1 -type d ! -name acceptance ! -name detect ! -name __pycache__ | sort)
  # shellcheck disable=SC2086 # one word a file, or a folder
  step "tests" pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder $in_turn $quick
  step "demo" wait "$demo_pid"
  cat "$demo_log"
  rm -f "$demo_log"
  if [ ${#coverage[@]} -gt 0 ]; then
    "$BIN/python" -m coverage combine --quiet --append .coverage-demo
    "$BIN/python" -m coverage report --skip-covered
  fi
fi

if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[*]}"
  exit 1
fi
