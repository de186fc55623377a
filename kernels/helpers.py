"""Helper threads, kept off the core that their caller runs on.

A woken thread may be put on its waker's core although another one idles: on virtual machines whose cores share no cache in the
scheduler's eyes, two threads then took as long as one (a gamma over 128^3: 2.8 ms, and 1.4 when kept apart).
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

Work = Callable[[], None]


class Task:
    """Work given to a helper. A `Future` would do, but is made in the time that a small kernel takes."""

    __slots__ = ("_begun", "_latch", "_work", "done", "error")

    def __init__(self, work: Work) -> None:
        self._work: Work | None = work
        self.error: BaseException | None = None
        self.done = False
        self._begun = threading.Lock()
        self._latch = threading.Lock()
        self._latch.acquire()

    def run(self) -> None:
        """Does the work, unless somebody has begun it already."""
        if not self._begun.acquire(blocking=False):
            return
        try:
            if self._work is not None:
                self._work()
        except BaseException as error:
            self.error = error
        finally:
            self._work = None  # and what it holds on to
            self.done = True
            self._latch.release()

    def cancel(self) -> None:
        """It is not begun any more, if it was not yet."""
        if self._begun.acquire(blocking=False):
            self._work = None
            self.done = True
            self._latch.release()

    def wait(self) -> BaseException | None:
        """Until it is done; the error that it ended with."""
        with self._latch:
            return self.error


class Helper:
    """One daemon thread that carries out what it is given, in that order."""

    def __init__(self) -> None:
        self._given: SimpleQueue[Task] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="kernels", daemon=True)
        self._thread.start()
        self._off = -1
        #: how many pieces of work are not done yet
        self.load = 0

    def give(self, work: Work, core: int | None) -> Task:
        """Starts `work`. `core`: where the caller runs."""
        if core is not None and core != self._off:
            self._keep_off(core)
        task = Task(work)
        self.load += 1
        self._given.put(task)
        return task

    def _keep_off(self, core: int) -> None:
        allowed = os.sched_getaffinity(0) - {core}
        if allowed and self._thread.native_id is not None:
            with suppress(OSError):  # a thread that may not be moved stays where it is put
                os.sched_setaffinity(self._thread.native_id, allowed)
        self._off = core

    def _serve(self) -> None:
        while True:
            task = self._given.get()
            task.run()
            self.load -= 1
            del task


class Pool:
    """The process's helpers, started when first wanted. `place` tells where the caller runs."""

    def __init__(self, place: Callable[[], int | None] | None = None) -> None:
        self._lock = threading.Lock()
        self._helpers: list[Helper] = []
        self._place = place or current_core
        self.forked = False

    def forget_after_fork(self) -> None:
        """The lock may have been held, and the threads are gone: neither may be touched again."""
        self._lock, self._helpers, self.forked = threading.Lock(), [], True

    def give(self, works: list[Work]) -> list[Task]:
        """Each piece of work to a helper of its own, to the least busy ones."""
        with self._lock:
            while len(self._helpers) < len(works):
                self._helpers.append(Helper())
            free = sorted(self._helpers, key=lambda helper: helper.load)[: len(works)]
            core = self._place()
            return [helper.give(work, core) for helper, work in zip(free, works, strict=True)]


def _find_current_core() -> Callable[[], int] | None:
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:  # without releasing the GIL for so short a call
        return ctypes.PyDLL(None).sched_getcpu
    except (OSError, AttributeError):
        return None


_sched_getcpu = _find_current_core()


def current_core() -> int | None:
    """The number of the core that this thread runs on; None where the system does not tell or threads cannot be placed."""
    core = -1 if _sched_getcpu is None else _sched_getcpu()
    return core if core >= 0 else None
