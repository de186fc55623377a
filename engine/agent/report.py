"""`report(step, dice=0.81)`: how training code says how it goes, and hears that it should stop."""

from __future__ import annotations

import contextlib
import math
import os
import select
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

from automl_run.engine.folds import Fold
from automl_run.engine.targets.metric_values import metric_values, step_number
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.messages import Ack, Metric, Pong, Progress, Stop, ToAgent
from automl_run.errors import JobError

#: Between two signs of life that are passed on.
_RELAY_S: Final = 1.0
#: So long a report waits for the word of a study that may be gone, and so often it looks whether it need not any more.
_WORD_S: Final = 5.0
_LOOK_S: Final = 0.2


class ChannelReport:
    """The report of a job process: a socket to its agent. Threads may share it; forked children should not use it.

    `channel` None: the job runs by hand, and what it reports is printed. `pulse`: an eventfd that is told of every sign of life.
    `heard` False: what is reported goes nowhere, and nobody asks to stop: the report of a further rank. `relayed`: a process
    between this one and the keeper passes signs of life on. `judged`: metrics that a pruner goes by: a report of one returns when
    the study has seen it, so that the answer is about this report, and the same each time.
    """

    def __init__(
        self,
        channel: Connection[ToAgent] | None,
        job: str,
        fence: int,
        checkpoint_dir: Path,
        pulse: int | None = None,
        seed: int = 0,
        fold: Fold | None = None,
        *,
        heard: bool = True,
        relayed: bool = False,
        judged: Collection[str] = (),
    ) -> None:
        self.checkpoint_dir = checkpoint_dir
        self.seed = seed
        self.fold = None if fold is None else fold.number
        self.folds = 0 if fold is None else fold.count
        #: True once the training code was told to stop.
        self.told_to_stop = False
        #: Set when a report could not be taken: the job has failed whatever its code makes of the exception.
        self.failure: JobError | None = None
        #: the names of all metrics so far
        self.names: set[str] = set()
        #: metric -> (least, greatest, last)
        self.reported: dict[str, tuple[float, float, float]] = {}
        self._channel = channel
        self._pulse = pulse
        self._heard = heard
        self._relayed = relayed
        self._relayed_at = -math.inf
        self._job, self._fence = job, fence
        self._stop = False
        self._reading = False
        self._judged = frozenset(judged)
        #: how many reports were sent, how many of them the study has seen, and whether it is worth while to wait for it
        self._sent = self._seen = 0
        self._patient = True
        self._lock = threading.RLock()

    def __call__(self, step: int, **metrics: float) -> bool:
        """True: stop now. TypeError for a step or a value of the wrong type; JobError `diverged` for NaN and infinities."""
        step = step_number(step)
        try:
            values = metric_values(metrics)
        except JobError as error:
            self.failure = error
            raise
        with self._lock:
            self.beat()
            self.names.update(values)
            for name, value in values.items():
                least, greatest, _ = self.reported.get(name, (value, value, value))
                self.reported[name] = min(least, value), max(greatest, value), value
            if values:
                self._send(Metric(self._job, self._fence, 0, step, values))
                self._sent += 1
            self._receive()
            if not self._judged.isdisjoint(values):
                self._await_word()
            self.told_to_stop |= self._stop
            return self._stop

    def progress(self, text: str, fraction: float | None = None) -> None:
        """For the eye only. `fraction` 0..1."""
        if fraction is not None and not math.isfinite(fraction):
            fraction = None
        with self._lock:
            self.beat()
            self._send(Progress(self._job, self._fence, text[:200], fraction))

    def ask_to_stop(self) -> None:
        """As if the scheduler had asked: the next report returns True."""
        self._stop = True

    @property
    def stop_asked(self) -> bool:
        """Whether the job should stop, asked without a report; who hears True must obey."""
        with self._lock:
            self._receive()
            self.told_to_stop |= self._stop
            return self._stop

    def fileno(self) -> int:
        """Becomes readable when `stop_asked` may have changed; -1 for a job that runs by hand."""
        return -1 if self._channel is None or self._channel.eof else self._channel.fileno()

    def beat(self) -> None:
        """A sign of life."""
        if self._relayed and time.monotonic() >= self._relayed_at + _RELAY_S:
            self._relayed_at = time.monotonic()
            self._send(Pong(0))
        if self._pulse is not None:
            with contextlib.suppress(OSError):  # the counter is full: the keeper has not looked for 2**64 reports
                os.eventfd_write(self._pulse, 1)

    def _send(self, message: Metric | Progress | Pong) -> None:
        if not self._heard:
            return
        if self._channel is None:
            self._show(message)
            return
        self._channel.send(message)
        # A report waits until the agent has room for it: nothing is dropped, and the agent never holds the job up for long.
        while self._channel.wants_write and not self._channel.eof:
            poll = select.poll()
            poll.register(self._channel.fileno(), select.POLLOUT)
            poll.poll()
            self._channel.flush()

    @staticmethod
    def _show(message: Metric | Progress | Pong) -> None:
        match message:
            case Metric(step=step, values=values):
                print(f"step {step}: {', '.join(f'{name} = {value}' for name, value in values.items())}", flush=True)
            case Progress(text=text):
                print(text, flush=True)
            case Pong():
                pass

    def _await_word(self) -> None:
        """Until the study has seen the newest report, or the job is to stop. One that did not answer is not waited for again."""
        until = time.monotonic() + (_WORD_S if self._patient else 0.0)
        while self._channel is not None and not self._channel.eof and not self._stop and self._seen < self._sent:
            left = until - time.monotonic()
            if left <= 0:
                self._patient = False
                return
            poll = select.poll()
            poll.register(self._channel.fileno(), select.POLLIN)
            poll.poll(1000 * min(left, _LOOK_S))
            self._receive()

    def _receive(self) -> None:
        # A signal's handler asks in the middle of whatever this thread does: two reads in each other would mix up what they read.
        if self._reading or self._channel is None or self._channel.eof:
            return
        self._reading = True
        try:
            for message in self._channel.receive():
                match message:
                    case Stop():
                        self._stop = True
                    case Ack(seq=seq):
                        self._seen, self._patient = max(self._seen, seq), True
                    case _:
                        pass
        finally:
            self._reading = False
