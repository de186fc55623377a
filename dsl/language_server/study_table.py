"""The study keys as the language's page lists them: what each may be and what it is by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StudyKey:
    """One line of the table. `snippet` is what completion puts there; `values` are words and calls that may stand behind `=`."""

    value: str
    default: str
    snippet: str = ""
    values: tuple[str, ...] = ()


CONTROLLERS = (
    "Auto()",
    "Grid()",
    "Random()",
    "Sobol()",
    "TPE()",
    "GP()",
    "CmaEs()",
    "NSGA2()",
    "Reinforcement(max_rounds = 8)",
    "PBT()",
)
PRUNERS = ("Median()", "ASHA()", "Hyperband()")
TARGETS = ('Mmar("dir")', 'Bundle("dir")', 'Python("pkg.mod:fn")', 'Command("python train.py --lr {lr}")')

#: Metrics that every job has.
METRICS: Mapping[str, str] = {
    "seconds": "how long the trial took",
    "peak_gpu_memory": "the most GPU memory that was in use",
    "peak_memory": "the most main memory that was in use",
    "parameters": "how many weights the model has",
    "latency_ms": "how long one inference takes",
}

KEYS: Mapping[str, StudyKey] = {
    "target": StudyKey(
        '`Mmar("dir")`, `Bundle("dir")`, `Python("pkg.mod:fn")`, `Command("… {lr} …")`', "from `use`", values=TARGETS
    ),
    "budget": StudyKey(
        "`trials` (the baseline counted in), `time`, `job_time`, `gpu_hours`, `target` (first objective), `patience`",
        "trials = 20",
        "budget { trials = 20 }",
    ),
    "controller": StudyKey(
        "`Auto()`, `Grid()`, `Random()`, `Sobol()`, `TPE()`, `GP()`, `CmaEs()`, `NSGA2()`, `Reinforcement(max_rounds = 8)`, "
        "`PBT()`; own: `pkg.mod.Class()`",
        "`Auto()`",
        values=CONTROLLERS,
    ),
    "pruner": StudyKey("`Median()`, `ASHA(…)`, `Hyperband(…)`; own: `pkg.mod.Class()`", "none", values=PRUNERS),
    "workers": StudyKey(
        "`[[0], [1, 2]]` (the GPUs of each), `[cpu(4), cpu(4)]` (the threads of each), `auto`",
        "one, with all GPUs or all CPUs",
        values=("[[0], [1]]", "[cpu(4), cpu(4)]", "auto"),
    ),
    "repeat": StudyKey(
        '`folds = 5`, `seeds = [0, 1, 2]`, `score = "mean" | "median" | "min" | "worst"`, `abandon = true`',
        "none",
        'repeat { folds = 5, score = "mean" }',
    ),
    "phase": StudyKey(
        "`controller`, `pruner`, `workers`, `budget { }`, `search` (labels), `warm_start` (the best N before)",
        "one phase",
        "phase first { controller = Random() }",
    ),
    "seed": StudyKey("whole number from 0", "0"),
    "order": StudyKey('`"arrival"` or `"fixed"`', '"arrival"', values=('"arrival"', '"fixed"')),
    "baseline": StudyKey("whether trial 0 is the configuration as it stands", "true", values=("true", "false")),
    "keep": StudyKey("how many job folders are kept whole, best first; `all`", "all", values=("all",)),
    "accelerate": StudyKey("whether faster kernels stand in where they give the same result", "false", values=("true", "false")),
    "stall_time": StudyKey("how long a job may say nothing, such as `30min`", "none"),
    "disk_reserve": StudyKey("how much of the disk stays free, such as `20GiB`", "none"),
    "cache": StudyKey("disk for prepared volumes that jobs share, such as `50GiB`; or `false`", "a quarter of what is free"),
    "handlers": StudyKey("list of handlers", "none"),
    "executor": StudyKey("what runs a trial", "from `target`"),
    "out": StudyKey("path of the folder that run folders go to", "`runs/` beside the file"),
    "maximize": StudyKey("expression over metrics", "the key metric of the base"),
    "minimize": StudyKey("expression over metrics", "the key metric of the base"),
    "ensure": StudyKey("condition over metrics that an acceptable trial fulfils", "none"),
    "budget.trials": StudyKey("whole number from 1: how many trials, the baseline counted in", "20"),
    "budget.time": StudyKey("time, such as `12h`: how long the run takes at most", "no limit"),
    "budget.job_time": StudyKey("time: how long one trial takes at most", "no limit"),
    "budget.gpu_hours": StudyKey("number: hours on GPUs, summed over workers", "no limit"),
    "budget.target": StudyKey("number: the score of the first objective at which the run ends", "none"),
    "budget.patience": StudyKey("whole number from 1: how many trials without a better one end the run", "no limit"),
    "repeat.folds": StudyKey("whole number from 2: folds of a cross-validation", "none"),
    "repeat.seeds": StudyKey("list of seeds that each point is tried with", "none"),
    "repeat.score": StudyKey(
        '`"mean"`, `"median"`, `"min"` (the least number) or `"worst"`',
        '"mean"',
        values=('"mean"', '"median"', '"min"', '"worst"'),
    ),
    "repeat.abandon": StudyKey(
        "whether a point's other repetitions are left out once it cannot become the best", "false", values=("true", "false")
    ),
    "phase.search": StudyKey("labels of the parameters that this phase searches, such as `[lr, net]`", "all"),
    "phase.warm_start": StudyKey("whole number: the best N of the phases before start this one", "0"),
}
_PHASE = ("controller", "pruner", "workers", "budget", "search", "warm_start")


def keys_of(section: str) -> dict[str, StudyKey]:
    """What may stand in `section`: "" for the study itself, else "budget", "repeat" or "phase"."""
    if section == "phase":
        return {key: KEYS.get(f"phase.{key}") or KEYS[key] for key in _PHASE}
    prefix = f"{section}." if section else ""
    found = {key.removeprefix(prefix): line for key, line in KEYS.items() if key.startswith(prefix)}
    return {key: line for key, line in found.items() if "." not in key}


def line_of(key: str) -> StudyKey | None:
    """The line of a dotted key; a phase's own keys mean what they mean in the study."""
    return KEYS.get(key) or (KEYS.get(key.removeprefix("phase.")) if key.startswith("phase.") else None)
