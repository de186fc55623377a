"""Virtual time, and the actors that live in it: one of them takes a turn at a time, so a seed decides everything.

Nothing here knows the engine. An actor's blocking call runs the others until it is over (`World.run`), which is why an actor that
waits is `busy`.
"""

from __future__ import annotations

import heapq
import itertools
import random
import selectors
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

#: Descriptors of the simulation: numbers that no real process has.
_FIRST_FD = 1 << 28
#: Far more than any run needs.
_MAX_TURNS = 20_000


class Killed(BaseException):
    """SIGKILL, for the actor whose turn it is."""


class Livelock(Exception):
    """Somebody takes turns without end."""


class Pollable(Protocol):
    def readable(self) -> bool: ...
    def writable(self) -> bool: ...


class Actor(ABC):
    """A process. `turn` is called when something is ready or `wake_at` has come."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.alive = True
        self.busy = False
        self.paused_until = 0.0
        self.selectors: list[SimSelector] = []

    @abstractmethod
    def turn(self) -> None: ...

    @abstractmethod
    def wake_at(self) -> float | None: ...

    def ready(self) -> bool:
        if not self.alive or self.busy or self.paused_until > self.world.now:
            return False
        wake_at = self.wake_at()
        return (wake_at is not None and wake_at <= self.world.now) or any(selector.ready() for selector in self.selectors)

    def next_time(self) -> float | None:
        """When to look again if nothing else happens."""
        if not self.alive or self.busy:
            return None
        if self.paused_until > self.world.now:
            return self.paused_until
        return self.wake_at()


class World:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 1_000_000.0
        self.actors: list[Actor] = []
        self.pollables: dict[int, Pollable] = {}
        #: what happened, in plain values, for the oracle
        self.events: list[dict[str, Any]] = []
        #: how often each kind of fault was injected
        self.faults: Counter[str] = Counter()
        self.turns = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._fds = itertools.count(_FIRST_FD)

    def record(self, event: str, **more: Any) -> None:
        self.events.append({"e": event, "at": self.now, **more})

    def new_fd(self, pollable: Pollable) -> int:
        fd = next(self._fds)
        self.pollables[fd] = pollable
        return fd

    def after(self, delay_s: float, then: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (self.now + delay_s, next(self._numbers), then))

    def chance(self, p: float) -> bool:
        return p > 0 and self.random.random() < p

    def run(self, until: Callable[[], bool], deadline: float) -> bool:
        """Lets everybody act until `until()`; False when the deadline came first."""
        while not until():
            if self.turns >= _MAX_TURNS:
                raise Livelock(f"{self.turns} turns")
            ready = [actor for actor in self.actors if actor.ready()]
            if ready:
                self._take_turn(self.random.choice(ready))
                continue
            times = [self._heap[0][0]] if self._heap else []
            times += [at for actor in self.actors if (at := actor.next_time()) is not None]
            following = max(min(times, default=deadline), self.now)
            if following >= deadline:
                self.now = max(self.now, deadline)
                return until()
            self.now = following
            while self._heap and self._heap[0][0] <= self.now:
                heapq.heappop(self._heap)[2]()
        return True

    def _take_turn(self, actor: Actor) -> None:
        self.turns += 1
        # A turn takes time, too: no loop of turns can stand still for ever.
        self.now += 1e-4
        actor.busy = True
        try:
            actor.turn()
        finally:
            actor.busy = False
        if not actor.alive:
            self.actors.remove(actor)


class SimSelector(selectors.BaseSelector):
    """A selector that never waits: its actor gets a turn when there is something."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        if fd in self._keys:
            raise KeyError(f"{fd} is registered already")
        if fd not in self._world.pollables:
            raise ValueError(f"{fd} is closed")
        key = self._keys[fd] = selectors.SelectorKey(fileobj, fd, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys[fileobj if isinstance(fileobj, int) else fileobj.fileno()]

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def _mask(self, key: selectors.SelectorKey) -> int:
        pollable = self._world.pollables.get(key.fd)
        if pollable is None:
            return 0
        mask = selectors.EVENT_READ if key.events & selectors.EVENT_READ and pollable.readable() else 0
        return mask | (selectors.EVENT_WRITE if key.events & selectors.EVENT_WRITE and pollable.writable() else 0)

    def ready(self) -> bool:
        return any(self._mask(key) for key in self._keys.values())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = [(key, mask) for key in self._keys.values() if (mask := self._mask(key))]
        self._world.random.shuffle(found)
        return found

    def close(self) -> None:
        self._keys.clear()


class Flag:
    """Something that becomes readable once, as a pidfd does."""

    def __init__(self, world: World) -> None:
        self.set = False
        self._world = world
        self.fd = world.new_fd(self)

    def readable(self) -> bool:
        return self.set

    def writable(self) -> bool:
        return False

    def close(self) -> None:
        self._world.pollables.pop(self.fd, None)
