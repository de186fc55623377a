"""The job process: makes the target, calls its `run`, and says how it ended.

Started by fork from a keeper, or by hand from what an attempt left in its folder, with nothing but the terminal around it:

    python -m automl_run.engine.agent.job runs/a/W1_1_J3
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import faulthandler
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, NamedTuple, NoReturn

import msgspec

from automl_run.dsl.ir import Value
from automl_run.engine.files import ENDPOINT
from automl_run.engine.targets.base import Job
from automl_run.engine.targets.failures import cause_of_exception, describe
from automl_run.engine.targets.metric_values import metric_values
from automl_run.engine.targets.registry import make_trainer
from automl_run.engine.targets.seeding import seed_libraries
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.messages import ToAgent
from automl_run.errors import InputError, JobError

from .acceleration import accelerate_pipelines
from .environment import job_environment
from .folders import CHECKPOINTS, JobSpec, read_job_spec
from .measured import PEAK_GPU_MEMORY, measure
from .memory import PeakMemory
from .outcome import Ending
from .ranks import ranks_of, run_ranks
from .report import ChannelReport
from .shared_cache import share_prepared_items
from .threads import set_threads

#: Makes the job write to its log where each of its threads is.
DUMP_SIGNAL: Final = signal.SIGRTMIN + 7


class Place(NamedTuple):
    """Of one of the processes of a job."""

    rank: int
    ranks: int


class StopNow(BaseException):
    """SIGTERM for a job that was already asked to stop: its grace is over. `except Exception` must let it pass."""


def run_job(
    spec: JobSpec,
    folder: Path,
    channel: Connection[ToAgent] | None,
    pulse: int | None = None,
    peak: PeakMemory | None = None,
    place: Place | None = None,
) -> Ending:
    """Runs the target in this process, which becomes the job's: its environment, working directory and signals are changed.

    `pulse`: what tells the keeper of reports. `peak`: what the keeper sees of memory. `place`: set in a rank of a job. Never
    raises; a traceback goes to stderr.
    """
    report: ChannelReport | None = None
    try:
        os.environ.update(job_environment(spec.gpus, spec.threads, spec.seed, os.environ))
        job_dir = folder if folder.name == spec.job else folder.parent
        heard = place is None or place.rank == 0
        report = ChannelReport(
            channel,
            spec.job,
            spec.fence,
            job_dir / CHECKPOINTS,
            pulse,
            spec.seed,
            spec.fold,
            heard=heard,
            relayed=place is not None,
            judged=spec.objectives if spec.judged and place is None else (),
        )
        return _run(spec, folder, report, peak, place)
    except StopNow:
        return Ending(stopped=True)
    except BaseException as error:
        if isinstance(error, SystemExit) and error.code in (None, 0) and report is not None and report.failure is None:
            return Ending(stopped=report.told_to_stop)
        return _failed(error, report)


def _run(spec: JobSpec, folder: Path, report: ChannelReport, peak: PeakMemory | None, place: Place | None) -> Ending:
    config: dict[str, Value] = json.loads((folder / "config" / spec.config_name).read_bytes())
    os.environ["AUTOML_JOB_DIR"] = str(folder)
    os.environ["AUTOML_CHECKPOINT_DIR"] = str(report.checkpoint_dir)
    if spec.fold is not None:
        os.environ["AUTOML_FOLD"], os.environ["AUTOML_FOLDS"] = str(spec.fold.number), str(spec.fold.count)
    os.environ["AUTOML_CONFIG"] = str(folder / "config" / spec.config_name)
    os.environ.pop("AUTOML_REPORT", None)  # of a job that this whole run is part of
    os.environ["AUTOML_ALLOW_MODULES"] = ",".join(spec.allow_modules)
    os.chdir(spec.base_dir)
    if place is None:
        signal.signal(signal.SIGTERM, _StopOnTerm(report))
    set_threads(spec.threads)
    seed_libraries(spec.seed)
    if spec.accelerate:
        accelerate_pipelines()
    run_dir = report.checkpoint_dir.parent.parent
    # A run that is over, or a folder that is none, has nobody who would remove what is shared.
    if (run_dir / ENDPOINT).is_file():
        share_prepared_items(run_dir, spec.cache, every_dataset=spec.cache is not None)
    target = make_trainer(spec.target, Path(spec.base_dir), spec.variables)
    ranks = ranks_of(target, config, spec) if place is None else place.ranks
    job = Job(
        name=spec.job,
        dir=folder,
        config=config,
        params=spec.params,
        seed=spec.seed,
        threads=spec.threads,
        gpus=spec.gpus,
        objectives=spec.objectives,
        report=report,
        measured=spec.measured,
        rank=0 if place is None else place.rank,
        ranks=ranks,
        fold=spec.fold,
        goal=spec.goal,
    )
    result = run_ranks(spec, folder, ranks, report) if place is None and ranks > 1 else target.run(job)
    if report.failure is not None:
        raise report.failure
    values = final_values(result, spec.objectives)
    if not report.told_to_stop:
        # Ranks look at their own GPUs; the memory of them all is seen from here.
        wanted = [name for name in spec.measured if (name == PEAK_GPU_MEMORY) == (place is not None) or ranks == 1]
        values = {**measure(wanted, {*report.names, *values}, peak), **values}
    return Ending(values=values, stopped=report.told_to_stop, reported=report.reported)


class _StopOnTerm:
    """The first SIGTERM asks the training code to stop at its next report; one after a stop was asked for interrupts it."""

    def __init__(self, report: ChannelReport) -> None:
        self._report = report
        self._pid = os.getpid()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:
            # A forked helper of the training code, such as a pool's, must die of what its parent sends it.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if self._report.stop_asked:
            raise StopNow
        self._report.ask_to_stop()


def _failed(error: BaseException, report: ChannelReport | None) -> Ending:
    if report is not None and report.failure is not None:
        error = report.failure
    cause, message = cause_of_exception(error)
    with contextlib.suppress(OSError, ValueError, AttributeError):  # the user closed stderr, or took it away
        _print_failure(error, message)
    code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1
    return Ending(cause=cause, message=message, code=code)


def _print_failure(error: BaseException, message: str) -> None:
    # The error of a user's file or of a metric says all; what stands above it in the stack is ours.
    if isinstance(error, (InputError, JobError)) and error.__cause__ is None:
        print(f"automl-run: {message}", file=sys.stderr, flush=True)
        return
    try:
        traceback.print_exception(type(error), error, _from_user_code(error.__traceback__))
    except Exception as unprintable:
        print(f"automl-run: {describe(error)} (no traceback: {unprintable})", file=sys.stderr, flush=True)


_OURS: Final = frozenset({__name__, "automl_run.engine.targets.python_function", "importlib", "importlib._bootstrap"})


def _from_user_code(frames: TracebackType | None) -> TracebackType | None:
    """Without the outermost frames that lead to the user's code, where there is any: nobody can do anything about them."""
    inner = frames
    while inner is not None and (
        inner.tb_frame.f_globals.get("__name__") in _OURS or "frozen" in inner.tb_frame.f_code.co_filename
    ):
        inner = inner.tb_next
    return inner or frames


