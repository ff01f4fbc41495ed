# Each target sets up all it needs in .venv; a fresh machine wants only Python, git and make.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := demo
.PHONY: demo app test test-host check bench bench-host proofs screenshots

.venv/ready-%: pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing what is needed into .venv (once; from the Python package index) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
	@touch $@

demo: .venv/ready-demo
	@$(BIN)/python -m broker_simulator.demo $(ARGS)

# The login and funds pages with the settings in .env.
app: .venv/ready-demo
	@$(BIN)/python -m broker.mstock web $(ARGS)

# Four at a time, each file in one: the tests wait for sockets more than they reckon.
test: .venv/ready-test check
	$(BIN)/python -m pytest -n 4 --dist loadfile $(ARGS)

# The same plugin in a copy of a real OpenAlgo, against the simulator. OPENALGO_HOME is its folder,
# OPENALGO_PYTHON a Python that has what it needs, and gunicorn and eventlet. libfaketime moves the
# copy's clock over a night; without it the tests of the night are skipped.
test-host: .venv/ready-test
ifneq ($(OPENALGO_HOME),)
ifeq ($(OPENALGO_FAKETIME),)
	-@$(BIN)/python -m pip install --quiet --disable-pip-version-check libfaketime
endif
endif
	$(BIN)/python -m pytest tests/host_real $(ARGS)

check: .venv/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/ready-test
	$(BIN)/python -m benchmarks $(ARGS)

# The long proofs, all of them, an hour's soak included; docs/reliability.md says where the tables are.
proofs: .venv/ready-test
	@for proof in month kills accounts instruments history orders stream ticks soak; do \
	  $(BIN)/python -m proofs $$proof $(ARGS) || exit 1; \
	done

# What the plugin costs a real OpenAlgo, against the one that it ships with.
bench-host: .venv/ready-test
	@$(BIN)/python -m benchmarks.host $(ARGS)

# Renews the pictures in docs/ from a browser's walk through the demo.
screenshots: .venv/ready-test
	$(BIN)/python -m pytest tests/browser --screenshots docs/images
