# `make demo` shows what streamgauge does, `make test` checks it; each sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
STAMPS := .make

.PHONY: setup demo test check bench nightly lock clean
setup: $(STAMPS)/python $(STAMPS)/assets

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "streamgauge needs Python 3.11 or newer; name one with make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "· creating .venv"
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { [ "$$(id -u)" = 0 ] && apt-get install -y -qq python3-venv >/dev/null 2>&1; } || true
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "python3 -m venv does not work: install it (Debian: apt-get install python3-venv)"; exit 1; }

$(STAMPS)/python: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "· installing Python packages (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/assets: package-lock.json assets/build.mjs $(wildcard assets/*.js assets/*.css) | $(STAMPS)/python
	@echo "· building the pages' assets (once)"
	@PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci --silent --no-audit --no-fund
	@PATH="$$PATH:$(CURDIR)/$(BIN)" npm run --silent build
	@mkdir -p $(STAMPS) && touch $@

demo: setup
	@$(BIN)/python -m examples.router.demo $(if $(CHECK),--check)

test: setup
	@bash tests/run.sh

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q tests/docs

bench: setup
	@$(BIN)/python -m bench

# What is too big for `make test`.
nightly: setup
	@STREAMGAUGE_NIGHTLY=1 bash tests/run.sh
	@$(BIN)/python -m bench memory --minutes 60

# Without download addresses, so that any index serves them.
lock:
	$(BIN)/python -m uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml -o requirements.lock
	$(BIN)/python -m uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --group dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv node_modules $(STAMPS) src/streamgauge/web/static/dist
