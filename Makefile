# Everything sets itself up: `make demo` and `make test` work in a fresh clone.
PYTHON ?= python3
# The torch to install. The plain pin is a CPU build on some machines and gigabytes of CUDA on others; see the README.
TORCH ?= $(shell grep '^torch==' constraints.txt)
BIN := .venv/bin

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

# The engine's longer checks.
proof: venv
	@echo "proof: no longer checks yet"

# Repetitions that are too long for every change.
soak: venv
	AUTOML_MUTATIONS=10000 $(BIN)/python -m pytest tests/dsl/test_damage.py

wheel: venv
	rm -rf dist
	$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf .venv dist build
