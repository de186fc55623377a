"""python -m automl_run.engine.testing.killed.scheduler PROGRAM RUN_DIR [TRIALS]

Starts the program in the file (`Program.to_bytes()`) as the run RUN_DIR, or resumes that run, with the kill of the environment's
plan in it. The exit code is the run's.
"""

from __future__ import annotations

import sys
from pathlib import Path

from automl_run.dsl.ir import Program
from automl_run.engine import journal
from automl_run.engine.run import RunOptions, resume_study, run_study
from automl_run.errors import AutoMLError

from .agent import KilledLauncher
from .boundaries import arm


def main(argv: list[str]) -> int:
    program = Program.from_bytes(Path(argv[0]).read_bytes())
    folder = Path(argv[1])
    arm("scheduler")
    budget = {"study.budget.trials": argv[2]} if len(argv) > 2 else {}
    try:
        if (folder / journal.FILE).exists():
            return resume_study(folder, RunOptions(launcher=KilledLauncher, budget=budget)).exit_code
        return run_study(program, RunOptions(out=folder.parent, run_id=folder.name, launcher=KilledLauncher)).exit_code
    except AutoMLError as error:
        print(error, file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
