# make run     set up the environment, build, and do the notebook's whole job into results/circles
# make test    set up the environment, build, and run the linters and all tests
# make bench   time one iteration against every peer (installs them), into benchmarks/results
# make format  format the sources

PYTHON ?= python3
BIN := .venv/bin
SOURCES := pyproject.toml CMakeLists.txt README.md $(shell find src -type f ! -name '*.so' ! -name '*.pyc')

run: .venv/installed-run
	$(BIN)/glassnet train circles

test: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

bench: .venv/installed-bench
	$(BIN)/glassnet bench

format: .venv/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv build dist results

# What the build needs, as pyproject.toml names it, and the tools to build with: without isolation a
# second build only compiles what changed.
.venv/tools: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'], sep='\n')" > .venv/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r .venv/requirements.txt cmake ninja
	touch $@

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation

.venv/installed-run: .venv/tools $(SOURCES)
	$(INSTALL) ".[plot]"
	touch $@

.venv/installed-dev: .venv/tools $(SOURCES)
	$(INSTALL) ".[dev]"
	touch $@ .venv/installed-run

.venv/installed-bench: .venv/tools $(SOURCES)
	$(INSTALL) ".[bench]"
	touch $@ .venv/installed-run

.PHONY: run test bench format clean
