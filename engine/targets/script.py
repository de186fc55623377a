"""What a script says to the run that started it, and hears from it: `automl_run.report(step, dice=0.8)`.

Imports nothing but the standard library, so that a script waits for nothing. A job's process (`conversation.py`) gives two places:
AUTOML_REPORT, a pipe that takes one line of JSON a message, and AUTOML_STOP, a memory that it and the script share. Both are paths
in `/proc`, because descriptors do not reach the children of a launcher. Where they cannot be opened, in another container say,
metrics are printed. Without AUTOML_REPORT the script runs by itself, and a report is nothing.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .metric_values import metric_values, step_number

if TYPE_CHECKING:
    from .base import Report

REPORT: Final = "AUTOML_REPORT"
STOP: Final = "AUTOML_STOP"
CONFIG: Final = "AUTOML_CONFIG"
#: AUTOML_STOP: whether a stop was asked for, the last step that rank 0 reported, the first step that it was told to stop at.
STOP_MEMORY: Final = struct.Struct("=qqq")
NEVER: Final = 2**63 - 1
BEFORE_ALL: Final = -(2**63)
#: Writes of so many bytes are never mixed with those of other processes (POSIX says at least 512, Linux 4096).
_PIPE_BUF: Final = 4096
_POLL_S: Final = 0.02
_PATIENCE_S: Final = 30.0


class ScriptReport:
    """The report of a script: the same calls as the `report` of a `Python` function have, wherever the script runs."""

    def __init__(self) -> None:
        self._inner: Report | None = None
        #: of a function in this process: what `result` was told
        self.final: dict[str, float] = {}

    def __call__(self, step: int, **metrics: float) -> bool:
        """Whether to stop now. One a step; of the processes of a distributed training the first alone is heard, all get its answer.

        TypeError for what is no number; NaN or an infinity ends the job, as `diverged`.
        """
        if self._inner is not None:
            return self._inner(step, **metrics)
        step, values = step_number(step), metric_values(metrics, finite=False)
        if REPORT not in os.environ:
            return False
        rank = _rank()
        if rank == 0 and values:
            _say(step, values)
        return _answer(step, rank)

    def progress(self, text: str, fraction: float | None = None) -> None:
        """For the eye of whoever watches. `fraction` 0..1."""
        if self._inner is not None:
            self._inner.progress(text, fraction)
        elif REPORT in os.environ and _rank() == 0:
            _send({"progress": str(text)[:200], "fraction": None if fraction is None else float(fraction)})

    def result(self, metrics: Mapping[str, object]) -> None:
        values = metric_values(metrics, "result", finite=False)
        if self._inner is not None:
            self.final.update(values)
        elif REPORT in os.environ and _rank() == 0:
            _say(None, values)

    @property
    def checkpoint_dir(self) -> Path:
        """A folder that survives retries of the job; without a run, `checkpoints` in the working directory. It exists."""
        if self._inner is not None:
            return self._inner.checkpoint_dir
        folder = Path(os.environ.get("AUTOML_CHECKPOINT_DIR", "checkpoints"))
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def seed(self) -> int:
        """Of the job; 0 without a run."""
        return int(os.environ.get("AUTOML_SEED", "0"))

    @property
    def fold(self) -> int | None:
        """The one of `folds` to validate on, from 0; None where the study has no `repeat { folds = ... }`."""
        return int(os.environ["AUTOML_FOLD"]) if "AUTOML_FOLD" in os.environ else None

    @property
    def folds(self) -> int:
        """0 where there are none."""
        return int(os.environ.get("AUTOML_FOLDS", "0"))

    def speak_through(self, inner: Report | None) -> None:
        """For a function in this process."""
        self._inner = inner
        self.final = {}


report = ScriptReport()


def result(**metrics: float) -> None:
    """The values that count in the end, as what a `Python` function returns. Without it, the best reported ones count."""
    report.result(metrics)


def params(defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The job's configuration as a nested dict, laid over `defaults`; parameters that are not active are absent from it."""
    path = os.environ.get(CONFIG)
    found = json.loads(Path(path).read_text(encoding="utf-8", errors="surrogatepass")) if path else {}
    return _over(defaults or {}, found)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        under = out.get(key)
        # A component is one thing: its arguments do not mix with another's.
        mixes = isinstance(value, dict) and isinstance(under, Mapping) and "_target_" not in value
        out[key] = _over(under, value) if mixes and isinstance(under, Mapping) else value
    return out


# -- the other side -------------------------------------------------------------------------------------------------------


def _rank() -> int:
    for name in ("RANK", "LOCAL_RANK"):
        if os.environ.get(name, "").isdecimal():
            return int(os.environ[name])
    return 0


def _say(step: int | None, values: Mapping[str, float]) -> None:
    for some in _split(values):
        if not _send({"step": step, "metrics": some}):
            words = [f"step={step}"] * (step is not None) + [f"{name}={value!r}" for name, value in some.items()]
            print("\nautoml:", *words, flush=True)


def _split(values: Mapping[str, float]) -> Iterator[dict[str, float]]:
    """Parts that fit into one write."""
    part: dict[str, float] = {}
    size = 0
    for name, value in values.items():
        more = len(json.dumps(name)) + 32
        if part and size + more > _PIPE_BUF - 100:
            yield part
            part, size = {}, 0
        part[name] = value
        size += more
    if part:
        yield part


def _send(message: Mapping[str, object]) -> bool:
    """False where nobody can be reached."""
    data = json.dumps(message).encode() + b"\n"
    try:
        fd = os.open(os.environ[REPORT], os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.write(fd, data) == len(data)
    except OSError:
        return False
    finally:
        os.close(fd)


def _answer(step: int, rank: int) -> bool:
    """Whether to stop. Rank 0 writes down at which step it was told so; the others wait for it to come to the same step, lest some
    go on and wait for ever for those that stopped."""
    try:
        fd = os.open(os.environ.get(STOP, ""), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if rank == 0:
            asked, last, told = _memory(fd)
            if asked and told == NEVER:
                told = step
            # In this order: who sees the step must see the answer.
            os.pwrite(fd, STOP_MEMORY.pack(0, 0, told)[16:], 16)
            os.pwrite(fd, STOP_MEMORY.pack(0, max(last, step), 0)[8:16], 8)
            return told != NEVER
        began: float | None = time.monotonic()
        while True:
            _, last, told = _memory(fd)
            if last >= step:
                return told <= step
            time.sleep(_POLL_S)
            if began is not None and time.monotonic() > began + _PATIENCE_S:
                began = None
                print(f"automl_run.report: rank {rank} waits for rank 0 to report step {step}, too", file=sys.stderr, flush=True)
    except (OSError, struct.error):
        return False
    finally:
        os.close(fd)


def _memory(fd: int) -> tuple[int, int, int]:
    asked, last, told = STOP_MEMORY.unpack(os.pread(fd, STOP_MEMORY.size, 0))
    return asked, last, told


if REPORT in os.environ:
    # From now on a stop is told by a report's answer first, and not at once by a signal.
    _send({"listens": True})
