# Each target sets up all it needs in .venv; a fresh machine wants only Python, git and make.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := demo
.PHONY: demo test check bench screenshots

.venv/ready-%: pyproject.toml
	@test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
	@touch $@

demo: .venv/ready-demo
	@$(BIN)/python -m demo $(ARGS)

test: .venv/ready-test check
	$(BIN)/python -m pytest $(ARGS)

check: .venv/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/ready-test
	$(BIN)/python -m benchmarks $(ARGS)

# Renews the pictures in docs/ from a browser's walk through the demo.
screenshots: .venv/ready-test
	$(BIN)/python -m pytest tests/browser --screenshots docs/images
