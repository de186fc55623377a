"""What a failed program said last, as one line that tells most."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_MAX_QUOTE: Final = 300
_TRACEBACK: Final = "Traceback (most recent call last):"
_CAUSE: Final = "The above exception was the direct cause of the following exception:"
#: What stands at the end of a traceback; elsewhere a line counts as an exception only if its name says so.
_RAISED: Final = re.compile(r"(?:\w+\.)*\w+(?::.*)?")
_EXCEPTION: Final = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Interrupt)(?::.*)?")
_RANK: Final = re.compile(r"\[rank\d+\]: ?")
_PLACE: Final = re.compile(r'\s*File "(.+)", line (\d+)$')
#: torchrun's own, after which it sums up that something failed, but not what.
_LAUNCHER: Final = "ChildFailedError"
#: Lightning's last line when one of its processes failed.
_ENDS_ALL: Final = re.compile(r"Child process with PID \d+ terminated with code")
#: Of a process that another one's failure took down.
_SECOND_HAND: Final = re.compile(r"Connection (?:closed|reset) by peer|remote process exited|ncclRemoteError")
#: Below a reason of several lines some libraries say where there is more to read.
_ADVICE: Final = re.compile(r"Set the environment variable HYDRA_FULL_ERROR=1|Pass --helpshort or --helpfull")
_REASON_LINES: Final = 12


def last_words(tail: str) -> str:
    """The last line that has words, after the exception of the last traceback if there is one; "" if there is neither.

    Of a launcher's report, the exception that it is about.
    """
    lines = [line for line in tail.splitlines() if any(map(str.isalnum, _bare(line))) and not _ENDS_ALL.search(line)]
    if advised := bool(lines) and _ADVICE.match(lines[-1]) is not None:
        del lines[-1]
    last = lines[-1].strip() if lines else ""
    launcher = next((index for index, line in enumerate(lines) if _LAUNCHER in line), None)
    raised = _raised(lines[:launcher])
    if launcher is not None:
        named = [line.strip() for line in lines[:launcher] if _EXCEPTION.fullmatch(_bare(line).strip())]
        return (raised or (named[-1] if named else last))[:_MAX_QUOTE]
    if raised and last not in raised and _SECOND_HAND.search(last) is None:
        return f"{raised[:_MAX_QUOTE]} ... {last[:_MAX_QUOTE]}"
    if advised:
        last = " ".join(line.strip() for line in lines[-_REASON_LINES:])
    return (raised or f"{last}{_place(lines)}")[:_MAX_QUOTE]


def _raised(lines: Sequence[str]) -> str:
    """What the last traceback raised, and what that was raised from; "" without one."""
    first = newest = ""
    index = 0
    while index < len(lines):
        begins, index = _TRACEBACK in lines[index], index + 1
        if not begins:
            continue
        caused = bool(first) and index > 1 and lines[index - 2].endswith(_CAUSE)
        while index < len(lines) and _bare(lines[index])[:1].isspace():
            index += 1
        if index == len(lines) or not _RAISED.fullmatch(_bare(lines[index])):
            continue
        text = lines[index].strip() + _place(lines[: index + 1])
        index += 1
        # The rest of a message of several lines, as far as it can be told from what was printed after it.
        while index < len(lines) and (lines[index][:1].isspace() or text.endswith(":")):
            text += f" {lines[index].strip()}"
            index += 1
        if newest and _SECOND_HAND.search(text):
            continue
        first, newest = first if caused else text, text
    return newest if first == newest else f"{newest}: {first}"


def _bare(line: str) -> str:
    return _RANK.sub("", line, count=1)


def _place(lines: Sequence[str]) -> str:
    """Where the syntax is wrong: the exception alone does not say it."""
    if not lines or not re.match(r"(?:SyntaxError|IndentationError|TabError)\b", _bare(lines[-1]).strip()):
        return ""
    places = [found for line in lines[-5:] if (found := _PLACE.match(_bare(line)))]
    return f" ({places[-1][1]}, line {places[-1][2]})" if places else ""
