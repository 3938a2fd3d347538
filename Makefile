# Two commands set everything up: `make demo` and `make test`. Needed beforehand: Python >= 3.11, make, a network.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := dunlin recovery producers streams sinks dashboard ml control sandbox

.PHONY: help demo test check lint types imports unit behaviours language months prove-decisions prove-effects prove-hostile mutants survivors up down bench catalogue lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Dunlin needs Python 3.11 or newer; this is %d.%d. Try: make PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV) (about a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## a month of a merchant's life in a few minutes, dashboard open
	@$(BIN)/dunlin demo

up: $(STAMP) ## start the whole stack in the foreground
	@$(BIN)/dunlin up

down: $(STAMP) ## stop a running stack
	@$(BIN)/dunlin down

check: lint types imports unit ## the fast half: lint, types, import rules, unit tests

lint: $(STAMP) ## Ruff's rules and format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(STAMP) ## mypy --strict
	@$(BIN)/mypy

imports: $(STAMP) ## the import rules between packages
	@$(BIN)/lint-imports

unit: $(STAMP) ## unit, contract, property and architecture tests
	@$(BIN)/pytest -q tests/unit tests/contracts tests/properties tests/architecture

test: check ## everything: the fast half, then the real services, pages and the crash test
	@$(BIN)/pytest -q tests/conformance tests/integration tests/pages tests/e2e

behaviours: $(STAMP) ## the 194 expected behaviours with the tests that show them, or what they wait for
	@$(BIN)/python -m tests.support.behaviours

language: $(STAMP) ## count the words that docs/glossary.md bans; the last line is JSON
	@$(BIN)/python -m tests.support.language

months: $(STAMP) ## live through twenty months in memory, calm and stormy, and compare them with the truth
	@DUNLIN_MONTHS=20 $(BIN)/pytest -q tests/properties/test_a_month.py

prove-decisions: $(STAMP) ## hold a million generated decisions against every promise; the last line is JSON
	@$(BIN)/python -m tests.support.proof

prove-effects: $(STAMP) ## kill the effects sink a hundred times between claim and settle, over all media; the last line is JSON
	@$(BIN)/python -m tests.support.crash_harness

prove-hostile: $(STAMP) ## send a million hostile inputs through every stage beside an honest tenant; the last line is JSON
	@$(BIN)/python -m tests.support.hostile

mutants: ## mutation testing of recovery/decide in an environment of its own (minutes); MUTANTS='*_7' takes a sample
	@test -x .mutants/bin/mutmut || ($(PYTHON) -m venv .mutants && .mutants/bin/pip install --quiet 'mutmut==3.8.1' 'pytest>=9.2' pytest-timeout msgspec babel tzdata lz4)
	@.mutants/bin/mutmut run $(MUTANTS)
	@.mutants/bin/mutmut results

survivors: ## after `make mutants`: a table row for each change that no test noticed, with its reason
	@.mutants/bin/python -m tests.support.mutants

bench: $(STAMP) ## measure; each bench prints its ratio to a baseline of the same run
	@$(BIN)/python bench/gateway.py
	@$(BIN)/python bench/whole.py
	@$(BIN)/python bench/stream.py
	@$(BIN)/python bench/timers.py --rows 50000
	@$(BIN)/python bench/effects.py --effects 1000 --rounds 1

catalogue: $(STAMP) ## collect the texts of mails for translators and bring each language's file up to them
	@$(BIN)/python -m recovery.presentation.messages.catalogue

lock: ## renew requirements.lock from pyproject.toml
	@$(PYTHON) -m venv .lockenv && .lockenv/bin/pip install --quiet uv
	@.lockenv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --all-extras --no-strip-extras -o requirements.lock pyproject.toml
	@rm -rf .lockenv

clean: ## remove the virtual environment and the local stack's data
	@rm -rf $(VENV) .dunlin .mutants mutants
