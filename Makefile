# The front door. Every target makes .venv from requirements.lock first, if it is not there.
CHAPTER ?= zlpr
PROFILE ?= quick
PYTHON  ?= python3

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONHASHSEED := 0

INSTALLED := .venv/installed
# flock: a second make waits for the first; --nolock: a killed one leaves no lock behind.
SNAKEMAKE := flock .venv/lock snakemake --snakefile workflow/Snakefile --cores all --nolock \
             --rerun-incomplete --config profile=$(PROFILE) --printshellcmds

.PHONY: help book test lint chapter verify lab bench record site-check clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
	@echo; echo "CHAPTER=$(CHAPTER) and PROFILE=$(PROFILE) (or full) can be set: make chapter CHAPTER=zlpr"

book: $(INSTALLED) ## execute what changed, verify every number, render _build/html
	$(SNAKEMAKE) book

chapter: $(INSTALLED) ## execute one chapter's notebook and verify its numbers
	$(SNAKEMAKE) _build/results/$(CHAPTER).json
	scispaces verify $(CHAPTER)

test: $(INSTALLED) ## run every test and the examples in the docstrings
	OMP_NUM_THREADS=1 python -m pytest -n auto

lint: $(INSTALLED) ## style, types, import rules, and the chapters' own rules
	ruff format --check .
	ruff check .
	mypy
	lint-imports
	scispaces lint

lab: $(INSTALLED) ## open the notebooks in JupyterLab
	jupyter lab --LabApp.default_url=/lab/tree/notebooks

bench: $(INSTALLED) ## time the library against its rivals, in one run
	OMP_NUM_THREADS=1 python -m benchmarks.$(subst -,_,$(CHAPTER))

record: $(INSTALLED) ## run one chapter's full study (long) and store its outcome in data/recorded
	$(SNAKEMAKE) _build/studies/$(CHAPTER).stored
	$(SNAKEMAKE) _build/results/$(CHAPTER).json
	scispaces record $(CHAPTER)

site-check: $(INSTALLED) ## open every built page in headless Chromium and check it
	python -m pytest -q -n auto tests/site

clean: ## remove everything that was built
	rm -rf _build .snakemake

$(INSTALLED): requirements.lock pyproject.toml workflow/jupyterlab.json
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --progress-bar on -r requirements.lock
	.venv/bin/python -m pip install --no-deps --no-build-isolation -e .
	.venv/bin/python -m ipykernel install --sys-prefix --name python3
	mkdir -p .venv/share/jupyter/lab/settings
	cp workflow/jupyterlab.json .venv/share/jupyter/lab/settings/overrides.json
	touch $@
