"""What a launcher of several processes prints about them: its own exit code does not say how they ended."""

from __future__ import annotations

import re
import signal
from typing import Final

#: Lightning's, which then kills itself.
_LIGHTNING: Final = re.compile(r"Child process with PID \d+ terminated with code (-?\d+)\. Forcefully terminating")
_TORCHRUN: Final = re.compile(r"exitcode\s*:\s*(-?\d+)")


def first_to_fail(code: int, tail: str) -> int:
    """The exit code, or minus the signal, of the process that failed first; `code`, the command's own, where none is told of."""
    if code == -signal.SIGKILL and (found := _LIGHTNING.search(tail)):
        return int(found[1])
    if code > 0 and "ChildFailedError" in tail:
        # By SIGTERM torchrun ends what is left.
        return next((killed for killed in map(int, _TORCHRUN.findall(tail)) if killed < 0 and killed != -signal.SIGTERM), code)
    return code
