# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo test lint setup dev bench bench-record site mutations matrix release-check clean

# Compiled modules are kept whatever the environment says: hundreds of interpreters load them.
test lint demo: export PYTHONDONTWRITEBYTECODE :=

setup: $(VENV)/.installed
dev: $(VENV)/.dev

$(VENV)/bin/python:
	@echo "== Making a virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "fpmatch needs Python 3.11 or later; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "== Installing fpmatch and what it needs (once, about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "== Installing fpmatch with its test tools (once, about two minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.installed

demo: setup
	@$(BIN)/fpmatch demo

test: dev
	@echo "== Running the tests (two processes; a few minutes)"
	@$(if $(THOROUGH),FPMATCH_THOROUGH=1 )$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: dev
	@echo "== Linting: ruff, mypy, import contracts, docstrings"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/test_house_docs.py

bench: dev
	@$(BIN)/python -m pytest benchmarks --benchmark-enable -q

bench-record: dev
	@$(BIN)/python -m benchmarks.record

site: dev
	@echo "== Building the documentation into site/ (every warning is an error)"
	@$(BIN)/python -m sphinx -b html -q -W --keep-going docs site
	@echo "== Open site/index.html"

mutations: dev
	@echo "== Breaking each guard in turn (an hour); ONLY='a title' breaks one"
	@$(BIN)/python tests/engine_mutations.py --jobs 2 $(if $(ONLY),'$(ONLY)',--write)

matrix: dev
	@echo "== Testing under each Python, with the oldest and the newest dependencies"
	@$(BIN)/python tools/matrix.py

release-check: dev
	@echo "== Building wheel and sdist, and installing each in an empty environment"
	@$(BIN)/python tools/release_check.py

clean:
	rm -rf $(VENV) build dist out site .pytest_cache .mypy_cache .ruff_cache
