"""Ignite's engines as they start: a bundle may make them anywhere, so they are met when they run, whatever made them.

Building them beforehand, to attach handlers, would draw random numbers in another order than MONAI alone does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from ignite.engine import Engine

#: Called before an engine runs for the first time, with the engine and the one inside whose run that happens, if any. What it
#: returns is called in place of the run, and may run the engine.
Meet = Callable[[Any, Any], Callable[[], None] | None]


@contextlib.contextmanager
def met(meet: Meet) -> Iterator[None]:
    """Within the context, `meet` is called for every engine of this process."""
    original = Engine.run
    running: list[Any] = []
    known: dict[int, Any] = {}  # the engines, too, so that no id is used twice

    def run(engine: Any, *args: Any, **kwargs: Any) -> Any:
        if id(engine) not in known:
            known[id(engine)] = engine
            instead = meet(engine, running[-1] if running else None)
            if instead is not None:
                instead()
                return engine.state
        running.append(engine)
        try:
            return original(engine, *args, **kwargs)
        finally:
            running.pop()

    Engine.run = run
    try:
        yield
    finally:
        Engine.run = original
