"""What MMARStatsHandler writes: TensorBoard's event file, with a text for each job and its scores.

The format is fixed since 2015 and small: records with two checksums around protocol buffers, here made by hand, because the
package `tensorboard` is not among our dependencies and the scheduler imports nothing of torch.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from automl_run.dsl.ir import Value
from automl_run.engine import events
from automl_run.engine.events import Event

FOLDER: Final = "tensorboard"
_DT_STRING: Final = 7


class EventFile:
    """One event file. `at`: seconds since 1970. OSError as the file gives it."""

    def __init__(self, folder: Path, at: float) -> None:
        folder.mkdir(exist_ok=True)
        # A resume makes a file of its own: TensorBoard reads all of a folder.
        self._path = folder / f"events.out.tfevents.{int(at)}.{os.getpid()}"
        self._write(_double(1, at) + _bytes(3, b"brain.Event:2"))

    def text(self, tag: str, text: str, step: int, at: float) -> None:
        """Markdown."""
        metadata = _bytes(1, _bytes(1, b"text"))
        tensor = _varint(1, _DT_STRING) + _bytes(2, _bytes(2, _varint(1, 1))) + _bytes(8, text.encode())
        self._value(_bytes(1, f"{tag}/text_summary".encode()) + _bytes(9, metadata) + _bytes(8, tensor), step, at)

    def scalar(self, tag: str, value: float, step: int, at: float) -> None:
        self._value(_bytes(1, tag.encode()) + _key(2, 5) + struct.pack("<f", value), step, at)

    def _value(self, value: bytes, step: int, at: float) -> None:
        self._write(_double(1, at) + _varint(2, step) + _bytes(5, _bytes(1, value)))

    def _write(self, event: bytes) -> None:
        length = struct.pack("<Q", len(event))
        with self._path.open("ab") as file:
            file.write(length + _checksum(length) + event + _checksum(event))


class JobTexts:
    """An observer: the parameters of each job when it starts, the scores of each recommendation.

    A full disk ends it, not the run.
    """

    def __init__(self, run: Path, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._file: EventFile | None = None
        with contextlib.suppress(OSError):
            self._file = EventFile(run / FOLDER, clock())

    def __call__(self, event: Event) -> None:
        try:
            self._tell(event)
        except OSError:
            self._file = None

    def _tell(self, event: Event) -> None:
        if self._file is None:
            return
        match event:
            case events.JobStarted(job, index, _, _, params, 1):
                self._file.text(job, _table(params), index, self._clock())
            case events.JobEnded(repetition="") | events.RecommendationEnded():
                for name, score in event.scores.items():
                    self._file.scalar(name, score, event.index, self._clock())
            case _:
                pass


def _table(params: dict[str, Value]) -> str:
    rows = (f"| {path} | {json.dumps(value)} |" for path, value in params.items())
    return "\n".join(["| parameter | value |", "|-|-|", *rows])


# -- protocol buffers and checksums ---------------------------------------------------------------------------------------


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _key(field: int, kind: int) -> bytes:
    return _number(field << 3 | kind)


def _varint(field: int, value: int) -> bytes:
    return _key(field, 0) + _number(value)


def _double(field: int, value: float) -> bytes:
    return _key(field, 1) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, 2) + _number(len(value)) + value


def _crc_table() -> tuple[int, ...]:
    table = []
    for index in range(256):
        for _ in range(8):
            index = index >> 1 ^ (0x82F63B78 if index & 1 else 0)
        table.append(index)
    return tuple(table)


_CRC: Final = _crc_table()


def _checksum(data: bytes) -> bytes:
    """CRC-32C, masked as in TFRecord."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
