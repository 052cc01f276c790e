# Perpstream: every target installs what it needs first; a second run starts at once. Needs Python 3.11 to 3.13 and make, nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

UV_VERSION := 0.13.9
UV := .tools/bin/uv
BIN := .venv/bin
RUN := $(BIN)/python
PERPSTREAM := $(BIN)/perpstream
CODE := libs services infra tests
# Arguments for the command behind a target: make up ARGS="--symbols BTCUSDT", make test ARGS=tests/libs/kit
ARGS ?=
# Two at a time; a file's tests stay together, so that they share their servers.
WORKERS ?= 2
export UV_PYTHON_DOWNLOADS := never

FIND_PYTHON := for name in python3.11 python3.12 python3.13 python3 python; do \
	if $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then echo $$name; exit 0; fi; \
	done; echo "Perpstream needs Python 3.11, 3.12 or 3.13 on the PATH: install one and run make again" >&2; exit 1

DASHBOARD := services/dashboard
# Node comes as a wheel of the environment.
NPM := cd $(DASHBOARD) && PATH="$(CURDIR)/$(BIN):$$PATH" npm --no-fund --no-audit

.PHONY: help setup dashboard demo smoke up down test chaos clients check format bench peers docs client clean

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@python=$$($(FIND_PYTHON)); echo "installing uv $(UV_VERSION) into .tools"; \
	$$python -m venv .tools || { echo "python's venv module is missing: install it (on Debian: python3-venv)" >&2; exit 1; }; \
	.tools/bin/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"

.venv/.installed: pyproject.toml uv.lock | $(UV)
	@echo "installing the locked environment into .venv (once, a minute or two; quiet unless something fails)"
	@$(UV) sync --quiet --locked --python "$$($(FIND_PYTHON))"
	@touch $@

.venv/.fetched: infra/kafka/jars.lock .venv/.installed
	@$(RUN) -m infra.local.fetch
	@echo "compiling the indicator kernel (once, about half a minute)"
	@$(RUN) -c "from libs.indicators.kernel import warm_up; warm_up()"
	@touch $@

setup: .venv/.fetched ## Install everything the other targets need
	@:

$(DASHBOARD)/node_modules/.installed: $(DASHBOARD)/package-lock.json .venv/.installed
	@echo "installing the dashboard's packages (once, half a minute)"
	@$(NPM) ci --loglevel=error
	@touch $@

$(DASHBOARD)/dist/index.html: $(DASHBOARD)/node_modules/.installed $(shell find $(DASHBOARD)/src $(DASHBOARD)/public $(DASHBOARD)/scripts -type f) \
		$(DASHBOARD)/index.html $(DASHBOARD)/vite.config.ts
	@echo "building the dashboard (half a minute)"
	@$(NPM) run --silent build -- --logLevel error

dashboard: $(DASHBOARD)/dist/index.html ## Build the web page, which the gateway serves
	@:

demo: setup dashboard ## Start the stack with the simulator and show the live screen; Ctrl-C ends all of it
	@$(PERPSTREAM) up --watch $(ARGS)

smoke: setup dashboard ## Start a fresh stack, wait for every hop from exchange to API, print what was seen
	@$(PERPSTREAM) smoke $(ARGS)

up: setup dashboard ## Start the stack in this terminal; Ctrl-C ends all of it
	@$(PERPSTREAM) up $(ARGS)

down: setup ## Stop the running stack
	@$(PERPSTREAM) down $(ARGS)

test: setup dashboard ## Run all tests
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

chaos: setup ## Break executor and guard a thousand times and judge; ARGS=processes: with real processes; ARGS=parity: the pipeline
	@$(RUN) -m tests.chaos $(ARGS)

clients: | $(UV) ## Read the simulator and trade on it with three client libraries, in an environment of their own (.venv-clients)
	@UV_PROJECT_ENVIRONMENT=.venv-clients $(UV) sync --quiet --locked --no-dev --group clients --python "$$($(FIND_PYTHON))"
	@.venv-clients/bin/python -m pytest --confcutdir=tests/clients tests/clients $(ARGS)

check: .venv/.installed $(DASHBOARD)/node_modules/.installed ## Format, lint, types, layers, generated documents, the dashboard's logic
	@echo "ruff format"; $(BIN)/ruff format --check $(CODE)
	@echo "ruff check"; $(BIN)/ruff check $(CODE)
	@echo "mypy"; $(BIN)/mypy
	@echo "layers"; NO_COLOR=1 $(BIN)/lint-imports --no-logo
	@echo "documents"; $(RUN) -m libs.contracts.export --check; $(RUN) -m services.console.strategy_schema --check && $(RUN) -m libs.notify.schema --check
	@echo "dashboard"; $(NPM) run --silent check

format: .venv/.installed ## Format the code and mend what ruff can
	@$(BIN)/ruff check --fix --quiet $(CODE) || true
	@$(BIN)/ruff format $(CODE)

bench: setup ## Run the benchmarks and print their table
	@$(RUN) -m tests.bench $(ARGS)

peers: | $(UV) ## Measure the kernel against other designs, in an environment of their own (.venv-peers)
	@UV_PROJECT_ENVIRONMENT=.venv-peers $(UV) sync --quiet --locked --no-dev --group peers --python "$$($(FIND_PYTHON))"
	@.venv-peers/bin/python -m tests.bench.bench_peers $(ARGS)

docs: .venv/.installed ## Generate schemas, AsyncAPI, the API's description, the lists of topics, settings and risk rules
	@$(RUN) -m libs.contracts.export
	@$(RUN) -m services.console.strategy_schema
	@$(RUN) -m libs.notify.schema
	@$(RUN) -m tests.architecture.settings_page
	@$(RUN) -m tests.architecture.risk_rules_page
	@$(RUN) -m tests.architecture.reconciliation_page
	@$(RUN) -m services.gateway.openapi
	@$(RUN) -m services.gateway.stream_schema

client: $(DASHBOARD)/node_modules/.installed ## Generate the dashboard's client from the API's description
	@$(NPM) run --silent generate

clean: ## Stop the stack and remove its state
	@if [ -x $(PERPSTREAM) ]; then $(PERPSTREAM) down 2>/dev/null || true; fi
	@rm -rf .perpstream
