# make run   set up, then the main job: digits → int8 program → three bundles → report, in runs/digits
# make test  set up, then every check: ruff, format, mypy --strict, pytest
# make setup / format / clean

PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: run test setup format clean
.DEFAULT_GOAL := run

run: $(STAMP)
	$(BIN)/mobile-sdk run --out runs/digits

test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/python -m pytest

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(STAMP)

clean:
	rm -rf .venv build dist

$(STAMP): pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt hatchling editables wheel
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	touch $@

# Debian's python3 comes without ensurepip; its package python3-venv is fetched where we may, and named where we may not.
$(BIN)/pip:
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  test "$$(id -u)" = 0 || { echo 'python3-venv is missing: apt-get install python3-venv' >&2; exit 1; }; \
	  apt-get update -qq && apt-get install -y -qq python3-venv; }
	$(PYTHON) -m venv --clear .venv
