"""TensorBoard's event file: records that its readers take, with a text for each job."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_study import in_threads, lr_is_score, small_study

from automl_run.dsl import ir
from automl_run.engine.events import JobStarted
from automl_run.engine.report.tensorboard import FOLDER, EventFile, JobTexts, _checksum
from automl_run.engine.run import run_study


def records(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    while data:
        (length,) = struct.unpack_from("<Q", data)
        body = data[12 : 12 + length]
        assert data[8:12] == _checksum(data[:8])
        assert data[12 + length : 16 + length] == _checksum(body)
        yield body
        data = data[16 + length :]


def fields(data: bytes) -> dict[int, Any]:
    """A protocol buffer; of a repeated field the last one."""
    out: dict[int, Any] = {}
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = number()
        size = {1: 8, 5: 4}.get(key & 7)
        if key & 7 == 0:
            out[key >> 3] = number()
            continue
        size = number() if size is None else size
        out[key >> 3] = data[at : at + size]
        at += size
    return out


def values(folder: Path) -> list[tuple[str, int, Any]]:
    """(tag, step, text or number)."""
    found = []
    for path in sorted(folder.iterdir()):
        first, *rest = map(fields, records(path))
        assert first[3] == b"brain.Event:2"
        for event in rest:
            value = fields(fields(event[5])[1])
            content = fields(value[8])[8].decode() if 8 in value else struct.unpack("<f", value[2])[0]
            found.append((value[1].decode(), event[2], content))
    return found


def test_checksums_are_crc_32c() -> None:
    # RFC 3720, B.4: 32 bytes of zeros give 0x8a9136aa; masked as in TFRecord.
    crc = 0x8A9136AA
    assert _checksum(bytes(32)) == struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def test_texts_and_scalars(tmp_path: Path) -> None:
    file = EventFile(tmp_path / "x", 1000.5)
    file.text("W1_1_J1", "| é | " + "x" * 300, 3, 1001.0)
    file.scalar("dice", 0.5, 70_000, 1002.0)
    assert values(tmp_path / "x") == [("W1_1_J1/text_summary", 3, "| é | " + "x" * 300), ("dice", 70_000, 0.5)]


def test_a_run_with_claras_handler(tmp_path: Path) -> None:
    program = small_study(tmp_path, handlers=(ir.Spec("MMARStatsHandler"),), workers=(ir.Worker(),), budget=ir.Budget(trials=2))
    result = run_study(program, in_threads(lr_is_score))
    jobs = result.summary["jobs"]
    assert values(result.folder / FOLDER) == [
        line
        for job in jobs
        for line in (
            (
                f"{job['name']}/text_summary",
                job["index"],
                f"| parameter | value |\n|-|-|\n| train.lr | {job['params']['train.lr']} |",
            ),
            ("dice", job["index"], pytest.approx(job["score"], rel=1e-6)),
        )
    ]


def test_a_full_disk_ends_the_file_not_the_run(tmp_path: Path) -> None:
    texts = JobTexts(tmp_path, lambda: 1.0)
    (file,) = (tmp_path / FOLDER).iterdir()
    file.unlink()
    (tmp_path / FOLDER).rmdir()
    texts(JobStarted("W1_1_J1", 1, "W1", (), {"a": 1}, 1))
    JobTexts(tmp_path / "nowhere", lambda: 1.0)(JobStarted("W1_1_J1", 1, "W1", (), {"a": 1}, 1))
    assert not (tmp_path / FOLDER).exists()
