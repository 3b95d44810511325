# make run    create the environment and start kvtop     (make run ARGS="--clients 16")
# make test   create the environment and pass the tests
.DEFAULT_GOAL := run
SHELL := /bin/bash
PYTHON ?= $(shell scripts/find-python.sh)
BIN := .venv/bin
# Tests at a time (0: one after the other, in one process); a file's own never run beside each other.
WORKERS ?= 3
# Of the tests that ARGS names one of the two kinds may be missing: pytest ends with 5 then.
NONE = $(if $(ARGS),|| test $$? = 5)
BESIDE := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: run test test-all lint check sim torture clean

run: .venv/run.stamp
	@$(BIN)/kvtop $(ARGS)

test: lint check

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# First all that may run beside others (more of it waits than computes), then what measures alone.
check: .venv/test.stamp
	$(BIN)/python -m pytest -m 'not slow and not alone' $(BESIDE) $(ARGS) $(NONE)
	$(BIN)/python -m pytest -m 'not slow and alone' $(ARGS) $(NONE)

test-all: lint
	$(BIN)/python -m pytest -m "" $(ARGS)

sim: .venv/test.stamp
	$(BIN)/python -m tests.sim --seeds 10000

torture: .venv/run.stamp
	$(BIN)/python -m kvtop.workload.torture --seconds 600

.venv/run.stamp: pyproject.toml
	@scripts/system-packages.sh run
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@$(BIN)/python -m compileall -q kvtop  # or the first start would wait for it
	@touch $@

.venv/test.stamp: pyproject.toml .venv/run.stamp
	@scripts/system-packages.sh test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
