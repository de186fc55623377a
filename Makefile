# Everything sets itself up: `make demo` and `make test` work in a fresh clone.
PYTHON ?= python3
# The torch to install. The plain pin is a CPU build on some machines and gigabytes of CUDA on others; see the README.
TORCH ?= $(shell grep '^torch==' constraints.txt)
BIN := .venv/bin
# How many rows of `make soak` run side by side.
SOAK_JOBS ?= 2

.PHONY: venv demo test lint proof soak wheel clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	grep -v '^torch==' constraints.txt > .venv/constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c .venv/constraints.txt '$(TORCH)'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c .venv/constraints.txt -e '.[dev]'
	touch $@

venv: .venv/ready

demo: venv
	$(BIN)/automl-run examples/brain_tissue/brain_tissue.automl

test: venv
	$(BIN)/python -m pytest -n 2 tests

lint: venv
	$(BIN)/ruff check automl_run grammars dsl engine kernels tests benchmarks examples docs
	$(BIN)/ruff format --check automl_run grammars dsl engine kernels tests benchmarks examples docs
	$(BIN)/mypy automl_run tests benchmarks

# The engine's longer checks: simulation, seeded bugs, kills of real processes, hostile bytes, faults of the host.
proof: venv
	AUTOML_PROOF=proof $(BIN)/python -m pytest -n 2 tests/engine/proof

# Repetitions that are too long for every change. Counts can be set: PROOF_SEEDS=100000 PROOF_KILLS=50 make soak.
soak: venv
	AUTOML_MUTATIONS=10000 $(BIN)/python -m pytest tests/dsl/test_damage.py
	AUTOML_PROOF=soak HYPOTHESIS_PROFILE=soak AUTOML_PROOF_RECORD=$(CURDIR)/proof.jsonl $(BIN)/python -m pytest -n $(SOAK_JOBS) --dist worksteal --timeout=36000 tests/engine/proof
	for i in 1 2 3 4 5 6 7 8 9 10; do $(BIN)/python -m pytest -q -n $(SOAK_JOBS) tests/engine/test_warm.py || exit 1; done

wheel: venv
	rm -rf dist
	$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf .venv dist build
