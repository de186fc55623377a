"""How an attempt ended: what the job says of itself, what its keeper saw, and the one answer from both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

import msgspec

from automl_run.engine.core.causes import Cause
from automl_run.engine.files import put_in_place, stage
from automl_run.engine.targets.failures import cause_of_status

from .folders import RESULT_FILE

#: Why a keeper ends a job. `unheard`: the job closed what its result would have come through, and runs on.
Reason = Literal["stop", "timeout", "stalled", "superseded", "agent_lost", "unheard"]


class Ending(msgspec.Struct, frozen=True):
    """What the job process says last, to its keeper. `cause` None: it ended well. `stopped`: because it was told to stop."""

    values: dict[str, float] = {}
    stopped: bool = False
    cause: Cause | None = None
    message: str = ""
    code: int | None = None
    #: metric -> (least, greatest, last) of what was reported
    reported: dict[str, tuple[float, float, float]] = {}


class Outcome(msgspec.Struct, frozen=True):
    """One attempt's end, as `result.json` has it. `cause` None: it ended well. `code`: exit code, or minus the signal."""

    job: str
    fence: int
    values: dict[str, float]
    seconds: float
    stopped: bool = False
    cause: Cause | None = None
    message: str = ""
    code: int | None = None
    tail: str = ""
    #: processes that could not be ended: they still hold what the attempt had
    survivors: tuple[int, ...] = ()
    #: metric -> (least, greatest, last) of what was reported, for a reader who heard none of it
    reported: dict[str, tuple[float, float, float]] = {}


class Seen(msgspec.Struct, frozen=True):
    """What the keeper saw. `code` None: the job was not reaped. `reason`: why the keeper ended it, None if it did not.

    `oom_kills`: how often the kernel killed for lack of memory on this host while the job ran.
    """

    code: int | None
    reason: Reason | None = None
    stop_asked: bool = False
    oom_kills: int = 0
    time_limit_s: float | None = None
    stall_time_s: float | None = None


#: A job says so of its command, of a rank, or of a data loader's worker.
_KILLED: Final = re.compile(r"SIGKILL|[Kk]illed by signal: Killed|exited unexpectedly")


def conclude(ending: Ending | None, seen: Seen, tail: str) -> Ending:
    """The one answer. A job's own word counts first, except that a stop nobody asked for is a preemption."""
    if ending is not None:
        if seen.oom_kills > 0 and ending.cause in ("lost", "user_error") and _KILLED.search(ending.message):
            return msgspec.structs.replace(ending, cause="oom_host", message=f"{ending.message}: the host ran out of memory")
        if ending.stopped and not seen.stop_asked and seen.reason is None:
            return Ending(cause="preempted", message="the job was told by a signal from outside to stop", code=seen.code)
        # Code that is interrupted at the end of its grace fails in ways that mean nothing.
        if ending.cause is None and not ending.stopped:
            return ending
        if seen.reason not in ("timeout", "stalled", "stop"):
            return ending
    match seen.reason:
        case "timeout":
            return Ending(cause="timeout", message=f"the job ran past its time limit of {seen.time_limit_s:g} s", code=seen.code)
        case "stalled":
            text = f"it neither reported nor logged anything for {seen.stall_time_s:g} s; log.txt has what it was doing"
            return Ending(cause="stalled", message=text, code=seen.code)
        case "stop":
            return Ending(stopped=True, code=seen.code)
        case "superseded":
            return Ending(cause="preempted", message="another attempt of this job counts", code=seen.code)
        case "agent_lost":
            return Ending(cause="lost", message="the agent of this job was lost", code=seen.code)
        case "unheard":
            text = "it closed the descriptors that it was started with: its reports and its result cannot be heard"
            return Ending(cause="user_error", message=text, code=seen.code)
        case None:
            cause, message = cause_of_status(seen.code, tail, seen.oom_kills)
            return Ending(cause=cause, message=message, code=seen.code)


# -- result.json ----------------------------------------------------------------------------------------------------------


class ResultFile:
    """`result.json` of an attempt. What it will most likely say can be staged: what is left to do then is to rename a file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RESULT_FILE
        self._staged: tuple[Outcome, Path] | None = None

    def stage(self, outcome: Outcome) -> None:
        """OSError when it cannot be written."""
        data = msgspec.json.format(msgspec.json.encode(outcome), indent=2) + b"\n"
        self._staged = outcome, stage(self._path, data, sync=True)

    def write(self, outcome: Outcome) -> None:
        """On the disk when this returns. OSError when it cannot be written."""
        if self._staged is None or self._staged[0] != outcome:
            self.stage(outcome)
        assert self._staged is not None
        (_, staged), self._staged = self._staged, None
        put_in_place(staged, self._path, sync=True)


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """On the disk when this returns. OSError when it cannot be written."""
    ResultFile(folder).write(outcome)


def read_outcome(folder: Path, job: str, fence: int) -> Outcome | None:
    """The outcome of this attempt; None if there is no readable one, or it is another attempt's."""
    try:
        outcome = msgspec.json.decode((folder / RESULT_FILE).read_bytes(), type=Outcome)
    except (OSError, msgspec.MsgspecError):
        return None
    return outcome if (outcome.job, outcome.fence) == (job, fence) else None
