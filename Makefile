# Each target sets up all it needs in .venv; a fresh machine wants only Python, git and make.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := demo
.PHONY: demo app test check bench proofs screenshots

.venv/ready-%: pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing what is needed into .venv (once; from the Python package index) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
	@touch $@

demo: .venv/ready-demo
	@$(BIN)/python -m demo $(ARGS)

# The login and funds pages with the settings in .env.
app: .venv/ready-demo
	@$(BIN)/python -m broker.mstock web $(ARGS)

test: .venv/ready-test check
	$(BIN)/python -m pytest $(ARGS)

check: .venv/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/ready-test
	$(BIN)/python -m benchmarks $(ARGS)

# The long proofs, all three; docs/reliability.md has their tables.
proofs: .venv/ready-test
	$(BIN)/python -m proofs $(ARGS)

# Renews the pictures in docs/ from a browser's walk through the demo.
screenshots: .venv/ready-test
	$(BIN)/python -m pytest tests/browser --screenshots docs/images
