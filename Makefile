# `make demo` and `make test` need Python 3.11 or newer and a package index, nothing else.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# More processes than cores, for many tests wait; long files first, as tests/conftest.py orders them.
PYTEST := $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

.PHONY: help demo test check coverage mutants docs dist hooks fuzz bench clean

help:  ## List what can be made.
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile

demo: .venv/base.stamp  ## Score the bundled submissions on the demo release and print the leaderboard.
	$(BIN)/igbo-align leaderboard submissions --release demo

test: .venv/test.stamp check  ## Lint, check types and run the whole suite.
	$(PYTEST)

check: .venv/test.stamp  ## Lint and check types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

coverage: .venv/test.stamp  ## Run the suite and fail where it reaches less than 95 % of lines and branches.
	$(PYTEST) --cov --cov-report term-missing

mutants: .venv/test.stamp  ## Change the code of metrics, statistics and readers in 4,500 ways, and list what no test notices (an hour).
	$(PIP) mutmut==3.8.1
	mkdir -p .mutants
	ln -sfn ../benchmark .mutants/src
	ln -sfn ../tests .mutants/tests
	ln -sf ../pyproject.toml .mutants/pyproject.toml
	cd .mutants && CI=1 OMP_NUM_THREADS=1 ../$(BIN)/mutmut run && ../$(BIN)/mutmut results

docs: .venv/base.stamp  ## Build the site into site/; a broken link or anchor fails.
	$(PIP) --editable '.[docs]'
	$(BIN)/mkdocs build --strict
	@echo 'site/index.html opens as it is; with search: python3 -m http.server --directory site'

dist: .venv/base.stamp  ## Build twice into dist/, compare the bytes, and run the demo from the wheel.
	$(PIP) build hatchling
	$(BIN)/python .github/scripts/build_release.py --out dist

hooks: .venv/test.stamp  ## Check every commit before it is made, by pre-commit.
	$(BIN)/pre-commit install

fuzz: .venv/test.stamp  ## The long attack on the readers of submissions.
	$(BIN)/python tests/bad_inputs/fuzz.py --mutations 50000

bench: .venv/test.stamp  ## Compare with MTEB, sentence-transformers, ranx and torchmetrics; writes docs/performance.md.
	$(PIP) --editable '.[bench]'
	$(BIN)/python bench/run.py

.venv/base.stamp: pyproject.toml constraints.txt
	@echo 'Installing the base package into .venv; this takes a minute.'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --editable .
	touch $@

.venv/test.stamp: .venv/base.stamp
	@echo 'Installing everything that tests need into .venv, about 2.5 GB; the first time this takes some minutes.'
	$(PIP) --editable '.[test]'
	touch $@

clean:  ## Remove what was installed and cached here.
	rm -rf .venv .hypothesis .ruff_cache .mutants dist .coverage*
