# make run     set up the environment, build, and do the notebook's whole job into results/circles
# make test    set up the environment, build, and run the linters and all tests
# make bench   time one iteration against every peer (installs them), into benchmarks/results
# make sklearn-tests  run the tests that scikit-learn ships for its two classes on ours
# make same-bits  compare the native engine's bits between instruction sets (and aarch64, under qemu)
# make sanitize   run the same checks under the address, undefined-behavior and thread sanitizers
# make torture    kill, fill the disk, damage and raise at random moments, within some minutes, and print what was lost
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
	$(BIN)/python tests/programs.py
	$(BIN)/pytest -n 2 --dist loadgroup

sklearn-tests: .venv/installed-dev
	PYTHONPATH=tests/drop_in $(BIN)/python -m pytest -p glassnet_in_sklearn -p no:cacheprovider -c /dev/null \
	    --pyargs sklearn.neural_network.tests.test_mlp

bench: .venv/installed-bench
	$(BIN)/glassnet bench

torture: .venv/installed-dev
	$(BIN)/python -m benchmarks.torture

format: .venv/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# With Debian's g++-aarch64-linux-gnu and qemu-user-static it compares aarch64 too.
SAME_BITS = PATH="$(CURDIR)/$(BIN):$$PATH" && cmake -G Ninja -S tests/native -B
# Iterations where the processor is emulated or each access is checked.
FEW = 2
AARCH64 = -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++

same-bits: .venv/tools
	$(SAME_BITS) build/same-bits && cmake --build build/same-bits
	build/same-bits/same_bits > build/same-bits.txt
	grep ' all$$' build/same-bits.txt
	if command -v aarch64-linux-gnu-g++ && command -v qemu-aarch64-static; then \
	    $(SAME_BITS) build/same-bits-aarch64 $(AARCH64) && cmake --build build/same-bits-aarch64 && \
	    build/same-bits/same_bits $(FEW) | grep '^portable' > build/same-bits-portable.txt && \
	    qemu-aarch64-static build/same-bits-aarch64/same_bits $(FEW) > build/same-bits-aarch64.txt && \
	    diff build/same-bits-portable.txt build/same-bits-aarch64.txt && echo aarch64: the same; \
	fi

sanitize: .venv/tools
	for sanitizer in address,undefined thread; do \
	    $(SAME_BITS) build/sanitize-$${sanitizer%%,*} -DSANITIZE=$$sanitizer && cmake --build build/sanitize-$${sanitizer%%,*} && \
	    build/sanitize-$${sanitizer%%,*}/same_bits $(FEW) > build/sanitize-$${sanitizer%%,*}.txt || exit 1; \
	    grep ' all$$' build/sanitize-$${sanitizer%%,*}.txt && echo $$sanitizer: clean; \
	done

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

.PHONY: run test sklearn-tests bench same-bits sanitize torture format clean
