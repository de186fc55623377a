"""What a failed program said last, as one line that tells most."""

from __future__ import annotations

import re
from typing import Final

_MAX_QUOTE: Final = 300
_EXCEPTION: Final = re.compile(r"(?:\[rank\d+\]:\s*)?(?:\w+\.)*\w*(?:Error|Exception|Interrupt)(?::.*)?")
#: torchrun's own, after which it sums up that something failed, but not what.
_LAUNCHER: Final = "ChildFailedError"


def last_words(tail: str) -> str:
    """The last line that has words; of a launcher's report, the exception that it is about. "" if there is none."""
    lines = [line.strip() for line in tail.splitlines()]
    launcher = next((index for index, line in enumerate(lines) if _LAUNCHER in line), None)
    if launcher is not None:
        raised = [line for line in lines[:launcher] if _EXCEPTION.fullmatch(line)]
        if raised:
            return raised[-1][:_MAX_QUOTE]
    return next((line for line in reversed(lines) if any(map(str.isalnum, line))), "")[:_MAX_QUOTE]
