"""The agents of a run as the scheduler's shell sees them: processes that start, connect, are cut off, and die."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from automl_run.dsl.ir import Worker

from .core import inputs as on
from .core.inputs import Input
from .launchers.base import AgentProcess, Launcher

#: An agent that never connected is started again this often.
STARTS: Final = 3
#: For an agent's start, Python and imports included.
CONNECT_S: Final = 60.0
#: For an agent that was cut off to connect again.
RECONNECT_S: Final = 5.0


@dataclass(slots=True)
class _Slot:
    process: AgentProcess | None = None
    connected: bool = False
    #: starts since it last connected
    starts: int = 0
    #: when it must have connected
    connect_by: float = 0.0


class Agents:
    """One slot a worker. `watch` and `unwatch` put a process's fd into the selector and take it out."""

    def __init__(self, launcher: Launcher, watch: Callable[[int, str], None], unwatch: Callable[[int], None]) -> None:
        self._launcher = launcher
        self._watch = watch
        self._unwatch = unwatch
        self._slots: dict[str, _Slot] = {}

    def adopt(self, workers: Mapping[str, Worker], now: float) -> frozenset[str]:
        """Takes over what outlived an earlier scheduler; the rest of it is ended. Returns the workers that live."""
        for worker, spec in workers.items():
            process = self._launcher.adopt(worker, spec)
            if process is not None:
                self._slots[worker] = _Slot(process, connect_by=now + RECONNECT_S)
                self._watch(process.fd, worker)
        adopted = frozenset(self._slots)
        self._launcher.end_survivors(adopted)
        return adopted

    def start(self, worker: str, spec: Worker, now: float) -> Input | None:
        """Starts the agent unless it lives; an input if that is hopeless."""
        slot = self._slots.setdefault(worker, _Slot())
        if slot.process is not None:
            return None
        slot.starts += 1
        slot.connect_by = now + CONNECT_S
        try:
            slot.process = self._launcher.start(worker, spec)
        except OSError as error:
            return on.AgentBroken(worker, f"the agent of {worker} cannot be started: {error}")
        self._watch(slot.process.fd, worker)
        return None

    def on_connected(self, worker: str) -> None:
        slot = self._slots[worker]
        slot.connected, slot.starts = True, 0

    def on_cut(self, worker: str, now: float) -> None:
        slot = self._slots[worker]
        slot.connected, slot.connect_by = False, now + RECONNECT_S

    def on_process_event(self, worker: str) -> Input | None:
        """What the end of a process means."""
        slot = self._slots[worker]
        process = slot.process
        code = process.ended() if process is not None else None
        if process is None or code is None:
            return None
        self._unwatch(process.fd)
        process.close()
        slot.process, slot.connected = None, False
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        reason = f"the agent of {worker} ended with {how}"
        if slot.starts >= STARTS:
            tail = self._launcher.log_tail(worker)
            return on.AgentBroken(worker, f"{reason}, {STARTS} times before it connected{': ' + tail if tail else ''}")
        return on.AgentLost(worker, reason)

    def check_deadlines(self, now: float) -> None:
        """Kills agents that neither connect nor end; their end is then an event."""
        for slot in self._slots.values():
            if slot.process is not None and not slot.connected and now > slot.connect_by:
                slot.connect_by = now + CONNECT_S
                slot.process.signal(9)

    @property
    def alive(self) -> list[str]:
        return [worker for worker, slot in self._slots.items() if slot.process is not None]

    def signal(self, number: int, *, connected: bool = True) -> None:
        """To all, or only to those that no message reaches."""
        for slot in self._slots.values():
            if slot.process is not None and (connected or not slot.connected):
                slot.process.signal(number)

    def reap(self, timeout_s: float, clock: Callable[[], float]) -> None:
        """Waits for all to end, without reading their messages any more."""
        until = clock() + timeout_s
        for slot in self._slots.values():
            if slot.process is not None and slot.process.wait(max(0.0, until - clock())):
                self._unwatch(slot.process.fd)
                slot.process.close()
                slot.process = None
