# The verbs that people, hooks and continuous integration share. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SECONDS ?= 0
SEED ?= 7
STORE ?= sqlite
WORKERS ?= logical

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev influxd telegraf demo test check bench evaluate evaluate-life e2e docs lock clean

help: ## list the verbs
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1	/' | expand -t 12

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "forewarn needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version`. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv module is missing. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# The pages are built with Node 20 or newer from PATH, else with the one in the environment.
PAGES := cloud/ui/web
PAGES_FROM := docs/reference/openapi.json $(shell find $(PAGES) \( -name node_modules -o -name schema.d.ts \) -prune -o -type f -print)
NODE := PATH="$$(node -e 'process.exit(parseInt(process.versions.node) < 20)' 2>/dev/null || echo '$(CURDIR)/$(BIN):')$$PATH"

$(PAGES)/node_modules/.stamp: $(PAGES)/package-lock.json | $(VENV)/.run
	@cd $(PAGES) && $(NODE) npm ci --silent
	@touch $@

$(VENV)/.pages: $(PAGES)/node_modules/.stamp $(PAGES_FROM)
	@cd $(PAGES) && $(NODE) npm run --silent build -- --logLevel warn
	@touch $@

$(VENV)/.warm: $(VENV)/.run $(shell find models cloud/telemetry -name '*.py')
	@$(BIN)/python -c 'from forewarn import warming; warming.ready(tell=print)'
	@touch $@

setup: $(VENV)/.run $(VENV)/.pages $(VENV)/.warm ## make the environment in .venv (what the demo and the service need)

setup-dev: $(VENV)/.dev $(VENV)/.pages ## the same, with what the tests and checks need

influxd: ## build InfluxDB 2.8 for tests and trials into the user's cache folder (Go and cargo; once)
	@deploy/influxd/build.sh

telegraf: ## build the benchmarks' peer into the user's cache folder (Go; once)
	@benchmarks/telegraf/build.sh

demo: setup ## broker, service, this computer and a simulated fleet, with a live board; SECONDS=N SEED=K STORE=influx
	@$(BIN)/forewarn demo --seconds $(SECONDS) --seed $(SEED) --store $(STORE)

# A file stays with one worker, which shares what the file starts; pages come last: Playwright keeps the loop.
ABREAST := --durations=25 --maxprocesses 4 --dist loadfile --no-loadscope-reorder
test: export OPENBLAS_NUM_THREADS = 1
test: setup-dev ## the quick tier of all tests, a worker a CPU, at most four (WORKERS=N); builds influxd first where Go and cargo are there
	@if command -v go >/dev/null && command -v cargo >/dev/null; then \
	  deploy/influxd/build.sh || echo 'No influxd: its tests are skipped (in CI they fail).'; fi
	$(BIN)/python -m pytest -m "not long" -n $(WORKERS) $(ABREAST)

e2e: setup-dev ## the long tier: more kills, more mutants, more power cuts
	$(BIN)/python -m pytest -m "long"

check: setup-dev ## ruff, mypy, import-linter, and the types of the pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@cd $(PAGES) && $(NODE) npm run --silent check

bench: setup-dev ## speed and footprint beside named peers, in one run
	$(BIN)/python -m benchmarks --page docs/reference/performance.md

evaluate: setup-dev ## what detection is worth on labelled recordings (FOREWARN_DATA), beside named peers
	$(BIN)/python -m benchmarks.evaluation.anomalies

# as the command fits: more threads wait for each other
evaluate-life: export OPENBLAS_NUM_THREADS = 1
evaluate-life: setup-dev ## what remaining life is worth on units left out (FOREWARN_DATA), beside simpler ways (KEEP=folder goes on)
	$(BIN)/python -m benchmarks.evaluation.consumables
	$(BIN)/python -m benchmarks.evaluation.life $(if $(KEEP),--keep $(KEEP))

docs: setup-dev ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

lock: setup-dev ## resolve the locks again
	$(BIN)/uv pip compile pyproject.toml --extra demo --group build --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --quiet -o requirements/run.txt
	$(BIN)/uv pip compile pyproject.toml --extra demo --group build --group dev -c requirements/run.txt --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet -o requirements/dev.txt

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
