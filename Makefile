# Two commands: `make quickstart` shows the whole way on a real model, `make test` runs the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.PHONY: quickstart test slow bench clean

quickstart: $(VENV)/quickstart.done
	$(BIN)/caif run quickstart

# A worker a core, a file a worker at a time: fixtures are made once a file, and torch gets one thread each.
test: $(VENV)/test.done
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

# The browser tests drive the chromium that is on the PATH (Debian: apt-get install chromium), also as chromium-browser or
# google-chrome; without one they are skipped and say so. playwright fetches none.
slow: $(VENV)/test.done $(VENV)/quickstart.done $(VENV)/browser.done
	$(BIN)/python -m pytest -m slow

bench: $(VENV)/quickstart.done
	for file in tests/bench/bench_*.py; do $(BIN)/python $$file || exit 1; done

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("caif needs Python 3.11 or newer: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/quickstart.done: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[embedded]'
	touch $@

$(VENV)/test.done: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/browser.done: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[browser]'
	touch $@

clean:
	rm -rf $(VENV)
