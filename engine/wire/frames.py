"""Frames: a u32 big-endian length, then one msgpack body.

msgpack unpacks with every size limited, then msgspec validates into the closed union of `messages`. msgspec alone could do both,
but it has no limits of its own against a body that is small on the wire and large in memory.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgpack
import msgspec

from automl_run.errors import WireError

from .messages import FromAgent, Message, ToAgent

HELLO_LIMIT: Final = 4 * 1024
LIMIT: Final = 1024 * 1024
_HEADER: Final = struct.Struct(">I")
_MAX_ITEMS: Final = 65_536


class FrameTooLarge(WireError):
    """The message to send exceeds `LIMIT`; the connection is still good."""


def encode(message: Message) -> bytes:
    """One frame. FrameTooLarge above `LIMIT`, WireError for values that msgpack cannot carry (an integer beyond 64 bits)."""
    try:
        body = msgspec.msgpack.encode(message)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WireError(f"{type(message).__name__} cannot be sent: {error}") from error
    if len(body) > LIMIT:
        raise FrameTooLarge(f"{type(message).__name__} has {len(body)} bytes; a message may have {LIMIT}")
    return _HEADER.pack(len(body)) + body


def decode_from_agent(body: bytes) -> FromAgent:
    """WireError and nothing else on anything that is not such a message."""
    return _decode(body, FromAgent)  # type: ignore[no-any-return]


def decode_to_agent(body: bytes) -> ToAgent:
    """WireError and nothing else on anything that is not such a message."""
    return _decode(body, ToAgent)  # type: ignore[no-any-return]


def _decode(body: bytes, kind: Any) -> Any:
    try:
        data = msgpack.unpackb(
            body,
            raw=False,
            strict_map_key=True,
            max_str_len=len(body),
            max_bin_len=len(body),
            max_array_len=_MAX_ITEMS,
            max_map_len=_MAX_ITEMS,
            max_ext_len=0,
        )
        return msgspec.convert(data, kind)
    # What hostile bytes were seen to raise: msgpack's own errors are ValueErrors, the rest comes from its C unpacker and msgspec.
    except (ValueError, TypeError, OverflowError, RecursionError, MemoryError, msgpack.UnpackException) as error:
        raise WireError(f"not a message: {type(error).__name__}: {error}") from error


class FrameReader:
    """Cuts a byte stream into bodies. `limit` is checked before a body is waited for; raise it once the peer is trusted."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> bytes | None:
        """The next whole body, or None until more bytes come. WireError on an impossible length; use the reader no more then."""
        if len(self._buffer) < _HEADER.size:
            return None
        (length,) = _HEADER.unpack_from(self._buffer)
        if length == 0 or length > self.limit:
            raise WireError(f"a frame of {length} bytes, where 1 to {self.limit} are allowed")
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_HEADER.size : end])
        del self._buffer[:end]
        return body

    @property
    def started(self) -> bool:
        """True while a frame has begun and is not complete."""
        return bool(self._buffer)
