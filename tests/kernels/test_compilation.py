"""When kernels compile, and on how many threads they run."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from automl_run import kernels
from automl_run.kernels import threads


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout


def test_importing_compiles_nothing_and_needs_no_gpu_library_and_warming_up_compiles_all() -> None:
    counts = run(
        "import sys\n"
        "from automl_run import kernels\n"
        "print('cupy' in sys.modules)\n"
        "from automl_run.kernels.cpu import separable\n"
        "all_ = [separable.linear_rows, separable.nearest_rows]\n"
        "print([len(k.signatures) for k in all_])\n"
        "kernels.warm_up()\n"
        "before = [len(k.signatures) for k in all_]\n"
        "import torch\n"
        "kernels.Resize((5, 5, 5), mode='trilinear')(torch.zeros(1, 9, 9, 9))\n"
        "kernels.Resize((5, 5), mode='nearest')(torch.zeros(1, 9, 9, dtype=torch.uint8))\n"
        "print(before == [len(k.signatures) for k in all_] and min(before) > 0)\n"
    )
    assert counts.splitlines() == ["False", "[0, 0]", "True"]


def test_slabs_cover_the_range_once_and_the_caller_takes_part() -> None:
    before = torch.get_num_threads()
    seen: list[tuple[int, int]] = []
    callers: set[int] = set()

    def work(start: int, stop: int) -> None:
        seen.append((start, stop))
        callers.add(threading.get_ident())

    try:
        torch.set_num_threads(4)
        threads.run_in_slabs(work, 1001, 100)
    finally:
        torch.set_num_threads(before)
    assert sorted(seen) == [(0, 250), (250, 500), (500, 750), (750, 1001)]
    assert threading.get_ident() in callers


@pytest.mark.parametrize(("wanted", "ranges"), [(None, 4), (1, 1), (3, 3), (9, 4)])
def test_no_more_threads_than_asked_for_and_granted(monkeypatch: pytest.MonkeyPatch, wanted: int | None, ranges: int) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 4)
    seen: list[tuple[int, int]] = []
    threads.run_in_slabs(lambda start, stop: seen.append((start, stop)), 1000, 10, wanted)
    assert len(seen) == ranges


def test_small_work_stays_on_the_caller() -> None:
    seen: list[tuple[int, int]] = []
    threads.run_in_slabs(lambda start, stop: seen.append((start, stop)), 10, 100)
    assert seen == [(0, 10)]


def test_an_error_in_a_helper_reaches_the_caller() -> None:
    before = torch.get_num_threads()

    def work(start: int, stop: int) -> None:
        if start:
            raise ArithmeticError("in a helper")

    try:
        torch.set_num_threads(2)
        with pytest.raises(ArithmeticError, match="in a helper"):
            threads.run_in_slabs(work, 1000, 1)
    finally:
        torch.set_num_threads(before)


def test_two_callers_at_once() -> None:
    x = torch.arange(120_000, dtype=torch.float32).view(1, 40, 50, 60)
    resize = kernels.Resize((44, 55, 66), mode="trilinear")
    expected = resize(x)
    results: dict[int, bool] = {}

    def call(i: int) -> None:
        results[i] = all(torch.equal(resize(x), expected) for _ in range(3))

    callers = [threading.Thread(target=call, args=(i,)) for i in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert results == {0: True, 1: True, 2: True}


class _Volumes(Dataset):  # type: ignore[type-arg]
    """Resized volumes, and how many threads did it."""

    def __init__(self) -> None:
        self.resize = kernels.Resized("image", (60, 60, 60), mode="trilinear")

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict[str, Any]:
        resized = self.resize({"image": _volume(index)})["image"]
        return {"image": resized.as_tensor(), "threads": threads.thread_count()}


def _volume(index: int) -> torch.Tensor:
    return torch.rand((1, 40, 50, 60), generator=torch.Generator().manual_seed(index))


def test_forked_workers_survive_threads_in_the_parent() -> None:
    before = torch.get_num_threads()
    volumes = _Volumes()
    try:
        torch.set_num_threads(2)
        assert threads.thread_count() == 2
        expected = [volumes[index]["image"] for index in range(len(volumes))]
        batches = list(DataLoader(volumes, batch_size=2, num_workers=2, multiprocessing_context="fork", timeout=60))
    finally:
        torch.set_num_threads(before)
    assert [int(n) for batch in batches for n in batch["threads"]] == [1] * 6
    for image, reference in zip(torch.cat([batch["image"] for batch in batches]), expected, strict=True):
        assert torch.equal(image, reference)
