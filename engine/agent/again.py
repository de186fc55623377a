"""Trains a job once more, in a new folder, from what `best/` or a job's folder has of it:

python -m automl_run.engine.agent.again runs/a/best again
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import msgspec

from automl_run.engine.files import write_whole

from .folders import CHECKPOINTS, JOB_FILE, JobSpec, is_safe_name, read_job_spec
from .job import main as run_by_hand


def prepare_again(source: Path, new: Path) -> JobSpec:
    """`new`, with the configuration of `source` and nothing that it had trained. FileExistsError where there is such a folder."""
    spec = read_job_spec(source)
    if spec is None:
        raise FileNotFoundError(f"{source} holds no job: there is no {JOB_FILE} that can be read")
    new.mkdir(parents=True)
    shutil.copytree(source / "config", new / "config")
    (new / CHECKPOINTS).mkdir()
    name = new.name if is_safe_name(new.name) else spec.job
    spec = msgspec.structs.replace(spec, job=name, fence=1)
    write_whole(new / JOB_FILE, msgspec.json.format(msgspec.json.encode(spec), indent=2) + b"\n")
    return spec


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m automl_run.engine.agent.again", description="Trains a job once more.")
    parser.add_argument("source", type=Path, help="best/ of a run, or a job's folder")
    parser.add_argument("new", type=Path, help="the folder to make")
    args = parser.parse_args(argv)
    new = args.new.resolve()
    try:
        prepare_again(args.source.resolve(), new)
    except OSError as error:
        # Its caller is `commands/train.sh`, which says nothing of these arguments.
        text = f"{new} exists: nothing is overwritten; name another folder" if isinstance(error, FileExistsError) else error
        print(f"error: {text}", file=sys.stderr)
        return 2
    return run_by_hand([str(new)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
