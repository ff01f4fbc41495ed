# Each target sets up all it needs in .venv; a fresh machine wants only Python, git and make.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := test
.PHONY: test check

.venv/ready-%: pyproject.toml
	@test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
	@touch $@

test: .venv/ready-test check
	$(BIN)/python -m pytest $(ARGS)

check: .venv/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
