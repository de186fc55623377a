"""Real `Agent`s as actors, and the launcher that starts them."""

from __future__ import annotations

import signal
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from automl_run.dsl.ir import Value, Worker
from automl_run.engine.agent.agent import Agent, Settings
from automl_run.engine.agent.effects import Effects
from automl_run.engine.agent.folders import JobSpec
from automl_run.engine.agent.orders import Graces, Kept
from automl_run.engine.agent.outcome import Outcome
from automl_run.engine.agent.processes import ChildSignals
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.frames import decode_to_agent
from automl_run.engine.wire.messages import ToAgent
from automl_run.errors import WireError

from .jobs import SimKeeper, SimKept
from .network import SimSocket, as_socket, pair
from .world import Actor, Flag, Killed, SimSelector

if TYPE_CHECKING:
    from .site import Site

RUN_DIR = Path("/simulated")


class SimSignals(ChildSignals):
    def __init__(self, flag: Flag) -> None:
        self._flag = flag
        self.fd = flag.fd
        self.received = []

    def clear(self) -> None:
        self._flag.set = False

    def deliver(self, number: int) -> None:
        self.received.append(number)
        self._flag.set = True


class QuietAgent(Agent):
    def _say(self, text: str) -> None:
        pass


class AgentActor(Actor):
    def __init__(self, site: Site, worker: str, spec: Worker) -> None:
        super().__init__(site.world, f"agent {worker}")
        self.site, self.worker, self.spec = site, worker, spec
        self.pid = site.new_pid()
        self.code: int | None = None
        self.handles: list[SimProcess] = []
        self.sockets: list[SimSocket] = []
        self.keepers: list[SimKeeper] = []
        self.signals: SimSignals | None = None
        self.agent: Agent | None = None
        self._wake: float | None = self.world.now + self.world.random.uniform(0.05, 0.6)

    def wake_at(self) -> float | None:
        return self._wake

    def turn(self) -> None:
        try:
            if self.agent is None:
                orphan_time_s = self.site.setting.orphan_time_s
                settings = Settings(
                    RUN_DIR,
                    self.worker,
                    self.spec.gpus,
                    1,
                    RUN_DIR,
                    {},
                    orphan_time_s=orphan_time_s,
                    gpu_ids=tuple(map(str, self.spec.gpus)),
                )
                self.agent = QuietAgent(settings, SimEffects(self))
                self.agent.begin()
            if self.agent.turn():
                self.exit(self.agent.leave())
                return
            wait = self.agent.wait_s()
            self._wake = None if wait is None else self.world.now + wait
        except Killed:
            self.exit(-9)

    def exit(self, code: int) -> None:
        if not self.alive:
            return
        self.alive = False
        self.code = code
        self.world.record("agent ended", worker=self.worker, pid=self.pid, code=code)
        for handle in self.handles:
            handle.flag.set = True
        for end in self.sockets:
            end.close()
        for keeper in list(self.keepers):
            if keeper.ended:
                keeper.bury()
            else:
                keeper.kept.orders.close()
                keeper.kept.channel.close()
        if not self.busy and self in self.world.actors:
            self.world.actors.remove(self)


