"""An agent's way to its scheduler: connecting, losing it, and seeking the next one for as long as it is worth while."""

from __future__ import annotations

import selectors
from collections.abc import Callable
from pathlib import Path
from typing import Final

from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.messages import FromAgent, Hello, ToAgent
from automl_run.errors import WireError

from .effects import Effects

_HANDSHAKE_S: Final = 10.0
_FIRST_RETRY_S: Final = 0.1
_MAX_RETRY_S: Final = 2.0
_BYE_S: Final = 2.0


class Uplink:
    """Says `hello()` whenever it has connected, hands every message to `obey`; what is sent before `welcomed` is dropped."""

    def __init__(
        self,
        run_dir: Path,
        orphan_time_s: float,
        effects: Effects,
        selector: selectors.BaseSelector,
        hello: Callable[[], Hello],
        obey: Callable[[ToAgent], None],
        say: Callable[[str], None],
    ) -> None:
        self._run_dir, self._orphan_time_s, self._effects, self._selector = run_dir, orphan_time_s, effects, selector
        self._hello, self._obey, self._say = hello, obey, say
        self._connection: Connection[ToAgent] | None = None
        self._welcome = False
        now = self._effects.clock()
        #: what happens next if nothing comes: a new try to connect, the end of a handshake, the end of seeking
        self._connect_at: float | None = now
        self._handshake_until: float | None = None
        self._orphan_at: float | None = now + orphan_time_s
        self._retry_s = _FIRST_RETRY_S

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def is_orphan(self, now: float) -> bool:
        """True when no scheduler was found for the orphan time."""
        return self._orphan_at is not None and now >= self._orphan_at

    def wait_s(self) -> float | None:
        """Until `tick` has something to do."""
        now = self._effects.clock()
        times = [self._connect_at, self._handshake_until, None if self.is_orphan(now) else self._orphan_at]
        known = [at for at in times if at is not None]
        return max(0.0, min(known) - now) if known else None

    def tick(self, now: float) -> None:
        if self._handshake_until is not None and now >= self._handshake_until:
            self._disconnect("the scheduler did not answer")
        if self._connect_at is not None and now >= self._connect_at:
            self._connect(now)

    def _connect(self, now: float) -> None:
        try:
            self._connection = self._effects.connect(self._run_dir)
        except WireError:
            self._connect_at = now + self._retry_s
            self._retry_s = min(2 * self._retry_s, _MAX_RETRY_S)
            return
        self._connect_at = None
        self._handshake_until = now + _HANDSHAKE_S
        self._selector.register(self._connection.fileno(), selectors.EVENT_READ, self._on_ready)
        self._connection.send(self._hello())

    def welcomed(self) -> None:
        self._welcome = True
        self._handshake_until = self._orphan_at = None
        self._retry_s = _FIRST_RETRY_S

    def _disconnect(self, reason: str) -> None:
        if self._connection is None:
            return
        self._say(reason)
        self._selector.unregister(self._connection.fileno())
        self._connection.close()
        self._connection = None
        now = self._effects.clock()
        if self._orphan_at is None:
            self._orphan_at = now + self._orphan_time_s
        self._welcome = False
        self._handshake_until = None
        self._connect_at = now + self._retry_s
        self._retry_s = min(2 * self._retry_s, _MAX_RETRY_S)

    def _on_ready(self, mask: int) -> None:
        connection = self._connection
        assert connection is not None
        if mask & selectors.EVENT_WRITE:
            connection.flush()
        try:
            for message in connection.receive():
                self._obey(message)
        except WireError as error:
            self._disconnect(f"the scheduler broke the protocol: {error}")
            return
        if connection.eof:
            self._disconnect("the scheduler is gone")

    def send(self, message: FromAgent) -> None:
        """What matters the sender keeps until it is acknowledged: without a scheduler nothing is sent."""
        if self._connection is not None and self._welcome:
            self._connection.send(message)

    def update(self) -> None:
        """To be called after each turn of the selector: notices a loss, and asks for the socket's room when it is needed."""
        connection = self._connection
        if connection is None:
            return
        if connection.eof:
            self._disconnect("the scheduler is gone")
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.wants_write else 0)
        if self._selector.get_key(connection.fileno()).events != events:
            self._selector.modify(connection.fileno(), events, self._on_ready)

    def close(self) -> None:
        """Sends what was queued, for a short while, and hangs up."""
        if self._connection is not None:
            self._effects.hang_up(self._connection, _BYE_S)
