"""Was the gain real? Retrains the best configuration of a run and the untuned baseline, and scores both on subjects never seen.

    python examples/brain_tissue/confirm.py RUN [--seeds 3] [--processes 2]

RUN is a run folder, such as examples/brain_tissue/automl/demo. Each is trained anew with fresh seeds, on the same training
subjects; the score is the mean Dice on the test subjects, which neither training nor the search has seen.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from automl_run.engine.targets.base import Job
from automl_run.engine.targets.mmar import MmarTarget

MMAR = Path(__file__).resolve().parent
METRIC = "val_mean_dice"
#: Far from the seeds of jobs, which come from the study's seed.
FIRST_SEED = 900_001


class Silent:
    """A report that nobody reads: train to the end."""

    def __init__(self, checkpoint_dir: Path) -> None:
        self.checkpoint_dir = checkpoint_dir

    def __call__(self, step: int, **metrics: float) -> bool:
        return False

    def progress(self, text: str, fraction: float | None = None) -> None:
        pass


def score(config: dict[str, Any], seed: int) -> float:
    """Trains `config` with `seed` and returns its score on the test subjects. Runs in a process of its own, with one thread."""
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        place = Path(folder)
        job = Job("confirm", place, config, {}, seed, 1, (), (METRIC,), Silent(place))
        MmarTarget(str(MMAR), MMAR, {}).run(job)
        from automl_run.engine.targets.mmar.evaluate import evaluate

        return evaluate(config, MMAR, place / "models" / "model.pt", "test", place)[METRIC]


def configs_of(run: Path) -> dict[str, dict[str, Any]]:
    """The rendered configs of the best job and of the baseline."""
    try:
        summary = json.loads((run / "summary.json").read_text())
        best = json.loads((run / "best" / "config" / "config_train.json").read_text())
    except OSError as error:
        sys.exit(f"{run} is no finished run: {error}")
    name = next((job["name"] for job in summary["jobs"] if job["index"] == 0), None)
    own = run / str(name) / "config" / "config_train.json"
    return {"baseline": json.loads(own.read_text()) if own.is_file() else baseline(), "best": best}


def baseline() -> dict[str, Any]:
    """The MMAR's config as it stands, for a run that did not keep its first job's folder."""
    config = json.loads((MMAR / "config" / "config_train.json").read_text())
    config.pop("search", None)
    environment = json.loads((MMAR / "config" / "environment.json").read_text())
    return MmarTarget(str(MMAR), MMAR, environment).render(config)


def main() -> None:
    parser = argparse.ArgumentParser(description="Retrains best and baseline with fresh seeds and scores them on test subjects.")
    parser.add_argument("run", type=Path, help="a run folder")
    parser.add_argument("--seeds", type=int, default=3, help="fresh seeds for each (default: 3)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="trainings at once, one thread each")
    args = parser.parse_args()
    configs = configs_of(args.run)
    jobs = [(name, FIRST_SEED + k) for name in configs for k in range(args.seeds)]
    with ProcessPoolExecutor(args.processes, get_context("spawn"), max_tasks_per_child=1) as pool:
        scores = list(pool.map(score, [configs[name] for name, _ in jobs], [seed for _, seed in jobs]))
    print(f"mean Dice of rest, grey and white matter on 4 test subjects, {args.seeds} fresh seeds")
    means: dict[str, float] = {}
    for name in configs:
        own = [value for (of, _), value in zip(jobs, scores, strict=True) if of == name]
        means[name] = statistics.fmean(own)
        spread = statistics.stdev(own) if len(own) > 1 else 0.0
        print(f"{name:9} {means[name]:.3f} +- {spread:.3f}   ({', '.join(f'{value:.3f}' for value in own)})")
    print(f"gain      {means['best'] - means['baseline']:+.3f}")


if __name__ == "__main__":
    main()