def final_values(result: object, objectives: tuple[str, ...]) -> dict[str, float]:
    """What `Target.run` returned, as metrics. {}: the best reported values count.

    TypeError for a result of the wrong type; JobError `diverged` for NaN and infinities.
    """
    names = ", ".join(f"`{name}`" for name in objectives)
    if result is None:
        return {}
    if isinstance(result, Mapping):
        # A missing objective is the scheduler's to judge: it knows what was reported, and whether any job ever had it.
        return metric_values(result, "the returned dict")
    if isinstance(result, (bool, str, bytes)) or not hasattr(result, "__float__"):
        expected = "a number" if len(objectives) == 1 else f"a dict with {names}"
        raise TypeError(f"expected {expected} or None as the result, got {result!r:.100} ({type(result).__name__})")
    if len(objectives) != 1:
        raise TypeError(f"one number was returned, but the study has {len(objectives)} objectives: return a dict with {names}")
    return metric_values({objectives[0]: result}, "the result")


def run_forked_job(
    spec: JobSpec,
    folder: Path,
    channel: Connection[ToAgent],
    outcome_fd: int,
    pulse: int | None = None,
    peak: PeakMemory | None = None,
) -> NoReturn:
    """The rest of a forked child's life. `outcome_fd`: a pipe to the keeper, which gets one line of JSON."""
    code = 1
    pid = os.getpid()
    try:
        faulthandler.enable(2)
        faulthandler.register(DUMP_SIGNAL, 2, all_threads=True)
        sys.argv = [spec.job]
        ending = run_job(spec, folder, channel, pulse, peak)
        if os.getpid() != pid:
            # A child that the training code forked and let run on: the job is not over.
            os._exit(code)
        code = 0 if ending.cause is None else 1
        _flush()
        line = msgspec.json.encode(ending) + b"\n"
        while line:
            line = line[os.write(outcome_fd, line) :]
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # An interpreter's normal end, in its own order: threads, exit functions, buffers. The keeper bounds how long it takes.
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        atexit._run_exitfuncs()
        _flush()
    finally:
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # a full disk, or the user closed it
            continue


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m automl_run.engine.agent.job", description="Runs one job again, here, by hand.")
    parser.add_argument("folder", type=Path, help="a job's folder, such as runs/a/W1_1_J3")
    folder = parser.parse_args(argv).folder.resolve()
    spec = read_job_spec(folder)
    if spec is None:
        parser.error(f"{folder} holds no job: there is no readable job.json")
    # Ctrl-C stops it as SIGTERM does: at its next report, the second one at once.
    signal.signal(signal.SIGINT, lambda number, frame: os.kill(os.getpid(), signal.SIGTERM))
    ending = run_job(spec, folder, None)
    if ending.stopped:
        print("stopped before its end", file=sys.stderr)
        return 130
    if ending.cause is not None:
        print(f"failed ({ending.cause}): {ending.message}", file=sys.stderr)
        return 1
    print("done" + "".join(f"\n  {name} = {value}" for name, value in ending.values.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
