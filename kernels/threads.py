"""Our own threads: kernels release the GIL, so plain Python threads scale and survive a fork.

As many threads as `torch.get_num_threads()` says; one in a DataLoader worker or any other forked child, where the parent's
threads do not exist and the cores belong to the siblings.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch.utils.data import get_worker_info


class _Pool:
    """The process's helper threads, started at the first parallel call and replaced only to grow."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.executor: ThreadPoolExecutor | None = None
        self.size = 0
        self.forked = False

    def helpers(self, count: int) -> ThreadPoolExecutor:
        with self.lock:
            if self.executor is None or self.size < count:
                # A smaller pool is only dropped: another caller may be about to use it, and its threads end with it.
                self.executor, self.size = ThreadPoolExecutor(count, thread_name_prefix="kernels"), count
            return self.executor

    def forget_after_fork(self) -> None:
        # The lock may have been held, and the threads are gone: neither may be touched again.
        self.lock, self.executor, self.size, self.forked = threading.Lock(), None, 0, True


_pool = _Pool()
os.register_at_fork(after_in_child=_pool.forget_after_fork)


def thread_count() -> int:
    """How many threads a kernel may use when called here and now."""
    if _pool.forked or get_worker_info() is not None:
        return 1
    return max(1, torch.get_num_threads())


def start_beside(work: Callable[[], None]) -> Future[None] | None:
    """`work` on a helper thread as soon as one is free, or None where only the caller may work."""
    return None if thread_count() == 1 else _pool.helpers(1).submit(work)


def run_in_slabs(work: Callable[[int, int], None], total: int, smallest: int, threads: int | None = None) -> None:
    """Call `work(start, stop)` over disjoint ranges that cover 0..total; the caller works beside its helpers.

    No range is shorter than `smallest` unless it is the only one, and at most `threads` ranges are made, if given: with 1 the
    caller alone works. Returns when all are done; the first error is raised.
    """
    allowed = thread_count()
    slabs = min(allowed if threads is None else threads, allowed, total // max(1, smallest))
    if slabs <= 1:
        work(0, total)
        return
    bounds = [total * i // slabs for i in range(slabs + 1)]
    futures = []
    try:
        executor = _pool.helpers(slabs - 1)
        futures = [executor.submit(work, bounds[i], bounds[i + 1]) for i in range(1, slabs)]
        work(bounds[0], bounds[1])
    finally:
        # Even after an error no helper may still be writing into the output.
        errors = [future.exception() for future in futures]
    for error in errors:
        if error is not None:
            raise error
