"""What the session and the host of user code say to each other: length-prefixed msgpack on a socket pair.

Every `ToHost` is answered by one `Done`, in order; whatever else the host says belongs to the message that it deals with. Both ends
are processes of one user and of one version of this code.
"""

from __future__ import annotations

import struct
from typing import Any, Final, TypeAlias

import msgspec

from automl_run.dsl.ir import Value

_HEADER: Final = struct.Struct(">I")


class _Message(msgspec.Struct, frozen=True, tag=True, tag_field="m"):
    pass


class Part(msgspec.Struct, frozen=True):
    """A class of the user's, `module.Class`, and its arguments."""

    path: str
    args: dict[str, Value] = {}


class Range(msgspec.Struct, frozen=True):
    """All floats from `lo` to `hi`."""

    lo: float
    hi: float


class Known(msgspec.Struct, frozen=True):
    """A recommendation of the run. `place`: (call, position) of an own controller's; None for one of a stock controller's."""

    index: int
    values: dict[str, int | float]
    place: tuple[int, int] | None = None


# -- to the host ----------------------------------------------------------------------------------------------------------


class Load(_Message, frozen=True):
    """Import and make everything. `folders`: where modules are sought first. `handlers`: number -> class."""

    folders: tuple[str, ...]
    controller: Part | None
    handlers: dict[int, Part]


class Determine(_Message, frozen=True):
    """The executor's determine_search_space. `choices`: the space of the configuration, which it finds in its context."""

    folders: tuple[str, ...]
    executor: Part
    choices: dict[str, list[list[Value]] | Range]


class Begin(_Message, frozen=True):
    """startup, start_automl, search_space_available; then the controller's set_search_space.

    `log`: where output goes from now on. `root`: the run's folder.
    """

    log: str
    root: str
    workers: int
    choices: dict[str, list[list[Value]] | Range]


class Call(_Message, frozen=True):
    """Call 0 is initial_recommendation, every other one refine_recommendation, about the recommendation of `place`.

    `stored`: what the run recorded of this very call before a restart, by position: it takes the place of what comes now.
    """

    number: int
    place: tuple[int, int] | None = None
    score: float | None = None
    stored: list[dict[str, int | float]] = []


class Recommended(_Message, frozen=True):
    """They are stored. `announce`: recommendations_available."""

    known: list[Known]
    announce: bool


class JobStarted(_Message, frozen=True):
    job: str
    index: int
    gpus: tuple[int, ...]
    folder: str
    concrete: dict[str, list[Value]]


class JobEnded(_Message, frozen=True):
    job: str
    score: float
    status: str
    exit_status: int | None


class RoundEnded(_Message, frozen=True):
    pass


class Finish(_Message, frozen=True):
    """end_automl, then shutdown of the controller and, the last one first, of the handlers."""


ToHost: TypeAlias = Load | Determine | Begin | Call | Recommended | JobStarted | JobEnded | RoundEnded | Finish

# -- from the host --------------------------------------------------------------------------------------------------------


class Calling(_Message, frozen=True):
    """User code is entered now. `handler`: its number, None for everything else."""

    what: str
    handler: int | None = None


class HandlerFailed(_Message, frozen=True):
    """It was left out from here on."""

    handler: int
    message: str


class Failed(_Message, frozen=True):
    """Loading, or the controller; the controller was left out from here on."""

    message: str


class Determined(_Message, frozen=True):
    """None: that of the configuration."""

    choices: dict[str, list[list[Value]] | Range] | None


class Told(_Message, frozen=True):
    """`ctx.exception_occurred`."""

    message: str


class Done(_Message, frozen=True):
    """`recommended`: of a call. `stop`: why `ctx.stop_work` was called, from that moment on."""

    recommended: list[dict[str, Any]] = []
    stop: str | None = None


FromHost: TypeAlias = Calling | HandlerFailed | Failed | Determined | Told | Done

_TO_HOST = msgspec.msgpack.Decoder(ToHost)
_FROM_HOST = msgspec.msgpack.Decoder(FromHost)


def encode(message: ToHost | FromHost) -> bytes:
    body = msgspec.msgpack.encode(message)
    return _HEADER.pack(len(body)) + body


class Stream:
    """Cuts bytes into messages; the kind is that of what this end hears."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def _body(self) -> bytes | None:
        if len(self._buffer) < _HEADER.size:
            return None
        (length,) = _HEADER.unpack_from(self._buffer)
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_HEADER.size : end])
        del self._buffer[:end]
        return body

    def next_to_host(self) -> ToHost | None:
        body = self._body()
        return None if body is None else _TO_HOST.decode(body)

    def next_from_host(self) -> FromHost | None:
        """ValueError (msgspec's) for what is no message."""
        body = self._body()
        return None if body is None else _FROM_HOST.decode(body)
