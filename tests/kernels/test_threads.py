"""On how many threads kernels run, and where."""

from __future__ import annotations

import itertools
import os
import threading
from functools import partial
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from automl_run import kernels
from automl_run.kernels import helpers, threads


@pytest.mark.parametrize("total", [4, 5, 16, 1001, 123_456])
def test_slabs_cover_the_range_once_and_the_caller_takes_part(total: int) -> None:
    before = torch.get_num_threads()
    seen: list[tuple[int, int]] = []
    callers: set[int] = set()

    def work(start: int, stop: int) -> None:
        seen.append((start, stop))
        callers.add(threading.get_ident())

    try:
        torch.set_num_threads(4)
        threads.run_in_slabs(work, total, 1)
    finally:
        torch.set_num_threads(before)
    bounds = [start for start, _ in sorted(seen)] + [total]
    assert sorted(seen) == list(itertools.pairwise(bounds))
    assert bounds[0] == 0
    assert all(start < stop for start, stop in seen)
    assert threading.get_ident() in callers


def test_results_come_in_the_order_of_the_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 4)
    bounds = threads.run_in_slabs(lambda start, stop: (start, stop), 1000, 1)
    assert bounds == sorted(bounds)
    assert (bounds[0][0], bounds[-1][1]) == (0, 1000)
    assert threads.run_in_slabs(lambda start, stop: stop - start, 10, 100) == [10]


def test_whoever_is_free_takes_the_next_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper that is stuck in its first range costs nothing but that range."""
    monkeypatch.setattr(threads, "thread_count", lambda: 2)
    stuck, rest = threading.Event(), threading.Event()
    done: dict[int, int] = {}

    def work(start: int, stop: int) -> None:
        mine = threading.get_ident()
        if mine != caller and not stuck.is_set():
            stuck.set()
            rest.wait(60)
        elif mine == caller:
            stuck.wait(60)
        done[mine] = done.get(mine, 0) + stop - start
        if mine == caller and done[mine] >= 750:
            rest.set()

    caller = threading.get_ident()
    threads.run_in_slabs(work, 1000, 1)
    assert done[caller] == 750
    assert sum(done.values()) == 1000


@pytest.mark.parametrize(("wanted", "granted"), [(None, 4), (1, 1), (3, 3), (9, 4)])
def test_no_more_threads_than_asked_for_and_granted(monkeypatch: pytest.MonkeyPatch, wanted: int | None, granted: int) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 4)
    monkeypatch.setattr(threads, "_pool", helpers.Pool())
    together = threading.Barrier(granted)
    callers: set[int] = set()

    def work(start: int, stop: int) -> None:
        if threading.get_ident() not in callers:
            callers.add(threading.get_ident())
            together.wait(60)

    threads.run_in_slabs(work, 1000, 10, wanted)
    assert len(callers) == granted


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


needs_two_cores = pytest.mark.skipif(
    helpers.current_core() is None or len(os.sched_getaffinity(0)) < 2, reason="threads cannot be placed, or there is one core"
)


@needs_two_cores
def test_a_helper_keeps_off_the_core_that_it_is_told() -> None:
    cores = os.sched_getaffinity(0)
    given: list[set[int]] = []
    places = iter(sorted(cores)[:2])
    pool = helpers.Pool(lambda: next(places))
    for _ in range(2):
        for task in pool.give([lambda: given.append(os.sched_getaffinity(0))]):
            assert task.wait() is None
    assert given == [cores - {core} for core in sorted(cores)[:2]]
    assert os.sched_getaffinity(0) == cores, "the caller's own place is its own"


@needs_two_cores
def test_on_a_single_core_a_helper_stays_on_it() -> None:
    cores = os.sched_getaffinity(0)
    only = {helpers.current_core() or 0}
    given: list[set[int]] = []

    def call() -> None:
        os.sched_setaffinity(0, only)  # of this thread
        pool = helpers.Pool()
        pool.give([lambda: given.append(os.sched_getaffinity(0))])[0].wait()

    caller = threading.Thread(target=call)
    caller.start()
    caller.join()
    assert given == [only]
    assert os.sched_getaffinity(0) == cores


def test_work_goes_to_whoever_has_least() -> None:
    pool, gate = helpers.Pool(), threading.Event()

    def wait() -> None:
        gate.wait(60)

    blocked = pool.give([wait])
    blocked += pool.give([lambda: None, lambda: None])
    try:
        blocked[1].wait()  # or it would wait behind the first
    finally:
        gate.set()
    assert [task.wait() for task in blocked] == [None] * 3


def _until(gate: threading.Event) -> None:
    gate.wait(60)


def test_the_caller_takes_over_what_no_helper_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, callers = threading.Event(), []
    monkeypatch.setattr(threads, "thread_count", lambda: 2)
    monkeypatch.setattr(threads, "_pool", helpers.Pool())
    (busy,) = threads._pool.give([partial(_until, gate)])
    try:
        threads.run_in_slabs(lambda start, stop: callers.append((start, stop, threading.get_ident())), 10, 1)
    finally:
        gate.set()
    assert {thread for _, _, thread in callers} == {threading.get_ident()}
    assert sorted(voxel for start, stop, _ in callers for voxel in range(start, stop)) == list(range(10))
    assert busy.wait() is None


def test_after_an_error_of_the_caller_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, begun = threading.Event(), []
    monkeypatch.setattr(threads, "thread_count", lambda: 2)
    monkeypatch.setattr(threads, "_pool", helpers.Pool())
    threads._pool.give([partial(_until, gate)])

    def work(start: int, stop: int) -> None:
        begun.append(start)
        raise ArithmeticError("of the caller")

    try:
        with pytest.raises(ArithmeticError, match="of the caller"):
            threads.run_in_slabs(work, 10, 1)
    finally:
        gate.set()
    assert begun == [0]
