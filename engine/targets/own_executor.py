"""An executor of the user's, written for Clara's AutoML: made in the job's process, it gives a recommendation its score.

The scheduler names it by a `Spec` that no program can write: the class, and the one recommendation that the job is about. The
baseline is none of its business: that trial runs the study's own target.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from automl_run.dsl.ir import Point, Program, Spec, Value
from automl_run.engine.agent.report import ChannelReport
from automl_run.engine.user_code.loading import check, code_folders, extend_path, make, own, said, shown
from automl_run.engine.user_code.locators import Locators
from automl_run.engine.user_code.messages import Part, Range
from automl_run.engine.user_code.provide import provide
from automl_run.engine.user_code.space_objects import space_of
from automl_run.errors import InputError, JobError

from .base import Job, Result
from .registry import EXECUTOR

_LOOK_S: Final = 0.25


class Recommended(msgspec.Struct, frozen=True):
    """The arguments of the `Spec`. `sign`: of a score, -1 where the study minimizes."""

    executor: Part
    folders: tuple[str, ...]
    index: int
    choices: dict[str, list[list[Value]] | Range]
    values: dict[str, int | float]
    concrete: dict[str, list[Value]]
    workers: int
    sign: float = 1.0


class ExecutorTarget:
    """`run` calls the executor; what it trains with is the configuration that the study's own target has rendered."""

    def __init__(self, recommended: Recommended) -> None:
        self._recommended = recommended

    @staticmethod
    def of(spec: Spec) -> ExecutorTarget:
        return ExecutorTarget(msgspec.convert(spec.args, Recommended))

    def run(self, job: Job) -> Result:
        told = self._recommended
        provide()
        extend_path(told.folders)
        executor = make(told.executor, "executor", ("execute",))
        defs = importlib.import_module("automl.defs")
        key, context = defs.ContextKey, defs.Context()
        space = space_of(defs, told.choices)
        recommendation = defs.Recommendation(told.index, defs.SearchResult(space, dict(told.values)))
        for name, value in (
            (key.SEARCH_SPACE, space),
            (key.RECOMMENDATION, recommendation),
            (key.RECOMMENDATIONS, [recommendation]),
            (key.CONCRETE_SEARCH_VALUE, told.concrete),
            (key.JOB_NAME, job.name),
            (key.GPUS, list(job.gpus)),
            (key.NUM_WORKERS, told.workers),
            ("job_mmar_root", str(job.dir)),
        ):
            context.set_prop(name, value)
        watch = _StopWatch(job, executor, context)
        try:
            score = executor.execute(recommendation, context)
        except Exception:
            if watch.aborted:
                return None
            raise
        finally:
            watch.done.set()
            getattr(executor, "shutdown", lambda _context: None)(context)
        return None if watch.aborted else self._score(score, job)

    def _score(self, score: object, job: Job) -> Mapping[str, float] | None:
        what = f"executor `{self._recommended.executor.path}`"
        item = getattr(score, "item", None)
        number = item() if callable(item) else score
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise JobError("user_error", f"{what}: execute gave {shown(score)}, where a score was expected")
        if len(job.objectives) != 1:
            raise JobError("user_error", f"{what} gives one score, and the study has {len(job.objectives)} objectives")
        return {job.objectives[0]: self._recommended.sign * number}


class _StopWatch:
    """Calls `abort` in a thread of its own when the job shall stop."""

    def __init__(self, job: Job, executor: Any, context: Any) -> None:
        self.done = threading.Event()
        self.aborted = False
        self._report = job.report
        self._executor, self._context = executor, context
        if isinstance(job.report, ChannelReport):
            threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        report = self._report
        while isinstance(report, ChannelReport) and not self.done.wait(_LOOK_S):
            if report.stop_asked:
                self.aborted = True
                try:
                    getattr(self._executor, "abort", lambda _context: None)(self._context)
                except BaseException as error:
                    print(f"abort failed: {said(error)}", flush=True)
                return


class Executors:
    """The scheduler's side: what a job of `program` runs. `executor`: the user's class."""

    def __init__(self, program: Program, executor: Part) -> None:
        self._program = program
        self._executor = executor
        self._locators = Locators(program)
        self._folders = code_folders(program)

    def check(self, allowed: Iterable[str]) -> None:
        """InputError when the class is not where it is sought, or cannot give what the study is about."""
        check(self._executor, "executor", self._folders, allowed)
        count = len(self._program.study.objectives)
        if count != 1:
            raise InputError(f"executor `{self._executor.path}` gives one score, and the study has {count} objectives")

    def spec(self, index: int, point: Point | None, workers: int) -> Spec:
        """For the job of recommendation `index`."""
        study = self._program.study
        assert study.target is not None
        if point is None:
            return study.target
        told = Recommended(
            self._executor,
            self._folders,
            index,
            self._locators.choices(),
            self._locators.values(point),
            self._locators.concrete(point),
            workers,
            -1.0 if study.objectives[0].direction == "minimize" else 1.0,
        )
        return Spec(EXECUTOR, msgspec.to_builtins(told))


def own_executors(program: Program, allowed: Iterable[str] = ()) -> Executors | None:
    """None for a study whose jobs run its target. InputError as in `Executors.check`."""
    executor = own(program.study.executor)
    if executor is None:
        return None
    made = Executors(program, executor)
    made.check(allowed)
    return made
