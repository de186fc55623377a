"""What may be asked of a living run: one line of JSON, answered by one JSON document."""

from __future__ import annotations

from typing import Final

import msgspec

#: bytes of a request, its newline included
REQUEST_LIMIT: Final = 4096


class Request(msgspec.Struct, frozen=True, tag=True, tag_field="ask", forbid_unknown_fields=True):
    pass


class Show(Request, frozen=True):
    """The summary."""


class Suspend(Request, frozen=True):
    """No more jobs for `worker`; what runs there goes on."""

    worker: str


class ResumeWorker(Request, frozen=True):
    worker: str


class Abort(Request, frozen=True):
    """Ends one job, named by itself or by its worker, with what it has reached."""

    what: str


class Stop(Request, frozen=True):
    """The run pauses as after Ctrl-C; `now`: jobs are killed, not asked."""

    now: bool = False


AnyRequest = Show | Suspend | ResumeWorker | Abort | Stop


class Answer(msgspec.Struct, frozen=True):
    """`said`: for people. `refused`: nothing was done, and `said` tells why."""

    said: str
    refused: bool = False


_DECODER: Final[msgspec.json.Decoder[AnyRequest]] = msgspec.json.Decoder(AnyRequest)


def parse(line: bytes) -> AnyRequest | Answer:
    """The request, or what is wrong with it."""
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Answer(f"not a request: {error}", refused=True)
