# make run    create the environment and start kvtop     (make run ARGS="--clients 16")
# make test   create the environment and pass the tests
.DEFAULT_GOAL := run
SHELL := /bin/bash
PYTHON ?= $(shell scripts/find-python.sh)
BIN := .venv/bin

.PHONY: run test test-all lint check sim torture clean

run: .venv/run.stamp
	@$(BIN)/kvtop $(ARGS)

test: lint check

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: .venv/test.stamp
	$(BIN)/python -m pytest $(ARGS)

test-all: lint
	$(BIN)/python -m pytest -m "" $(ARGS)

sim: .venv/test.stamp
	$(BIN)/python -m tests.sim --seeds 10000

torture: .venv/run.stamp
	$(BIN)/python -m kvtop.workload.torture --seconds 600

.venv/run.stamp: pyproject.toml
	@scripts/system-packages.sh run
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --editable .
	@$(BIN)/python -m compileall -q kvtop  # or the first start would wait for it
	@touch $@

.venv/test.stamp: pyproject.toml .venv/run.stamp
	@scripts/system-packages.sh test
	@$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
