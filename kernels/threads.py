"""Our own threads: kernels release the GIL, so plain Python threads scale and survive a fork.

As many threads as `torch.get_num_threads()` says; one in a DataLoader worker or any other forked child, where the parent's
threads do not exist and the cores belong to the siblings.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import torch
from torch.utils.data import get_worker_info

from .helpers import Pool, Task

R = TypeVar("R")

_pool = Pool()
os.register_at_fork(after_in_child=_pool.forget_after_fork)


def thread_count() -> int:
    """How many threads a kernel may use when called here and now."""
    if _pool.forked or get_worker_info() is not None:
        return 1
    return max(1, torch.get_num_threads())


def start_beside(work: Callable[[], None]) -> Task | None:
    """`work` on a helper thread as soon as one is free, or None where only the caller may work."""
    return None if thread_count() == 1 else _pool.give([work])[0]


def run_in_slabs(work: Callable[[int, int], R], total: int, smallest: int, threads: int | None = None) -> list[R]:
    """Call `work(start, stop)` over disjoint ranges that cover 0..total; the caller works beside its helpers. What the calls
    returned comes in the order of the ranges, whoever made them.

    A thread is woken for no less than `smallest`, and at most `threads` work, if given: with 1 the caller alone, in one range.
    Otherwise ranges are handed out to whoever is free: a core that slept takes part late and slowly, and on a virtual machine
    the time that it loses is that of a small kernel. Returns when all are done; the first error is raised, and what was not
    begun by then is left out.
    """
    allowed = thread_count()
    workers = min(allowed if threads is None else threads, allowed, total // max(1, smallest))
    if workers <= 1:
        return [work(0, total)]
    left = _ranges(total, workers)
    results: dict[int, R] = {}

    def take_part() -> None:
        while left:
            try:
                start, stop = left.pop()
            except IndexError:  # another thread took the last one
                return
            try:
                results[start] = work(start, stop)
            except BaseException:
                left.clear()
                raise

    tasks: list[Task] = []
    try:
        tasks = _pool.give([take_part] * (workers - 1))
        take_part()
    finally:
        # Even after an error no helper may still be writing into the output.
        for task in tasks:
            task.cancel()
        errors = [task.wait() for task in tasks]
    for error in errors:
        if error is not None:
            raise error
    return [results[start] for start in sorted(results)]


def _ranges(total: int, workers: int) -> list[tuple[int, int]]:
    """One range for each worker of the first half of 0..total, two of the second; the last comes first, to be popped."""
    marks = (*range(0, 2 * workers, 2), *range(2 * workers, 4 * workers + 1))
    bounds = [total * mark // (4 * workers) for mark in marks]
    return [(start, stop) for start, stop in pairwise(bounds) if start < stop][::-1]
