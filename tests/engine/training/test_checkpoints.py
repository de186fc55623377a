"""Checkpoint files: whole or absent, few, this job's own."""

from __future__ import annotations

import errno
import logging
import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from automl_run.engine.targets.failures import cause_of_exception
from automl_run.engine.targets.training.checkpoints import Checkpoints, save_whole
from automl_run.engine.targets.training.state import plain

CPU = torch.device("cpu")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def written(folder: Path, count: int, identity: str = "job") -> Checkpoints:
    store = Checkpoints(folder, identity)
    for iteration in range(1, count + 1):
        store.write(iteration, {"value": iteration, "tensor": torch.full((1000,), float(iteration))}, None)
    return store


def test_the_newest_two_are_kept_and_the_best_that_they_name(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, "job")
    first = store.write_best(1, {"model": {}})
    store.write(1, {}, first)
    store.write(2, {}, first)
    assert names(tmp_path) == ["best_000000001.pt", "step_000000001.pt", "step_000000002.pt"]
    again = Checkpoints(tmp_path, "job")  # of another attempt
    again.go_on_from(tmp_path / "step_000000002.pt", first)
    third = again.write_best(3, {"model": {}})
    again.write(3, {}, third)
    assert names(tmp_path) == ["best_000000001.pt", "best_000000003.pt", "step_000000002.pt", "step_000000003.pt"]
    again.write(4, {}, third)
    assert names(tmp_path) == ["best_000000003.pt", "step_000000003.pt", "step_000000004.pt"]


def damaged_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def foreign(path: Path, identity: str, best: str | None) -> None:
    Checkpoints(path.parent / "other", identity).write(2, {}, best).replace(path)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-700]), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (damaged_byte, "damaged|cannot be read"),
        (lambda path: torch.save({"model": 1}, path), "no checkpoint of this version"),
        (lambda path: torch.save([1, 2], path), "no checkpoint of this version"),
        (lambda path: torch.save({"format": Path}, path), "cannot be read"),
        (lambda path: foreign(path, "another job", None), "another job"),
        (lambda path: foreign(path, "job", "best_000000009.pt"), "best_000000009.pt, are not there"),
    ],
)
def test_a_damaged_or_foreign_one_is_skipped(tmp_path: Path, caplog: Any, damage: Any, reason: str) -> None:
    store = written(tmp_path, 2)
    damage(tmp_path / "step_000000002.pt")
    with caplog.at_level(logging.WARNING):
        found = [state["value"] for _, state in store.usable(CPU)]
    assert found == [1]
    (record,) = caplog.records
    assert "step_000000002.pt is not used" in record.getMessage()
    assert re.search(reason, record.getMessage())


def test_other_files_are_left_alone_and_an_unfinished_one_is_removed(tmp_path: Path) -> None:
    (tmp_path / "mine.pt").touch()
    (tmp_path / ".writing.step_000000001.pt").touch()
    assert [path.name for path, _ in written(tmp_path, 1).usable(CPU)] == ["step_000000001.pt"]
    assert names(tmp_path) == ["mine.pt", "step_000000001.pt"]
    assert list(Checkpoints(tmp_path / "nowhere", "job").usable(CPU)) == []


def test_a_full_disk_is_its_own_cause_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, 1)
    before = (tmp_path / "step_000000001.pt").read_bytes()

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as caught:
        save_whole(tmp_path / "step_000000001.pt", {"value": 2})
    assert cause_of_exception(caught.value)[0] == "disk_full"
    assert (tmp_path / "step_000000001.pt").read_bytes() == before
    assert names(tmp_path) == ["step_000000001.pt"]


def test_a_disk_that_is_full_while_tensors_are_written(tmp_path: Path) -> None:
    """/dev/full refuses every write; torch wraps the error of its file."""
    (tmp_path / ".writing.big.pt").symlink_to("/dev/full")
    with pytest.raises((OSError, RuntimeError)) as caught:
        save_whole(tmp_path / "big.pt", {"value": torch.zeros(1_000_000)})
    assert cause_of_exception(caught.value)[0] == "disk_full"
    assert names(tmp_path) == []


def test_only_data_is_stored() -> None:
    import numpy as np

    state = plain({"a": np.float64(0.5), "b": [np.int64(2), (1, None)], "c": np.arange(3), 4: float("inf")})
    assert type(state["a"]) is float
    assert state["b"] == [2, (1, None)]
    assert torch.equal(state["c"], torch.arange(3))
    for other in (object(), lambda: 0, {"x": {Path()}}):
        with pytest.raises(TypeError, match="it holds a"):
            plain(other)


def test_a_training_that_began_anew_keeps_its_own_and_not_the_later_ones_of_another(tmp_path: Path) -> None:
    written(tmp_path, 40, "another network's")
    store = Checkpoints(tmp_path, "job")
    assert list(store.usable(CPU)) == []
    store.write(1, {"value": 1}, None)
    assert names(tmp_path) == ["step_000000001.pt"]
    (found,) = Checkpoints(tmp_path, "job").usable(CPU)
    assert found[1]["value"] == 1


def test_the_one_that_was_gone_on_from_stays_the_second(tmp_path: Path) -> None:
    store = written(tmp_path, 1)
    first = store.write_best(2, {"model": {}})
    store.write(2, {}, first)
    damaged_byte(store.write(3, {}, first))
    again = Checkpoints(tmp_path, "job")
    again.go_on_from(tmp_path / "step_000000002.pt", first)
    again.write(3, {}, None)
    assert names(tmp_path) == ["best_000000002.pt", "step_000000002.pt", "step_000000003.pt"]
