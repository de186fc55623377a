"""GPU locks: alone, shared, across processes; and which GPU is which."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from automl_run.engine.agent import gpu_locks
from automl_run.engine.agent.gpu_locks import acquire, gpu_ids, lock_names, release, share_numbers


@pytest.mark.parametrize(
    ("workers", "worker", "numbers"),
    [
        ([("W1", (0,)), ("W2", (1,))], "W1", (-1,)),
        ([("W1", (0,)), ("W2", (0,))], "W1", (0,)),
        ([("W1", (0,)), ("W2", (0,))], "W2", (1,)),
        ([("W1", (0, 1)), ("W2", (1,)), ("W3", (1,))], "W3", (2,)),
        ([("W1", (0, 1)), ("W2", (1,))], "W1", (-1, 0)),
        ([("W1", ())], "W1", ()),
    ],
)
def test_shares(workers: list[tuple[str, tuple[int, ...]]], worker: str, numbers: tuple[int, ...]) -> None:
    assert share_numbers(workers, worker) == numbers


def test_names() -> None:
    assert lock_names(("GPU-a", "gpu1"), ()) == ("GPU-a", "gpu1")
    assert lock_names(("GPU-a", "gpu1"), (-1, 2)) == ("GPU-a", "gpu1.2")
    assert lock_names((), ()) == ()


def test_one_attempt_a_gpu(tmp_path: Path) -> None:
    held = acquire(["a", "b"], tmp_path)
    assert held is not None
    assert acquire(["b", "c"], tmp_path) is None
    other = acquire(["c"], tmp_path)
    assert other is not None, "the lock on c was given back when b could not be had"
    release(held)
    release(other)
    again = acquire(["a", "b", "c"], tmp_path)
    assert again is not None
    release(again)


def test_shares_beside_each_other_and_never_beside_a_whole(tmp_path: Path) -> None:
    first, second = acquire(["a.0"], tmp_path), acquire(["a.1"], tmp_path)
    assert first is not None
    assert second is not None
    assert acquire(["a.1"], tmp_path) is None
    assert acquire(["a"], tmp_path) is None
    release(first)
    release(second)
    whole = acquire(["a"], tmp_path)
    assert whole is not None
    assert acquire(["a.0"], tmp_path) is None
    release(whole)


def test_a_child_that_inherits_a_lock_keeps_it(tmp_path: Path) -> None:
    held = acquire(["a"], tmp_path)
    assert held is not None
    end, other = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(other)
        os.read(end, 1)
        os._exit(0)
    release(held)
    assert acquire(["a"], tmp_path) is None
    os.close(end)
    os.close(other)
    os.waitpid(child, 0)
    again = acquire(["a"], tmp_path)
    assert again is not None
    release(again)


def test_other_users_can_open_a_lock_whatever_the_umask_was(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        held = acquire(["gpu0"], tmp_path)
    finally:
        os.umask(before)
    assert held is not None
    release(held)
    assert (tmp_path / "gpu0.lock").stat().st_mode & 0o777 == 0o666


def test_a_file_that_was_removed_meanwhile_is_made_again(tmp_path: Path) -> None:
    held = acquire(["a"], tmp_path)
    assert held is not None
    (tmp_path / "a.lock").unlink()
    again = acquire(["a"], tmp_path)
    assert again is not None
    release(held)
    assert acquire(["a"], tmp_path) is None
    release(again)


def test_a_place_that_cannot_be_used_is_replaced_by_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_locks, "private_root", lambda: tmp_path / "own")
    (tmp_path / "taken").write_text("a file")
    held = acquire(["a"], tmp_path / "taken")
    assert held is not None
    assert (tmp_path / "own" / "gpus" / "a.lock").exists()
    release(held)


def test_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_locks, "_uuids", lambda: ["GPU-11aa", "GPU-22bb"])
    assert gpu_ids("1,0") == ("GPU-22bb", "GPU-11aa")
    assert gpu_ids("GPU-22, MIG-7/1/0") == ("GPU-22bb", "MIG-7/1/0")
    assert gpu_ids("5") == ("gpu5",)
    assert gpu_ids("") == ()


def test_without_a_driver_the_index_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_locks, "_uuids", list)
    assert gpu_ids("0,3") == ("gpu0", "gpu3")