class SimEffects(Effects):
    def __init__(self, actor: AgentActor) -> None:
        self._actor = actor
        self._site = actor.site

    @property
    def pid(self) -> int:
        return self._actor.pid

    def clock(self) -> float:
        return self._actor.world.now

    def selector(self) -> SimSelector:
        selector = SimSelector(self._actor.world)
        self._actor.selectors.append(selector)
        return selector

    def signals(self) -> ChildSignals:
        self._actor.signals = SimSignals(Flag(self._actor.world))
        return self._actor.signals

    def connect(self, run_dir: Path) -> Connection[ToAgent]:
        listener = self._site.listener
        if listener is None or listener.closed:
            raise WireError("nobody listens")
        mine, theirs = pair(self._actor.world, self._site.rates)
        mine.on_send = lambda frame: self._site.agent_point(self._actor, "agent sends")
        listener.waiting.append(theirs)
        self._actor.sockets = [end for end in self._actor.sockets if not end.closed]
        self._actor.sockets.append(mine)
        return Connection(as_socket(mine), decode_to_agent)

    def hang_up(self, connection: Connection[ToAgent], timeout_s: float) -> None:
        connection.flush()
        connection.close()

    def has_folder(self, run_dir: Path) -> bool:
        return True

    def attempt_dir(self, run_dir: Path, job: str, fence: int) -> Path:
        return run_dir / job / str(fence)

    def spawn(self, run_dir: Path, spec: JobSpec, config: dict[str, Value], folder: Path, graces: Graces) -> Kept:
        self._site.agent_point(self._actor, "before spawn")
        if self._actor.world.chance(self._site.calm(self._site.setting.no_room)):
            self._actor.world.faults["no room for a job"] += 1
            raise OSError(28, "No space left on device")
        keeper = SimKeeper(self._actor, spec, folder)
        self._actor.keepers = [other for other in self._actor.keepers if other in self._site.keepers]
        self._actor.keepers.append(keeper)
        self._site.agent_point(self._actor, "after spawn")
        return keeper.kept

    def reap(self, kept: Kept) -> int:
        assert isinstance(kept, SimKept)
        keeper = kept.keeper
        self._actor.world.run(lambda: keeper.ended, self._actor.world.now + 60.0)
        return keeper.code if keeper.code is not None else -9

    def kill_descendants(self, signals: ChildSignals) -> list[int]:
        for keeper in self._actor.keepers:
            if keeper.ended:
                keeper.bury()
        return []

    def read_outcome(self, folder: Path, job: str, fence: int) -> Outcome | None:
        found = self._site.disk.results.get(folder)
        return found[0] if found is not None and (found[0].job, found[0].fence) == (job, fence) else None

    def write_outcome(self, folder: Path, outcome: Outcome) -> None:
        self._site.disk.results[folder] = (outcome, True)


class SimProcess:
    """A scheduler's handle of an agent's process."""

    def __init__(self, actor: AgentActor, *, child: bool) -> None:
        self.actor, self._child = actor, child
        self.flag = Flag(actor.world)
        self.flag.set = not actor.alive
        self.fd = self.flag.fd
        actor.handles.append(self)

    @property
    def pid(self) -> int:
        return self.actor.pid

    def ended(self) -> int | None:
        if self.actor.alive:
            return None
        return self.actor.code if self._child else 0

    def signal(self, number: int) -> None:
        if number == signal.SIGKILL:
            self.actor.exit(-9)
        elif self.actor.signals is not None:
            self.actor.signals.deliver(number)
        else:
            self.actor.exit(-number)

    def wait(self, timeout_s: float) -> bool:
        return self.actor.world.run(lambda: not self.actor.alive, self.actor.world.now + timeout_s)

    def close(self) -> None:
        self.flag.close()
        if self in self.actor.handles:
            self.actor.handles.remove(self)


class SimLauncher:
    def __init__(self, site: Site) -> None:
        self._site = site

    def start(self, worker: str, spec: Worker) -> SimProcess:
        self._site.scheduler_point("before an agent's start")
        actor = AgentActor(self._site, worker, spec)
        self._site.world.actors.append(actor)
        self._site.world.record("agent started", worker=worker, pid=actor.pid)
        self._site.scheduler_point("after an agent's start")
        return SimProcess(actor, child=True)

    def adopt(self, worker: str, spec: Worker) -> SimProcess | None:
        for actor in self._site.agents():
            if actor.worker == worker and actor.spec.gpus == spec.gpus:
                return SimProcess(actor, child=False)
        return None

    def end_survivors(self, adopted: Collection[str]) -> None:
        left = [SimProcess(actor, child=False) for actor in self._site.agents() if actor.worker not in adopted]
        for process in left:
            process.signal(signal.SIGTERM)
        for process in left:
            if not process.wait(10.0):
                process.signal(signal.SIGKILL)
            process.close()

    def log_tail(self, worker: str) -> str:
        return ""
