"""`run_study` and `resume_study`: the order in which everything of a run is made."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from automl_run.dsl.elaborate.support import unsupported
from automl_run.dsl.evaluate import Undefined, resolve
from automl_run.dsl.ir import Budget, Program, Worker
from automl_run.dsl.legacy.cli_settings import TraceTo
from automl_run.errors import InputError, JournalError, RunError, TargetError

from . import events, journal, owner, run_folder
from .admin.results import Results
from .controllers.base import Controller
from .core import facts
from .core.apply import apply, replay
from .core.facts import NamedWorker
from .core.state import State
from .disk import Ballast, BallastedLedger, DiskReserve
from .enlarge import budget_from, refuse_other, refuse_smaller, with_budget
from .events import Observer, each_of, silent
from .file_system import check_place
from .files import CACHE, ENDPOINT, TRACE
from .journal import Journal, JournalGone
from .launchers.base import Launcher
from .launchers.gpus import settle_workers, uncounted
from .launchers.local import LocalLauncher
from .owner import Owner
from .publish import Publisher
from .report.job_output import JobOutput
from .report.job_output import wanted as output_wanted
from .report.tensorboard import JobTexts
from .restore import restore
from .run_folder import RunFolder
from .scheduler import Parts, Scheduler, steady_clock
from .targets.base import Folding, Inspecting, Target
from .targets.measured import reported_metrics
from .targets.own_executor import Executors, own_executors
from .trace import Trace
from .user_code.own_controller import OwnController
from .user_code.own_space import with_own_space
from .user_code.session import UserCode, hosted
from .wire.server import private_folder

EXIT_CODES: Mapping[str, int] = {"done": 0, "stopped": 0, "failed": 1, "paused": 130}


@dataclass(frozen=True, slots=True)
class RunOptions:
    """`out` None: the program's default place; `run_id` None: the study's name and a number. `workers` None: the study's own.
    `trace` None: to the file.

    Of a resume: `budget`: `{"study.budget.trials": "40"}`; `take_over`: even if the run belongs to another host.
     `launcher`: for tests and other hosts; None: processes of this one.
    """

    out: Path | None = None
    run_id: str | None = None
    workers: tuple[Worker, ...] | None = None
    trace: TraceTo | None = None
    engine_trace: bool = False
    allow_modules: tuple[str, ...] = ()
    budget: Mapping[str, str] = field(default_factory=dict)
    launcher: Callable[[Path], Launcher] | None = None
    take_over: bool = False


_Made: TypeAlias = tuple[Controller | OwnController, Target, UserCode | None, Executors | None]


@dataclass(frozen=True, slots=True)
class RunResult:
    """`exit_code`: 0 done, 1 failed or found nothing, 130 interrupted and resumable."""

    summary: dict[str, Any]
    exit_code: int
    folder: Path


def run_study(program: Program, options: RunOptions, observer: Observer = silent) -> RunResult:
    """Runs a new study to its end. InputError (RunExistsError too) before anything is written or started, RunError after."""
    refused = unsupported(program)
    if refused:
        raise InputError("; ".join(str(found) for found in refused))
    program = msgspec.structs.replace(program, base_dir=str(Path(program.base_dir).resolve()))
    run_folder.refuse_used(options.out or run_folder.default_out(program), options.run_id)
    target = _target(program)
    program = with_own_space(program, options.allow_modules)
    executors = own_executors(program, options.allow_modules)
    with hosted(program, options.allow_modules) as code:
        return _run_new(program, options, observer, target, code, executors)


def _run_new(
    program: Program,
    options: RunOptions,
    observer: Observer,
    target: Target,
    code: UserCode | None,
    executors: Executors | None,
) -> RunResult:
    controller = _controller(program, code)
    out = options.out or run_folder.default_out(program)
    specs, warnings = settle_workers(options.workers or program.study.workers)
    warnings += uncounted(program.study, specs)
    folder, run_id = run_folder.create(out, options.run_id, program.study.name or _stem(program))
    try:
        warnings += check_place(folder.path)
    except InputError:
        with contextlib.suppress(OSError):
            folder.path.rmdir()
        raise
    started = facts.RunStarted(run_id, program.digest, program.to_bytes(), steady_clock()())
    store = Journal.create(folder.path, [started])
    with contextlib.closing(store), _resumable(folder.path):
        state = apply(State(), started)
        parts = (controller, target, code, executors)
        return _run(program, options, observer, folder, store, state, parts, _name(specs, ()), None, warnings)


def resume_study(folder: Path, options: RunOptions, observer: Observer = silent, program: Program | None = None) -> RunResult:
    """Goes on with the run in `folder`; `workers` and `budget` of `options` count.

    `program`, if given, is the run's own as it is now: its workers count, and its budget, which may be larger. InputError for any
    other change of it, and for a run that another host has, unless it is to be taken over.
    """
    store = Journal.open(folder)
    with contextlib.ExitStack() as stack:
        stack.callback(store.close)
        if not options.take_over:
            owner.refuse_foreign(folder)
        warned = check_place(folder)
        history = list(store.facts())
        state = replay(history)
        if state.program is None:
            raise JournalError(f"{folder} was never started: its journal is empty; remove it and start again")
        # An earlier resume may have changed the number of trials.
        stored = with_budget(state.program, msgspec.structs.replace(state.program.study.budget, trials=state.trials))
        if program is not None:
            refuse_other(stored, program, folder)
        budget = budget_from(stored if program is None else program, options.budget)
        at = state.last_at
        refuse_smaller(stored, budget, len(state.jobs), state.elapsed(at), state.gpu_seconds(at) / 3600)
        wanted = options.workers
        if wanted is None and program is not None and program.study.workers != stored.study.workers:
            wanted = program.study.workers
        going_on = with_budget(stored, budget)
        target = _target(going_on)
        executors = own_executors(going_on, options.allow_modules)
        code = stack.enter_context(hosted(going_on, options.allow_modules))
        controller = _controller(going_on, code)
        restore(controller, history, state)
        before = tuple(NamedWorker(w.name, w.gpus, w.threads) for w in state.workers)
        if wanted is None and before:
            specs, warnings = settle_workers(tuple(Worker(w.gpus, w.threads) for w in before))
        else:
            specs, warnings = settle_workers(wanted or stored.study.workers)
        warnings += [*uncounted(going_on.study, specs), *warned]
        place = RunFolder(folder)
        with _resumable(place.path):
            named = _name(specs, before)
            parts = (controller, target, code, executors)
            return _run(going_on, options, observer, place, store, state, parts, named, budget, warnings)


def run_to_take_over(program: Program, options: RunOptions) -> Path | None:
    """The folder of the run that `options` name, None while there is none: it is a new one then. InputError without a run_id."""
    if options.run_id is None:
        raise InputError("--take-over goes on with a run: name it with --run-id")
    folder = (options.out or run_folder.default_out(program)) / run_folder.check_run_id(options.run_id)
    return folder if (folder / journal.FILE).is_file() else None


def run(
    program: Program,
    *,
    out: str | Path | None = None,
    run_id: str | None = None,
    workers: tuple[Worker, ...] | None = None,
    observer: Observer = silent,
) -> RunResult:
    """`run_study` with plain arguments, for Python users. Raises as `run_study` does."""
    return run_study(program, RunOptions(out=None if out is None else Path(out), run_id=run_id, workers=workers), observer)


# -- the parts ------------------------------------------------------------------------------------------------------------


def _run(
    program: Program,
    options: RunOptions,
    observer: Observer,
    folder: RunFolder,
    store: Journal,
    state: State,
    made: _Made,
    workers: tuple[NamedWorker, ...],
    budget: Budget | None,
    warnings: list[str],
) -> RunResult:
    controller, target, code, executors = made
    folder.store_program(program)
    run_folder.sweep(folder.path)
    seen_at = owner.last_beat(folder.path)
    mine = Owner(folder.path, state.epoch + 1)
    sockets = private_folder()
    clock = steady_clock()
    trace = Trace(folder.path / TRACE, options.trace or "file", engine=options.engine_trace)
    output: JobOutput | None = None
    if any(spec.name == "MMARStatsHandler" for spec in program.study.handlers):
        observer = each_of(JobTexts(folder.path, clock), observer)
    if output_wanted(program.study):
        output = JobOutput(folder.path)
        observer = each_of(output, observer)
    publisher = Publisher(folder, trace, observer, clock)
    ballast = Ballast(folder.path)
    try:
        for warning in warnings:
            publisher.warn(warning)
        publisher.restore(state)
        endpoint = {"socket": str(sockets / "agents.sock"), "view": str(sockets / "view.sock"), "epoch": state.epoch + 1}
        launcher = options.launcher(folder.path) if options.launcher else LocalLauncher(folder.path, options.allow_modules)
        ledger = BallastedLedger(store, ballast, lambda: scheduler.interrupt("the disk is full, the run pauses"))
        reserve = DiskReserve(folder.path, program.study.disk_reserve)
        results = Results(folder.path)

        def beat(now: float) -> None:
            mine.beat(now)
            if output is not None:
                output.look()

        parts = Parts(
            sockets, ledger, controller, target, launcher, publisher, clock,
            disk=reserve, result=results.of, beat=beat, user_code=code, executors=executors,
        )  # fmt: skip
        scheduler = Scheduler(parts, state, program)
        folder.write_json(ENDPOINT, endpoint)
        state = scheduler.run(workers, None if budget is None else budget.trials, budget, seen_at)
        if state.run != "paused":
            shutil.rmtree(folder.path / CACHE, ignore_errors=True)  # no job will come that could use it
        summary = publisher.write_summary(state)
        _report(folder, summary, publisher)
        if state.run == "paused":
            publisher.tell(events.RunEnded("paused", f"interrupted; go on with: automl-run resume {folder.path}"))
        return RunResult(summary, EXIT_CODES.get(state.run, 1), folder.path)
    finally:
        trace.close()
        shutil.rmtree(sockets, ignore_errors=True)
        if mine.release():
            ballast.drop()
            (folder.path / ENDPOINT).unlink(missing_ok=True)


@contextlib.contextmanager
def _resumable(folder: Path) -> Iterator[None]:
    """Whatever ends the run from here on, its journal is there: the message says how to go on."""
    how = f"\n  go on with it:  automl-run resume {folder}"
    try:
        yield
    except KeyboardInterrupt:
        # Before or after the scheduler, which takes signals otherwise.
        raise KeyboardInterrupt(f"interrupted{how}") from None
    except JournalGone:
        # There is nothing to go on with.
        raise
    except JournalError as error:
        raise JournalError(f"{error}{how}") from error
    except OSError as error:
        # A full disk, a lost mount.
        raise RunError(f"the run broke off: {error}{how}") from error


def _report(folder: RunFolder, summary: dict[str, Any], publisher: Publisher) -> None:
    from .report.html import write_report

    try:
        write_report(folder.path, summary)
    except (OSError, InputError) as error:
        publisher.warn(f"report.html cannot be written: {error}")


def _controller(program: Program, code: UserCode | None) -> Controller | OwnController:
    from .controllers.registry import make_controller

    if code is not None and code.controller is not None:
        return code.controller
    return make_controller(program)


def _target(program: Program) -> Target:
    from .targets.registry import make_target

    if program.study.target is None:
        raise InputError('the study has no target: say what a job runs, for example `target = Python("pkg.mod:fn")`')
    target = make_target(program.study.target, Path(program.base_dir), program.variables)
    with contextlib.suppress(Undefined):
        try:
            target.check()
            # The baseline's configuration shows what no job could be given, such as an undefined `{x}` of a command.
            config = target.render(resolve(program, None))
        except TargetError:
            raise
        except InputError as error:
            raise TargetError(str(error)) from error
        repeat = program.study.repeat
        folds = None if repeat is None else repeat.folds
        if isinstance(target, Inspecting):
            target.inspect(config, reported_metrics(program.study), folds=folds is not None, files=program.files)
        if folds is not None and isinstance(target, Folding):
            target.check_folds(config, folds)
    return target


def _name(specs: tuple[Worker, ...], before: tuple[NamedWorker, ...]) -> tuple[NamedWorker, ...]:
    """W1, W2, ...; a worker with the GPUs of an earlier one keeps its name, and no name is given to other GPUs."""
    free = list(before)
    numbers = [int(worker.name[1:]) for worker in before]
    following = max(numbers, default=0) + 1
    named = []
    for spec in specs:
        old = next((worker for worker in free if worker.gpus == spec.gpus), None)
        if old is not None:
            free.remove(old)
            named.append(NamedWorker(old.name, spec.gpus, spec.threads))
        else:
            named.append(NamedWorker(f"W{following}", spec.gpus, spec.threads))
            following += 1
    return tuple(named)


def _stem(program: Program) -> str:
    return Path(program.files[0]).stem if program.files else "study"
