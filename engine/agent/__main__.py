"""python -m automl_run.engine.agent --run RUN_DIR --worker W1 --gpus 0,1 --threads 1

The agent process. RUN_DIR holds `endpoint.json` (the scheduler's socket) and `program.msgpack` (base folder and variables).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from automl_run.engine.files import PROGRAM
from automl_run.errors import InputError


def _gpus(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part.strip())


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m automl_run.engine.agent", description="The process that is a worker.")
    parser.add_argument("--run", "--run-folder", dest="run", type=Path, required=True, help="the run's folder")
    parser.add_argument("--worker", required=True, help="its name: W1")
    parser.add_argument("--gpus", type=_gpus, default=(), help="indices into CUDA_VISIBLE_DEVICES: 0,1; empty for a CPU worker")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of a job")
    parser.add_argument("--base-dir", type=Path, help="where the target's relative paths start; default: the program's")
    parser.add_argument("--allow-module", action="append", default=[], help="a module that components may come from")
    parser.add_argument("--lifeline", type=int, help="a descriptor whose end of stream ends the agent and its jobs")
    parser.add_argument("--orphan-time", type=float, default=600.0, metavar="SECONDS", help="how long to seek a lost scheduler")
    options = parser.parse_args(argv)

    from automl_run.dsl.ir import Program
    from automl_run.engine.targets.libraries import libraries

    from .agent import Agent, Settings
    from .environment import visible_devices
    from .gpu_locks import gpu_ids
    from .warm import SWITCH

    run_dir = options.run.resolve()
    try:
        program = Program.from_bytes((run_dir / PROGRAM).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{run_dir / PROGRAM} cannot be read: {error}") from error
    devices = visible_devices(options.gpus, os.environ.get("CUDA_VISIBLE_DEVICES"))
    target, base_dir = program.study.target, (options.base_dir or Path(program.base_dir)).resolve()
    settings = Settings(
        run_dir=run_dir,
        worker=options.worker,
        gpus=options.gpus,
        threads=options.threads,
        base_dir=base_dir,
        variables=program.variables,
        allow_modules=tuple(options.allow_module),
        lifeline=options.lifeline,
        orphan_time_s=options.orphan_time,
        libraries=() if os.environ.get(SWITCH) else libraries(target, base_dir),
        gpu_ids=gpu_ids(devices),
    )
    return Agent(settings).run()


if __name__ == "__main__":
    # The order of sets must not differ between a job and its repetition, and is fixed when an interpreter starts.
    if "PYTHONHASHSEED" not in os.environ:
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    try:
        sys.exit(main(sys.argv[1:]))
    except InputError as error:
        print(f"automl-run: {error}", file=sys.stderr)
        sys.exit(2)
