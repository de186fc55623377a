"""What a job trains: the one interface between the engine and training code.

The scheduler makes a `Target` to check the study and to render each job's configuration; the job process makes it again, from
the same `Spec`, and calls `run`. Importing a target's module stays cheap (no torch, no MONAI, no user code): only `run` is heavy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from automl_run.dsl.ir import Objective, Value
from automl_run.dsl.resolved import Resolved
from automl_run.engine.folds import Fold


class Report(Protocol):
    """`report(step, dice=0.8)` streams intermediate values and returns True when the job should stop now.

    `checkpoint_dir` is a folder that survives retries of the job. Values are finite floats; a non-finite one ends the job with
    the cause `diverged`. `progress("epoch 3/30", 0.1)` tells whoever watches how far the job is; `fraction` 0..1.
    That of a job's process has `seed`, too, and `fold`, the one of `folds` to validate on, from 0, None where the study has none.
    """

    checkpoint_dir: Path

    def __call__(self, step: int, **metrics: float) -> bool: ...
    def progress(self, text: str, fraction: float | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Job:
    """What the job process knows.

    `dir`: the job's folder, `W1_1_J3`, which exists and holds `config/`. `config`: what `Target.render` made. `params`: target
    path -> value, for logs. `seed`: of this job, from the study's seed and the recommendation. `threads`: CPU threads to train
    with. `objectives`: metric names the study is about. `measured`: built-in metrics that it reads too, to be returned or reported
    by a target that can measure them. CUDA_VISIBLE_DEVICES is set already; `gpus` are the ids, for logs. `rank` of `ranks`: which
    of the job's training processes this is; only a `DistributedTarget` has several. `fold`: of a cross-validation.
    `goal`: what the best model of the job is the best at, without parameters; None in a study without an objective.
    """

    name: str
    dir: Path
    config: dict[str, Value]
    params: dict[str, Value]
    seed: int
    threads: int
    gpus: tuple[int, ...]
    objectives: tuple[str, ...]
    report: Report
    measured: tuple[str, ...] = ()
    rank: int = 0
    ranks: int = 1
    fold: Fold | None = None
    goal: Objective | None = None


#: What a job ends with: the metrics that count, or None: the best value reported for each objective counts.
Result = Mapping[str, float] | float | None


class Trainer(Protocol):
    """What a job needs of a target."""

    def run(self, job: Job) -> Result:
        """Trains. Runs in the job's own process; whatever it raises is the job's failure.

        JobError names its cause; MemoryError is `oom_host`; anything else is `user_error`.
        """
        ...


class Target(Trainer, Protocol):
    """`config_name`: file name of the rendered configuration in the job's `config/` folder."""

    config_name: str

    def check(self) -> None:
        """Raises InputError when the target cannot be run at all (a missing folder, file or module). Imports no user code."""

    def render(self, config: dict[str, Resolved]) -> dict[str, Value]:
        """The configuration of one job as JSON data. Pure."""
        ...


@runtime_checkable
class DistributedTarget(Protocol):
    """A target whose `run` can be one of several processes of a job, `Job.rank` of `Job.ranks`, started by torchrun.

    The first rank's reports and result count; the others' reports go nowhere.
    """

    def ranks(self, config: Mapping[str, Value], gpus: int) -> int:
        """How many processes a job of this rendered configuration trains with, on a worker of so many GPUs; at least 1."""
        ...


@runtime_checkable
class Folding(Protocol):
    """A target that splits its data list itself. Any other one is told its fold, and may do with it what it likes."""

    def check_folds(self, config: Mapping[str, Value], count: int) -> None:
        """InputError when the data of this rendered configuration cannot be split into `count` folds."""
        ...


@runtime_checkable
class Inspecting(Protocol):
    """A target that can tell from a rendered configuration that no job will train it."""

    def inspect(
        self, config: Mapping[str, Value], metrics: Collection[str], *, folds: bool = False, files: Sequence[str] = ()
    ) -> None:
        """InputError for what the baseline's `config` shows, and its data. Imports no torch, MONAI or user code into this process.

        `metrics`: those that the study reads and the target is to report. `folds`: the training data are split, and what is given
        for the validation is not read. `files`: that the program was read from, for places.
        """
        ...
