"""Output that may have to wait, beside what must not: a terminal that is held, a pipe that nobody reads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Generic, TypeVar

T = TypeVar("T")

#: What waits to be taken; beyond that, the oldest is lost.
DEPTH: Final = 10_000
#: How long the end waits for what is not taken yet.
_CLOSE_S: Final = 2.0


class Aside(Generic[T]):
    """Calls `take` in a thread of its own, in order, and never waits for it. What it raised is raised by the next call.

    A context: at its end everything is taken, or is lost if that takes long.
    """

    def __init__(self, take: Callable[[T], None], depth: int = DEPTH) -> None:
        self._take = take
        self._waiting: deque[T] = deque(maxlen=depth)
        self._news = threading.Condition()
        self._closed = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="aside", daemon=True)
        self._thread.start()

    def __call__(self, item: T) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        with self._news:
            self._waiting.append(item)
            self._news.notify()

    def __enter__(self) -> Aside[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self, timeout_s: float = _CLOSE_S) -> None:
        with self._news:
            self._closed = True
            self._news.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                item = self._waiting.popleft()
            try:
                self._take(item)
            except Exception as error:
                self._error = error
