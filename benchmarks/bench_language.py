"""How fast is the language: reading, checking candidates, sampling; and how do ConfigSpace and Optuna sample the same space?

    python benchmarks/bench_language.py [--json] [--rounds N]

Every figure stands beside its goal. Two times are given: wall (median) and CPU (the least of all rounds), because on a shared
machine the first says how busy it was and the second what the work costs. ConfigSpace and Optuna draw from the space that
`Program.to_configspace` and `Program.to_optuna` give them, in the same rounds as we do, so their ratios hold on a busy machine too.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import language_cases as cases
import numpy as np
import optuna

from automl_run.dsl import ir
from automl_run.dsl.columns import Columns
from automl_run.dsl.ir import Program
from automl_run.dsl.load import check_text, parse
from automl_run.dsl.sampling import draw

CANDIDATES = 1_000_000
SAMPLES = 1_000
OURS = "ours"


@dataclass(frozen=True)
class Row:
    """`wall_ms`: median; `cpu_ms`: least. The ratios are goal / time: above 1 the goal is met."""

    name: str
    goal_ms: float
    wall_ms: float
    cpu_ms: float

    @property
    def ratios(self) -> tuple[float, float]:
        return self.goal_ms / self.wall_ms, self.goal_ms / self.cpu_ms


def measure(
    name: str, goal_ms: float, rounds: int, work: Callable[[], object], cpu: Callable[[], float] = time.process_time
) -> Row:
    work()
    walls, cpus = [], []
    for _ in range(rounds):
        wall, used = time.perf_counter(), cpu()
        work()
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((cpu() - used) * 1e3)
    return Row(name, goal_ms, statistics.median(walls), min(cpus))


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read(text: str, name: str) -> Program:
    return check_text(text, name=name).unwrap()


def reading(rounds: int) -> list[Row]:
    small, large, lines = cases.legacy(8_000), cases.legacy(200_000), cases.automl(400)
    return [
        measure("legacy 8 kB -> IR with places", 10, 3 * rounds, lambda: read(small, "a.json")),
        measure("legacy 200 kB -> IR with places", 250, rounds, lambda: read(large, "a.json")),
        measure(".automl of 400 lines -> IR", 100, rounds, lambda: read(lines, "a.automl")),
    ]


def cold_start(rounds: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "space.automl"
        path.write_text(
            "automl 1\n" + cases.SHARED + 'study { target = Command("true {batch}"), maximize score }\n', encoding="utf-8"
        )
        command = [sys.executable, "-m", "automl_run", "check", str(path)]
        return measure(
            "automl-run check, cold start",
            300,
            rounds,
            lambda: subprocess.run(command, capture_output=True, check=True),
            children_cpu,
        )


def candidates(rounds: int) -> list[Row]:
    program = parse(cases.CANDIDATES)
    assert (len(program.params), len(program.requires)) == (20, 10)
    generator = np.random.default_rng(0)
    columns = {param.id: _drawn(param.domain, generator) for param in program.params}
    matrix = np.stack([column.astype(float) for column in columns.values()], axis=1)
    return [
        measure("1M candidates x 20, 10 requires, columns", 500, rounds, lambda: Columns(program, columns).feasible()),
        measure("1M candidates x 20, 10 requires, matrix", 500, rounds, lambda: Columns(program, matrix).feasible()),
    ]


def _drawn(domain: ir.Domain, generator: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.number]]:
    match domain:
        case ir.Choice(alts):
            return generator.integers(0, len(alts), CANDIDATES)
        case ir.Int(lo, hi):
            return generator.integers(lo, hi + 1, CANDIDATES)
        case ir.Real(lo, hi):
            return generator.uniform(lo, hi, CANDIDATES)


def growth(rounds: int) -> dict[str, float]:
    """CPU time a byte at the larger size, in those at the smaller: 1 is linear."""
    pairs = {
        "legacy 200 kB -> 1 MB": (cases.legacy(200_000), cases.legacy(1_000_000), "a.json"),
        ".automl 250 kB -> 1 MB, four fifths of it comments": (
            cases.commented(1_600, 250_000),
            cases.commented(6_400, 1_000_000),
            "a.automl",
        ),
    }
    out: dict[str, float] = {}
    for name, (small, large, file) in pairs.items():
        rounds = max(2, rounds // 3)
        first = measure(name, 1, rounds, partial(read, small, file)).cpu_ms / len(small)
        out[name] = measure(name, 1, rounds, partial(read, large, file)).cpu_ms / len(large) / first
    return out


def sampling(rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds for an allowed sample, and how many times as long as ours, medians over rounds."""
    program = parse(cases.SHARED)
    space = program.to_configspace()
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def with_optuna() -> int:
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        allowed = 0
        for _ in range(SAMPLES):
            try:
                program.to_optuna(study.ask())
            except optuna.TrialPruned:
                continue
            allowed += 1
        return allowed

    def with_configspace() -> int:
        return len([dict(found) for found in space.sample_configuration(SAMPLES)])

    contenders: dict[str, Callable[[], int]] = {
        OURS: lambda: len(program.sample(SAMPLES)),
        "ours, columns only": lambda: int(draw(program, np.random.default_rng(0), 100 * SAMPLES).feasible().sum()),
        "ConfigSpace": with_configspace,
        "Optuna, random": with_optuna,
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(rounds + 1):
        for name, work in contenders.items():
            start = time.perf_counter()
            count = work()
            if round_:
                times[name].append((time.perf_counter() - start) * 1e6 / count)
    ours = times[OURS]
    return {
        name: {
            "times_ours": statistics.median(theirs / mine for theirs, mine in zip(found, ours, strict=True)),
            "us_per_sample": statistics.median(found),
        }
        for name, found in times.items()
    }


def environment() -> dict[str, object]:
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()),
        "cores": os.cpu_count(),
        "load": [round(value, 1) for value in os.getloadavg()],
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "lark", "ConfigSpace", "optuna")},
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--json", action="store_true", help="print one JSON document")
    arguments.add_argument("--rounds", type=int, default=10)
    args = arguments.parse_args()
    rows = [*reading(args.rounds), cold_start(args.rounds), *candidates(args.rounds)]
    grown, sampled = growth(args.rounds), sampling(args.rounds)
    if args.json:
        document = {"environment": environment(), "goals": [asdict(row) for row in rows], "growth": grown, "sampling": sampled}
        print(json.dumps(document, indent=2))
        return
    print(", ".join(f"{key} {value}" for key, value in environment().items()))
    print("\n| what | goal / wall | goal / CPU | goal, ms | wall, ms | CPU, ms |\n|-|-|-|-|-|-|")
    for row in rows:
        wall, cpu = row.ratios
        print(f"| {row.name} | {wall:.2f} | {cpu:.2f} | {row.goal_ms:g} | {row.wall_ms:.1f} | {row.cpu_ms:.1f} |")
    print("\n| growth | time a byte, larger / smaller (linear: 1) |\n|-|-|")
    for name, ratio in grown.items():
        print(f"| {name} | {ratio:.2f} |")
    print("\n| sampling one conditional space with a `require` | times as long as ours | microseconds a sample |\n|-|-|-|")
    for name, found in sampled.items():
        print(f"| {name} | {found['times_ours']:.2f} | {found['us_per_sample']:.2f} |")


if __name__ == "__main__":
    main()
