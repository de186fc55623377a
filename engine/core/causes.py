"""Why jobs fail, and which failures are tried again."""

from __future__ import annotations

from typing import Final, Literal, get_args

#: Why a job failed.
Cause = Literal[
    "user_error",
    "diverged",
    "oom_host",
    "oom_gpu",
    "gpu_error",
    "stalled",
    "timeout",
    "disk_full",
    "preempted",
    "lost",
    "internal",
]

#: Every cause, as the journal and the wire have it.
CAUSES: Final[tuple[str, ...]] = get_args(Cause)

#: The job did nothing wrong: it is tried again.
RETRIED: Final[frozenset[str]] = frozenset({"preempted", "lost", "gpu_error"})

#: Attempts a job has before a retried cause becomes its end.
MAX_ATTEMPTS: Final = 3

#: After an attempt was preempted its agent is about to end, so nothing goes there for this long.
REST_S: Final = 2.0

#: The study stops when its first jobs fail with one cause, or this many in a row with any.
FIRST_ALIKE: Final = 3
IN_A_ROW: Final = 10

#: Why a job was asked to stop; `drain` and `abort` leave it unfinished, to be run again by a resume.
#: `abandoned`: its recommendation was decided by another repetition.
StopWhy = Literal["pruned", "budget", "drain", "abort", "operator", "abandoned"]

#: A job that was asked to stop for one of these ends so, whatever becomes of its attempt.
FINAL: Final[frozenset[str]] = frozenset({"pruned", "operator"})

EXPLANATION: Final[dict[str, str]] = {
    "user_error": "the training code raised an error",
    "diverged": "an objective became infinite or not a number",
    "oom_host": "the host ran out of memory",
    "oom_gpu": "the GPU ran out of memory",
    "gpu_error": "the GPU failed",
    "stalled": "it neither reported nor logged for too long",
    "timeout": "it ran past its time limit",
    "disk_full": "the disk is full",
    "preempted": "it was told to make way",
    "lost": "its process or its agent was lost",
    "internal": "automl-run itself made a mistake",
}

#: For code that gave no value at all: how it would, by the name of its target.
HOW_TO_REPORT: Final[dict[str, str]] = {
    "Command": "a script calls `automl_run.report(step, {0}=...)` or prints `automl: step=1 {0}=0.5`",
    "Python": "a function calls `report(step, {0}=...)` or returns the value",
}
