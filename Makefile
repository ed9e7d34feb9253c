# What one does with tidings. `make` alone lists it.
#
# Environments are made when needed and remembered by stamp files inside them: a second call is quick.

VENV ?= .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --quiet --disable-pip-version-check install
JOBS ?= auto
KILLS ?= 200
ENGINE ?=
CODE := $(wildcard src tests examples benchmarks proof tools/*.py docs/*.py conftest.py)
export PYTHONPATH := examples

.PHONY: help
help:  ## List the targets
	@echo "make TARGET [VENV=.venv] [PYTHON=python3.13]"
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- Environments --------------------------------------------------------------------------------------------------

$(VENV)/.made:
	@tools/venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.made requirements/runtime.txt requirements/build.txt pyproject.toml
	@echo "installing tidings into $(VENV)"
	@$(PIP) --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@$(PIP) --no-build-isolation --no-deps --no-index --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.runtime requirements/test.txt
	@echo "installing the tools of the tests into $(VENV)"
	@$(PIP) --require-hashes -r requirements/test.txt
	@touch $@

$(VENV)-bench/.bench: requirements/bench.txt requirements/build.txt pyproject.toml
	@tools/venv $(VENV)-bench
	@$(VENV)-bench/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes -r requirements/bench.txt -r requirements/build.txt
	@$(VENV)-bench/bin/python -m pip --quiet --disable-pip-version-check install --no-build-isolation --no-deps --no-index --editable .
	@touch $@

.PHONY: pins
pins:  ## Write requirements/*.txt anew (needs uv)
	@requirements/pin

# ---- Using it ------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(if $(GEAR),$(VENV)/.test,$(VENV)/.runtime)  ## See it work: a shop whose services crash and lose nothing [GEAR=postgres]
	@$(if $(filter postgres,$(GEAR)),tools/services start && SHOP_STORE="$$(tools/services url)?options=-csearch_path%3Ddemo_$$$$") $(PY) -m shop.demo

.PHONY: bench
bench: $(VENV)-bench/.bench  ## Measure tidings beside floors and peers [ONLY="name ..." QUICK=1], and publish the figures
	@$(VENV)-bench/bin/python -m benchmarks $(ONLY) $(if $(QUICK),--quick,--publish)

.PHONY: crash
crash: $(VENV)/.runtime  ## Kill processes at every named point, then look at what is left [KILLS=200 STORE=postgresql://...]
	@$(PY) -m proof --kills $(KILLS) --ledger proof.json $(if $(STORE),--store $(STORE))

# ---- Checks --------------------------------------------------------------------------------------------------------

.PHONY: lint
lint: $(VENV)/.test  ## Ruff: every rule, and the format
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

.PHONY: format
format: $(VENV)/.test  ## Let ruff write the format
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

.PHONY: types
types: $(VENV)/.test  ## mypy --strict, and pyright's strict mode on what users write
	@$(PY) -m mypy $(CODE)
	@$(PY) -m pyright --pythonpath $(PY)

.PHONY: imports
imports: $(VENV)/.test  ## The floors: imports go down only
	@$(VENV)/bin/lint-imports

.PHONY: test-fast
test-fast: $(VENV)/.test  ## All tests that need no server and kill nothing, in about a minute
	@$(PY) -m pytest -n $(JOBS) -m "not server and not slow"

.PHONY: conformance
conformance: $(VENV)/.test  ## The conformance suite [ENGINE=sqlite]
	@$(PY) -m pytest tests/conformance $(if $(ENGINE),-k $(ENGINE))

.PHONY: docs
docs: $(VENV)/.test  ## Write the reference from the code, then run every block and link of the pages
	@$(PY) tools/reference.py
	@$(PY) -m pytest tests/docs

.PHONY: mutants
mutants: $(VENV)/.test  ## Change FILE=src/... in one place at a time; TESTS=tests/... must notice
	@$(PY) tools/mutants.py $(FILE) $(TESTS)

.PHONY: services
services:  ## Start PostgreSQL for the tests; installs it by apt where it is missing and we may
	@tools/services start

.PHONY: services-stop
services-stop:  ## Stop it
	@tools/services stop

.PHONY: test
test: export APT := yes
test: lint types imports services  ## Everything: lint, types, floors, every test
	@TIDINGS_TEST_POSTGRES=$$(tools/services url) $(PY) -m pytest -n $(JOBS)

.PHONY: clean
clean: services-stop  ## Remove what was built, the environments too
	@rm -rf $(VENV) $(VENV)-bench .services build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
