# make run    start the server on http://localhost:8080 with the embedded store
# make test   checks and tests; make test-slow: those with processes, browser or Node
# Both make the virtual environment .venv first; PYTHON chooses the interpreter (3.11 or newer).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: run test test-slow lint bench clean

run: $(RUNTIME)
	@echo 'Starting the server …'
	@$(BIN)/python -m app

test: lint
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not (fault or browser or node)"

# What `make test` leaves out: it takes longer, or wants a browser or Node.
test-slow: $(DEVELOPMENT)
	$(BIN)/python -m pytest -n auto --dist loadfile -m "fault or browser or node"

lint: $(DEVELOPMENT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Node's servers are compared where npm is there; their packages are not part of the project.
bench: $(DEVELOPMENT)
	if command -v npm >/dev/null; then cd bench/peers && npm ci --no-audit --no-fund \
		&& node node_modules/bun/install.js; fi
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .venv-mongodb build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './web/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 run' >&2; exit 1; }
	@echo 'Making the virtual environment $(VENV) …'
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.txt setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing $$(grep -c '==' requirements.txt) packages into $(VENV), once; that takes a minute …"
	@$(PIP) -r requirements.txt
	@$(PIP) --no-deps --editable .
	@touch $@

$(DEVELOPMENT): requirements-dev.txt $(RUNTIME)
	@echo 'Installing what tests need, once …'
	@$(PIP) -r requirements-dev.txt
	@touch $@
