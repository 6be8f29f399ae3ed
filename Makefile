# Everything sets itself up: the first target that needs the host's tools makes .venv (about 4 GB, a few minutes).
PYTHON ?= python3
BIN := .venv/bin
DEMO := build/demo
# Tests that take long are marked by why (pyproject.toml). A process for each core; one thread in each, or they would fight for the cores.
JOBS ?= $(shell nproc)
LONG := train or compile or qemu or network or interpreters or data
PYTEST = OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 TORCHINDUCTOR_COMPILE_THREADS=1 \
  $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations 15

.PHONY: demo test test-long test-all lint format benchmark clean

demo: .venv/ready
	@$(BIN)/edge-compress phantoms build/phantoms
	@$(BIN)/edge-compress run phantom --data build/phantoms --output $(DEMO)
	@echo
	@$(BIN)/edge-infer --model $(DEMO)/phantom.tflite build/phantoms/test/opacity/phantom00004.png
	@$(BIN)/edge-infer --model $(DEMO)/phantom.tflite --check
	@echo "ledger as a chart: $(DEMO)/phantom.ledger.png"

# Minutes: what to run before every commit.
test: .venv/ready
	$(PYTEST) -m "not ($(LONG))" $(ARGS)

test-long: .venv/ready
	$(PYTEST) -m "$(LONG)" $(ARGS)

# Everything, each test once.
test-all: test test-long

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Without data sets, what needs none: conversion, speed, start. With DATA=DIR (the chest X-rays) and POLYPS=DIR (Kvasir-SEG) the recipes run
# too: hours on 2 cores.
benchmark: .venv/ready build/device/ready
	$(BIN)/python -m benchmarks.papers.build build/benchmark
	build/device/bin/python -m benchmarks.papers.speed build/benchmark
	$(BIN)/python -m benchmarks.papers.speed build/benchmark --name speed-litert-2.1.0
	build/device/bin/python -m benchmarks.papers.cold_start --runs 41
ifdef DATA
	$(BIN)/edge-compress run cpgresnet50 --data $(DATA) --output build/chest_xray
	$(BIN)/edge-compress run pneumonia --data $(DATA) --output build/chest_xray
	$(BIN)/python -m benchmarks.papers.accuracy build/chest_xray
	$(BIN)/python -m benchmarks.papers.ghost_init --data $(DATA) --output build/chest_xray
endif
ifdef POLYPS
	$(BIN)/edge-compress run polyp --data $(POLYPS) --output build/kvasir
	$(BIN)/edge-compress run polyp60 --data $(POLYPS) --output build/kvasir
	$(BIN)/python -m benchmarks.papers.segmentation build/kvasir --data $(POLYPS)
	$(BIN)/python -m benchmarks.papers.pruning --data $(POLYPS) --output build/kvasir
endif

# What a device has: the package alone, with the newest runtime.
build/device/ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv build/device
	build/device/bin/pip install --quiet --disable-pip-version-check .
	@touch $@

.venv/ready: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "the host's tools need Python 3.11, and $(PYTHON) is another: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean:
	rm -rf build .venv
