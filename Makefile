# Vidura: `make run` and `make test` are all a newcomer needs; `make help` lists the rest.

PYTHON ?= python3
ML ?= 1
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
WITH_ML := $(if $(filter 0,$(ML)),,$(VENV)/.ml)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run demo test check schema

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.core $(WITH_ML) ## Run all of Vidura on this machine (ML=0: without torch; PORT, VIDURA_HOME)
	@VIDURA_PROFILE=$${VIDURA_PROFILE:-development} exec $(PY) -m graphql_api.supervise

demo: $(VENV)/.core $(WITH_ML) ## Upload a video, watch it being understood, see what came out (VIDEO=path)
	@exec $(PY) -m graphql_api.demo $${VIDEO:+"$$VIDEO"}

test: $(VENV)/.core $(VENV)/.ml $(VENV)/.dev ## Everything CI runs: make check, then all tests
	@$(MAKE) --no-print-directory check
	@exec $(PY) -m pytest -q

check: $(VENV)/.core $(VENV)/.dev ## Style, types, imports between rooms, and the exported schema
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) -m graphql_api.cli schema --check

schema: $(VENV)/.core ## Write schema/schema.graphql from the code
	@$(PY) -m graphql_api.cli schema

# What each file below .venv stands for is installed as pyproject.toml now says: pip need not be asked.

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Vidura needs Python 3.11 or newer, and $(PYTHON) is not: make PYTHON=python3.12, say" >&2; exit 1; }
	@echo "making $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install -qq --upgrade pip
	@touch $@

$(VENV)/.core: pyproject.toml | $(VENV)/.made
	@echo "installing what Vidura needs (first time: about a minute, 400 MB) …"
	@$(PIP) install -qq --group core
	@touch $@

$(VENV)/.ml: pyproject.toml | $(VENV)/.core
	@echo "installing torch, transformers and whisper (first time: a few minutes, up to 3 GB; ML=0: without) …"
	@$(PIP) install -qq --group core --group ml
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.core
	@echo "installing what tests and checks need …"
	@$(PIP) install -qq --group core --group dev
	@touch $@
