# Every target sets itself up: only make and some Python >= 3.11 are assumed. PYTHON=/path/to/python chooses which.
SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
BENCH_ARGS ?=
export PYTHON
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# A stamp file per dependency group of pyproject.toml: installed once, and again when that file changes.
SITE := $(VENV)/.installed-site
TEST := $(VENV)/.installed-test
LINT := $(VENV)/.installed-lint

.PHONY: help demo test check lint bench bench-full clean
.NOTPARALLEL:

help: ## show these targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1	\2/' | expand -t 16

demo: $(SITE) ## build the documentation with milo's own example, kill a build and go on with it, stop what does not want to end
	$(BIN)/milo run examples/site/build.py
	@echo "The site is in build/site/index.html"
	@$(BIN)/python examples/resumed.py
	@$(BIN)/python examples/stubborn.py

test: $(TEST) ## run every test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: lint test ## lint, format, types, layers, then every test

lint: $(LINT) ## ruff, mypy --strict and the layers of the architecture
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(TEST) ## what a phase costs, beside a hand-written loop and the peers; some minutes once they are installed
	$(BIN)/python benchmarks/compare.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/log_lines.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/dags.py
	$(BIN)/python benchmarks/elsewhere.py
	$(BIN)/python benchmarks/elsewhere_dask.py
	$(BIN)/python benchmarks/agents.py

bench-full: $(SITE) ## the same with a million phases and more rounds; writes benchmarks/RESULTS.md and docs/cost.svg
	$(BIN)/python benchmarks/compare.py --full --write $(BENCH_ARGS)

clean: ## remove what was built, the virtual environment too
	rm -rf $(VENV) .venv-bench build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

$(VENV)/.installed-%: pyproject.toml tools/make_venv.sh tools/find_python.sh
	@tools/make_venv.sh $(VENV)
	$(BIN)/python -m pip install --quiet --editable . --group $*
	@touch $@
