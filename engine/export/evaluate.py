"""Scores the model of an MMAR's job, or of `best/`, on its validation list:

python -m automl_run.engine.export.evaluate runs/a/best
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from automl_run.dsl.ir import Value
from automl_run.engine.agent.folders import read_job_spec
from automl_run.engine.files import WEIGHTS
from automl_run.errors import AutoMLError, InputError


def score(folder: Path, key: str | None = None) -> dict[str, float]:
    """The metrics of the model in `folder`, by their labels. `key`: another list of the data list. InputError, JobError."""
    spec = read_job_spec(folder)
    if spec is None or spec.target.name != "Mmar":
        raise InputError(f"{folder} holds no job of an MMAR")
    try:
        config = json.loads((folder / "config" / spec.config_name).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"the configuration in {folder} cannot be read: {error}") from error
    from automl_run.engine.targets.mmar.evaluate import evaluate

    with tempfile.TemporaryDirectory() as output:
        return evaluate(config, spec.root, folder / WEIGHTS, key or _validation_key(config), Path(output))


def _validation_key(config: Mapping[str, Value]) -> str:
    section = config.get("validate")
    dataset = section.get("dataset") if isinstance(section, dict) else None
    key = dataset.get("data_list_key", "validation") if isinstance(dataset, dict) else None
    return key if isinstance(key, str) else "validation"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m automl_run.engine.export.evaluate", description="Scores a trained MMAR.")
    parser.add_argument("folder", type=Path, help="best/ of a run, or a job's folder")
    parser.add_argument("--list", metavar="KEY", help="a list of the data list (default: the one of the validation)")
    args = parser.parse_args(argv)
    try:
        found = score(args.folder.resolve(), args.list)
    except AutoMLError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    print("\n".join(f"{name} {value}" for name, value in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
