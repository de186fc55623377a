"""How long does a worker stand idle between two jobs: from the last line of one to the first line of the next?

    python benchmarks/bench_turnaround.py [--json] [--jobs N] [--peers PYTHON]

Each job imports torch and MONAI, then notes the time, computes a little, takes half a second, and notes the time again; there is
one job at a time, everywhere.

warm            automl-run as it is: jobs are forked from a process that has both libraries imported
cold            the same with AUTOML_RUN_COLD=1: each job imports them itself
interpreter     a loop over `python job.py`, the least that runs each job in a fresh process
Optuna          `study.optimize` whose objective runs each trial in a process of its own (`multiprocessing`, spawn and fork)
Optuna in one   the same with all trials in one process: no isolation, the floor of a Python loop
Ray Tune        function trainables, one at a time, in actors that Ray keeps or, without `reuse_actors`, starts anew

`--peers`: the Python that has Ray installed, with torch and MONAI; it is no dependency of this project.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

GOAL_MS = 50.0

JOB = """
import sys, time
import torch, monai

def note(path):
    with open(path, "a") as file:
        file.write(f"{time.time():.6f}\\n")

def job(path):
    note(path)
    value = float(torch.ones(8, 8).sum())
    time.sleep(0.5)
    note(path)
    return value

def trial(params):
    return job(params["path"])

if __name__ == "__main__":
    job(sys.argv[1])
"""

STUDY = """automl 1

study {{
  target = Python("turnaround_job:trial")
  maximize dice
  controller = Random()
  budget {{ trials = {jobs} }}
  workers = [cpu(1)]
}}
path = "{path}"
lr ~ 0.0..1.0
"""


@dataclass(frozen=True)
class Row:
    """Milliseconds from a job's last line to the next one's first."""

    name: str
    gaps: int
    least_ms: float
    median_ms: float
    most_ms: float


def gaps_ms(path: Path) -> list[float]:
    times = [float(line) for line in path.read_text().split()]
    return [1000.0 * (start - end) for end, start in zip(times[1::2], times[2::2], strict=False)]


def ours(folder: Path, path: Path, jobs: int) -> None:
    import automl_run
    from automl_run.engine.run import RunOptions, run_study

    (folder / "study.automl").write_text(STUDY.format(jobs=jobs, path=path))
    result = run_study(automl_run.load(folder / "study.automl"), RunOptions(out=folder / "runs"))
    if result.exit_code != 0:
        raise SystemExit(f"the study failed: {result.summary}")


def cold(folder: Path, path: Path, jobs: int) -> None:
    os.environ["AUTOML_RUN_COLD"] = "1"
    try:
        ours(folder, path, jobs)
    finally:
        del os.environ["AUTOML_RUN_COLD"]


def interpreter(folder: Path, path: Path, jobs: int) -> None:
    for _ in range(jobs):
        subprocess.run([sys.executable, str(folder / "turnaround_job.py"), str(path)], check=True)


def _in_process(folder: str, path: str) -> None:
    sys.path.insert(0, folder)
    import turnaround_job  # type: ignore[import-not-found]

    turnaround_job.job(path)


def optuna_processes(method: str) -> Callable[[Path, Path, int], None]:
    def run(folder: Path, path: Path, jobs: int) -> None:
        import optuna

        context = multiprocessing.get_context(method)

        def objective(trial: optuna.Trial) -> float:
            process = context.Process(target=_in_process, args=(str(folder), str(path)))  # type: ignore[attr-defined]
            process.start()
            process.join()
            return float(trial.suggest_float("lr", 0.0, 1.0))

        _optuna_study().optimize(objective, n_trials=jobs)

    return run


def optuna_in_one(folder: Path, path: Path, jobs: int) -> None:
    import optuna

    def objective(trial: optuna.Trial) -> float:
        _in_process(str(folder), str(path))
        return float(trial.suggest_float("lr", 0.0, 1.0))

    _optuna_study().optimize(objective, n_trials=jobs)


def _optuna_study() -> "optuna.Study":  # type: ignore[name-defined]  # noqa: F821, UP037
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))


def ray_tune(reuse: bool) -> Callable[[Path, Path, int], None]:
    def run(folder: Path, path: Path, jobs: int) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        import ray  # type: ignore[import-not-found]
        from ray import tune

        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
        try:
            where, notes = str(folder), str(path)

            def trainable(config: dict[str, object]) -> None:
                # By value: this file is no module that Ray's workers could import.
                sys.path.insert(0, where)
                import turnaround_job

                turnaround_job.job(notes)
                tune.report({"dice": 0.5})

            tuner = tune.Tuner(
                trainable,
                tune_config=tune.TuneConfig(num_samples=jobs, max_concurrent_trials=1, reuse_actors=reuse),
                run_config=tune.RunConfig(storage_path=where, verbose=0),
            )
            tuner.fit()
        finally:
            ray.shutdown()

    return run


CONTENDERS: dict[str, Callable[[Path, Path, int], None]] = {
    "automl-run, warm": ours,
    "automl-run, cold": cold,
    "a fresh interpreter": interpreter,
    "Optuna, a process each (spawn)": optuna_processes("spawn"),
    "Optuna, a process each (fork)": optuna_processes("fork"),
    "Optuna, all in one process": optuna_in_one,
    "Ray Tune, a process each": ray_tune(reuse=False),
    "Ray Tune, actors reused": ray_tune(reuse=True),
}


def measure(name: str, jobs: int) -> Row | None:
    if name.startswith("Ray") and importlib.util.find_spec("ray") is None:
        return None
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "turnaround_job.py").write_text(JOB)
        path = folder / "times.txt"
        CONTENDERS[name](folder, path, jobs)
        gaps = gaps_ms(path)
    return Row(name, len(gaps), min(gaps), statistics.median(gaps), max(gaps))


def in_a_process_of_its_own(name: str, jobs: int, peers: str) -> Row | None:
    """What one contender imports must not warm up the next one's forks."""
    python = peers if name.startswith("Ray") else sys.executable
    command = [python, "-W", "ignore", __file__, "--only", name, "--jobs", str(jobs)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return None if found is None else Row(**found)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON line a contender")
    parser.add_argument("--jobs", type=int, default=12, help="how many jobs each contender runs")
    parser.add_argument("--peers", default=sys.executable, help="the Python that has Ray")
    parser.add_argument("--only", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.only:
        row = measure(options.only, options.jobs)
        print(json.dumps(None if row is None else asdict(row)))
        return 0
    cores, load = os.cpu_count(), [round(value, 1) for value in os.getloadavg()]
    if not options.json:
        print(f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {cores} cores, load {load}, goal for warm: {GOAL_MS:g} ms\n")
        print(f"{'ms from a job to the next':32}{'least':>10}{'median':>10}{'most':>10}")
    for name in CONTENDERS:
        row = in_a_process_of_its_own(name, options.jobs, options.peers)
        if options.json:
            print(json.dumps({"name": name, **({} if row is None else asdict(row)), "load": load}))
        elif row is None:
            print(f"{name:32}{'not installed':>30}")
        else:
            print(f"{row.name:32}{row.least_ms:10.1f}{row.median_ms:10.1f}{row.most_ms:10.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
