#!/usr/bin/env bash
# To be sourced: says where this MMAR lies and which automl-run to call.
MMAR_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export MMAR_ROOT

# The program on PATH, or the one in the virtual environment of the checkout that this example belongs to.
AUTOML_RUN="$(command -v automl-run || true)"
if [ -z "$AUTOML_RUN" ] && [ -x "$MMAR_ROOT/../../.venv/bin/automl-run" ]; then
    AUTOML_RUN="$MMAR_ROOT/../../.venv/bin/automl-run"
fi
if [ -z "$AUTOML_RUN" ]; then
    echo "automl-run is neither on PATH nor in .venv: run \`make venv\` or \`pip install automl-run\`" >&2
    exit 2
fi
export AUTOML_RUN
