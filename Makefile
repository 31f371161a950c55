# From a fresh clone with Python 3.11 or newer: `make demo`. `make` lists the rest.
#
# PYTHON=…       the Python to build the environment with (python3)
# TORCH_INDEX=…  where to take PyTorch from when the pinned build does not fit this machine;
#                PyTorch's own CPU index avoids gigabytes of GPU packages
# ARGS="…"       further arguments of `dateline demo`, such as --once, or of `make torture`
# LOG=kafka      play the demo on Kafka

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# One stamp a phase: a phase runs again when what it depends on is newer.
VENV := .venv/.1-venv
TORCH := .venv/.2-torch
PACKAGES := .venv/.3-packages
READY := .venv/.4-dateline

# The parts of the packages that nothing here imports: compiling them would double the time.
NEVER_IMPORTED := /tests?/|/torch/testing/|/transformers/models/(?!auto/|bert/|[^/]*$$)

.PHONY: help setup demo test torture lint lock clean

help:  ## List these targets
	@sed -nE 's/^([a-z]+):.*  ## (.*)/make \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

setup:  ## Install everything into .venv (once: about 500 MB to fetch, 2 GB on disk)
	@if $(MAKE) -q $(READY) 2>/dev/null; then echo "Set up already: $(READY) is newer than the lock files."; \
	else SECONDS=0; $(MAKE) $(READY); \
	  echo "Set up in $$SECONDS s, $$(du -sm .venv | cut -f1) MB in .venv."; fi

demo: setup  ## Sample feeds through the whole pipeline, with the desk (ARGS=--once ends by itself)
	@$(BIN)/dateline demo $(if $(LOG),--log $(LOG)) $(ARGS)

# Two workers: tests wait for servers and processes as long as they compute.
test: setup  ## Every test, with linter, types and layers among them
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile tests

torture: setup  ## Kill, cut off and flood it, then compare (ARGS="--minutes 30 --seed 1 --json")
	@$(BIN)/python -m tests.torture $(ARGS)

lint: setup  ## Ruff, mypy and import-linter alone
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

$(VENV):
	@echo "1/4  virtual environment"
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Dateline needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another with make PYTHON=python3.12")'
	@SECONDS=0; $(PYTHON) -m venv .venv; touch $@; echo "     $$SECONDS s"

$(TORCH): $(VENV) requirements-torch.lock
	@echo "2/4  PyTorch, CPU build (about 190 MB to fetch)"
	@SECONDS=0; TORCH_INDEX=$(TORCH_INDEX) sh deploy/install-torch.sh $(BIN)/python; \
	touch $@; echo "     $$SECONDS s"

# The lock is closed, so nothing is resolved: what is in it is installed, checked by hash.
$(PACKAGES): $(TORCH) requirements-dev.lock
	@echo "3/4  $$(grep -c '^[a-z0-9]' requirements-dev.lock) other packages, pinned by hash (about 310 MB to fetch)"
	@SECONDS=0; $(PIP) install -qq --no-compile --no-deps --require-hashes -r requirements-dev.lock; \
	touch $@; echo "     $$SECONDS s"

# pip compiles on one core as it goes; here all cores do, and only what is ever imported. A short
# measurement then has numba compile what the first article would wait for.
$(READY): $(PACKAGES) pyproject.toml
	@echo "4/4  Dateline itself, and compiling the packages"
	@SECONDS=0; $(PIP) install -qq --no-deps --no-build-isolation -e .; \
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -W ignore -m compileall -q -j 0 -x '$(NEVER_IMPORTED)' \
	  "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" >/dev/null || true; \
	$(BIN)/python -m bench.cost --open 600 --events 40 --timed 100 >/dev/null 2>&1 || true; \
	touch $@; echo "     $$SECONDS s"

# The lock of everything comes first: resolved alone, the runtime could choose releases that the
# development packages cannot live with (python-dateutil 4 and botocore, once).
# Where pip knows no CPU build of PyTorch, name its index in PIP_EXTRA_INDEX_URL.
LOCK_BIN := build/lock/bin
COMPILE = $(LOCK_BIN)/pip-compile -q --generate-hashes --strip-extras --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
	--unsafe-package torch --annotation-style line pyproject.toml

lock: $(LOCK_BIN)/pip-compile  ## Pin every package anew after a change of pyproject.toml (UPGRADE=1: to the newest)
	@rm -rf build/pins && mkdir -p build/pins
	@$(if $(UPGRADE),,cp requirements*.lock build/pins/ 2>/dev/null || true)
	@echo "requirements-dev.lock"; $(COMPILE) --extra dev -o build/pins/requirements-dev.lock
	@echo "requirements.lock"; $(COMPILE) --no-annotate -c build/pins/requirements-dev.lock -o build/pins/requirements.lock
	@for name in requirements-dev requirements; do \
	  { echo "# Written by \`make lock\` from pyproject.toml. PyTorch is in requirements-torch.lock."; \
	    sed -e '/^# WARNING/,$$d' -e '/^# Written by/d' build/pins/$$name.lock | sed -e '$${/^$$/d;}'; } > $$name.lock; done
	@! grep -nE '^nvidia|^cuda|^triton' requirements*.lock || { echo "The GPU build of PyTorch got in: name a CPU index in PIP_EXTRA_INDEX_URL." >&2; exit 1; }

$(LOCK_BIN)/pip-compile:
	@$(PYTHON) -m venv build/lock && $(LOCK_BIN)/python -m pip install -qq pip==26.3 pip-tools==7.6.2

clean:  ## Remove what can be made again; databases stay
	@rm -rf .venv build demo-run *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +
