# Everything a contributor needs. `make` alone lists the targets.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run docs demo test test-all drills e2e format lint types check load load-smoke bench bench-check bench-peers mutants wheel release-check lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Two installations, one upon the other: what serving needs, and what the other targets need. The stamps are written last,
# so that an installation that was interrupted is done again.
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check install

.venv/serving: requirements.txt requirements-build.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("readstate needs Python 3.11 or newer; name one with PYTHON=..." if sys.version_info < (3, 11) else 0)'
	@echo "installing what serving needs into .venv; the next time there is nothing to install"
	@$(PYTHON) -m venv .venv
	@$(PIP) --require-hashes --requirement requirements.txt
# What builds is needed for a moment only, and kept out of the environment.
	@rm -rf .venv/build
	@$(PIP) --require-hashes --target .venv/build --requirement requirements-build.txt
	@PYTHONPATH=.venv/build $(PIP) --no-deps --no-build-isolation --editable .
	@rm -rf .venv/build
	@touch $@

.venv/installed: .venv/serving requirements-dev.txt
	@echo "installing what tests and checks need into .venv; the next time there is nothing to install"
	@$(PIP) --require-hashes --requirement requirements-dev.txt
	@touch $@

.venv: .venv/installed

run: .venv/serving ## serve on 127.0.0.1:8080 with an embedded Valkey; data is kept in .readstate/
	@$(BIN)/readstate serve

demo: .venv/serving ## replay a small sample of traffic against a service of its own and check every count
	$(BIN)/python -m readstate demo

test: .venv ## the tests that every change must pass, three at a time: many of them wait
	$(BIN)/pytest --numprocesses 3 --dist worksteal

test-all: .venv ## every test, the long ones too
	$(BIN)/pytest --full

drills: .venv ## failures under load, in their long form; prints what was lost and wrong
	$(BIN)/pytest --drills -k drill tests/chaos

e2e: .venv ## only the tests against real processes
	$(BIN)/pytest tests/e2e

format: .venv ## put the code into its one layout
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: .venv ## look for mistakes, layout and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: .venv ## check the types
	$(BIN)/mypy

check: lint types test ## what must pass before a change is merged

load: .venv ## load a running service (LOAD_URL, LOAD_API_KEY, LOAD_CLIENT_KEY) and leave a report in reports/
	$(BIN)/python -m loadtest.run

load-smoke: .venv ## ten seconds of load on a service of its own
	$(BIN)/python -m loadtest.smoke

bench: .venv ## measure, with wrk and redis-benchmark where they are installed, and write docs/benchmarks.md
	$(BIN)/python -m loadtest.bench

bench-check: .venv ## measure shortly and fail when a ratio is over 15 % (of memory 5 %) worse than at the last make bench
	$(BIN)/python -m loadtest.bench --check

# What PostgreSQL is called with, in a directory of its own: nothing else needs it.
.venv-peers/installed: .venv/installed requirements-peers.txt
	@rm -rf .venv-peers
	@$(PIP) --require-hashes --target .venv-peers --requirement requirements-peers.txt
	@touch $@

bench-peers: .venv-peers/installed ## compare with PostgreSQL and with plain Redis (needs postgresql) and write docs/compared.md
	PYTHONPATH=.venv-peers $(BIN)/python -m loadtest.peers

mutants: .venv ## change the scripts in many small ways and see that the tests notice each
	$(BIN)/python -m tests.mutants

# The site has an environment of its own: nothing else needs what makes it.
.venv-docs/installed: requirements-docs.txt
	@$(PYTHON) -m venv .venv-docs
	@.venv-docs/bin/python -m pip -qq --disable-pip-version-check install --require-hashes --requirement requirements-docs.txt
	@touch $@

docs: .venv-docs/installed ## make the documentation site in dist/docs; a broken link fails
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs --quiet build --strict --config-file docs/site/mkdocs.yml

wheel: .venv ## build the wheel into dist/
	$(BIN)/hatchling build --target wheel

.venv-release/installed: requirements-release.txt
	@$(PYTHON) -m venv .venv-release
	@.venv-release/bin/python -m pip -qq --disable-pip-version-check install --require-hashes --requirement requirements-release.txt
	@touch $@

release-check: .venv .venv-release/installed ## build a release into dist/release and check it, with its licences and SBOM
	$(BIN)/python -m tests.release

lock: .venv ## pin the newest dependencies that pyproject.toml allows (needs uv)
	uv pip compile pyproject.toml --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file requirements.txt
	uv pip compile --group build --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file requirements-build.txt
	uv pip compile pyproject.toml --extra otel --constraints requirements.txt --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file requirements-otel.txt
	uv pip compile pyproject.toml --group dev --constraints requirements-otel.txt --constraints requirements-build.txt --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file requirements-dev.txt
	uv pip compile --group docs --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file requirements-docs.txt
	uv pip compile --group peers --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file requirements-peers.txt
	uv pip compile --group release --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file requirements-release.txt

clean: ## remove what the other targets made, except the data in .readstate/
	rm -rf .venv .venv-docs .venv-peers .venv-release dist reports .hypothesis .mypy_cache .pytest_cache .ruff_cache
