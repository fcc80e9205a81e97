# Two commands do all the set-up: `make demo` and `make test`. Both make .venv when it is not there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
KILLS ?= 20
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo demo-crash real-data test test-fast lint format dev wheel-check clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Deskbridge needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	@echo "installing the environment into $(VENV) (once, one to two minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --no-deps -e .
	@touch $@

demo: $(STAMP) ## the main job from nothing: stand-ins, a year of tickets, pages, a migration, the workbook
	@$(BIN)/deskbridge demo --folder .demo

demo-crash: $(STAMP) ## kill the main job at 20 random moments, resume it, compare with an undisturbed run
	@$(BIN)/python -m pipelines.demo.crash --folder .demo-crash --kills $(KILLS)

real-data: $(STAMP) ## run two real data sets (DESKBRIDGE_SHARED_DATA) from file to workbook
	@$(BIN)/python -m tests.real_input incidents
	@$(BIN)/python -m tests.real_input mails

test: $(STAMP) ## every check, on SQLite and PostgreSQL
	@$(BIN)/pytest -q -n 2 --dist loadfile

lint: $(STAMP) ## style, types, the arrows between the rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP) ## put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

dev: $(STAMP) ## open Dagster's UI on the demo
	@$(BIN)/python -m pipelines.demo.dev --folder .demo

wheel-check: $(STAMP) ## build the wheel, install it alone in a new environment, run the demo from it
	@$(BIN)/python -m tests.wheel_check

clean: ## remove the demo's folders and the environment
	rm -rf $(VENV) .demo .demo-crash build dist *.egg-info
