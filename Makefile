# Two commands do all the set-up: `make demo` and `make test`. Both make .venv when it is not there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
KILLS ?= 20
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo demo-crash real-data test faults bench bench-data mail-cases lint format dev wheel-check clean

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

faults: $(STAMP) ## the long soaks: every fault, a live writer, 100 kills, the limits (about half an hour)
	@DESKBRIDGE_SOAK_SECONDS=20 DESKBRIDGE_SOAK_TICKETS=2500 $(BIN)/pytest -q -s --timeout 1800 tests/faults/test_zendesk_soak.py
	@DESKBRIDGE_SOAK_TICKETS=35000 $(BIN)/pytest -q -s --timeout 1800 tests/faults/test_freshdesk_soak.py
	@DESKBRIDGE_SOAK_SECONDS=15 $(BIN)/pytest -q -s --timeout 1800 tests/faults/test_imap_soak.py
	@DESKBRIDGE_SOAK_SECONDS=20 $(BIN)/pytest -q -s --timeout 1800 tests/faults/test_mail_api_soak.py
	@DESKBRIDGE_KILLS=100 $(BIN)/pytest -q -s --timeout 1800 tests/faults/test_killed_sync.py
	@DESKBRIDGE_SERVE_KILLS=30 $(BIN)/pytest -q -s --timeout 1800 tests/faults/test_killed_serve.py
	@DESKBRIDGE_LIMIT_WINDOWS=6 DESKBRIDGE_LIMIT_SCALE=30 $(BIN)/pytest -q -s --timeout 1800 tests/faults/test_limits.py
	@$(BIN)/pytest -q -s --timeout 1800 tests/faults/test_refused.py tests/faults/test_full_disk.py

bench: $(STAMP) ## calls, speed, memory, webhooks, a million contacts, beside others that go into .bench/ (long)
	@DESKBRIDGE_CALLS_ZENDESK_TICKETS=100000 $(BIN)/pytest -q -s --timeout 1800 tests/bench/test_zendesk_calls.py tests/bench/test_freshdesk_calls.py
	@$(BIN)/python -m tests.bench.speed zendesk
	@$(BIN)/python -m tests.bench.speed freshdesk --tickets 1000
	@$(BIN)/python -m tests.bench.speed freshdesk --tickets 1500 --latency-ms 100 --sqlite-only
	@$(BIN)/python -m tests.bench.ceiling
	@$(BIN)/python -m tests.bench.memory
	@$(BIN)/python -m tests.bench.webhooks
	@$(BIN)/python -m tests.bench.contacts_scale
	@$(BIN)/python -m tests.bench.duplicates
	@$(BIN)/python -m tests.bench.people

bench-data: $(STAMP) ## contacts, threads, replies on labelled sets (DESKBRIDGE_SHARED_DATA), beside others (minutes)
	@$(BIN)/python -m tests.bench.contacts
	@$(BIN)/python -m tests.bench.threads
	@$(BIN)/python -m tests.bench.replies

mail-cases: $(STAMP) ## read the real mails and Outlook files (DESKBRIDGE_SHARED_DATA) and compare with what others read
	@$(BIN)/python -m tests.mail_cases
	@$(BIN)/python -m tests.outlook_cases

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
