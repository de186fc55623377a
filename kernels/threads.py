"""Our own threads: kernels release the GIL, so plain Python threads scale and survive a fork.

As many threads as `torch.get_num_threads()` says; one in a DataLoader worker or any other forked child, where the parent's
threads do not exist and the cores belong to the siblings.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import torch
from torch.utils.data import get_worker_info

from .helpers import Pool, Task

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
    tasks: list[Task] = []
    try:
        tasks = _pool.give([partial(work, bounds[i], bounds[i + 1]) for i in range(1, slabs)])
        work(bounds[0], bounds[1])
        for task in tasks:
            # A helper may wait for a core on which another library's thread spins: who is done first takes its work over.
            task.run()
    finally:
        # Even after an error no helper may still be writing into the output.
        for task in tasks:
            task.cancel()
        errors = [task.wait() for task in tasks]
    for error in errors:
        if error is not None:
            raise error
