"""One simulated run, from its seed: who lives on the host, which faults come when, and the lives of its schedulers."""

from __future__ import annotations

import itertools
import random
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import msgpack
import msgspec

from automl_run.dsl import ir
from automl_run.engine.admin.results import end_of
from automl_run.engine.controllers.base import Controller, Outcome, Recommendation
from automl_run.engine.controllers.registry import make_controller
from automl_run.engine.core import facts
from automl_run.engine.core import inputs as on
from automl_run.engine.core.apply import replay
from automl_run.engine.core.facts import AnyFact, NamedWorker
from automl_run.engine.core.state import State, durable
from automl_run.engine.events import Event
from automl_run.engine.publish import Publisher
from automl_run.engine.restore import restore
from automl_run.engine.scheduler import Effects, Parts, Scheduler
from automl_run.engine.targets.base import Target
from automl_run.engine.trace import Trace
from automl_run.engine.wire.messages import Done, Failed, Progress
from automl_run.errors import JournalError

from .agents import RUN_DIR, AgentActor, SimLauncher
from .disk import Disk, SimJournal
from .jobs import SimKeeper
from .network import Rates, SimListener, SimSocket, as_socket
from .world import Actor, Killed, Livelock, SimSelector, World

#: Faults come for this long; then the run must end within `PATIENCE_S`, and everything else within `REST_S` after it.
PATIENCE_S = 4000.0
REST_S = 40.0


_FROM_OUTSIDE = (
    "scheduler killed",
    "agent killed",
    "keeper killed",
    "job killed",
    "pause",
    "partition",
    "cut",
    "interrupt",
    "agent terminated",
    "operator",
    "power loss",
)
#: Every kind of fault.
FAULTS = (
    *_FROM_OUTSIDE,
    "scheduler killed before commit",
    "scheduler killed before sync",
    "scheduler killed after commit",
    "scheduler killed before a send",
    "scheduler killed before an agent's start",
    "scheduler killed after an agent's start",
    "agent killed: before spawn",
    "agent killed: after spawn",
    "agent killed: agent sends",
    "commit fails",
    "no room for a job",
    "drop",
    "duplicate",
    "reorder",
    "delay",
    "partial send",
)


@dataclass(frozen=True)
class Setting:
    """What a seed chooses. Rates are per occasion; a rate of 0 leaves a fault out of this seed."""

    program: ir.Program
    workers: int
    faulty_s: float
    orphan_time_s: float
    crash: float
    agent_crash: float
    full: float
    #: seconds between faults from outside
    every_s: float
    extra_trials: int
    no_room: float = 0.01


class Site:
    """`harsh`: everything goes wrong often, where else a seed leaves some faults out."""

    def __init__(self, seed: int, *, harsh: bool = False) -> None:
        self.seed = seed
        self._harsh = harsh
        self.world = World(seed)
        self.setting, self.rates = self._draw()
        if harsh:
            self.setting = replace(self.setting, faulty_s=120.0, every_s=2.0, crash=0.02, full=0.01, no_room=0.1)
            self.rates = Rates(drop=0.05, duplicate=0.05, reorder=0.05, delay=0.05, partial=0.1)
        self.disk = Disk()
        self.keepers: list[SimKeeper] = []
        self.holders: dict[int, SimKeeper | None] = {}
        self.listener: SimListener | None = None
        self.scheduler: SchedulerActor | None = None
        self.lives = 0
        self.finished = False
        self._pids = itertools.count(1000)
        self.quiet_at = self.world.now + self.setting.faulty_s
        self._extended = False

    def _draw(self) -> tuple[Setting, Rates]:
        draw = self.world.random
        budget = ir.Budget(
            trials=draw.randint(2, 9),
            patience=draw.choice([None, None, None, 4]),
            time_s=draw.choice([None, None, None, 40.0]),
            target=draw.choice([None, None, None, 0.95]),
        )
        study: dict[str, Any] = {
            "name": "s",
            "target": ir.Spec("Python", {"function": "a:b"}),
            "objectives": (ir.Objective("dice", draw.choice(["maximize", "minimize"])),),
            "budget": budget,
            "seed": self.seed,
            "controller": ir.Spec("Random"),
            "baseline": draw.random() < 0.7,
            "order": draw.choice(["arrival", "arrival", "fixed"]),
        }
        # Of its own, so that what the seeds of other studies draw stays as it is.
        apart = random.Random(f"repeat {self.seed}")
        if apart.random() < 0.25:
            study["repeat"] = ir.Repeat(folds=apart.randint(2, 4), abandon=apart.random() < 0.3)
        if apart.random() < 0.2:
            study["budget"] = msgspec.structs.replace(budget, gpu_hours=apart.choice([20.0, 60.0]) / 3600)
        apart = random.Random(f"pruner {self.seed}")
        if apart.random() < 0.25:
            median = ir.Spec("Median", {"startup": 1, "warmup": apart.randint(0, 1)})
            asha = ir.Spec("ASHA", {"min": 1, "eta": 2, "resource": apart.choice(["epochs", "reports"])})
            study["pruner"] = apart.choice([median, asha])
        lr = ir.Param("lr", ir.Real(0.0, 1.0), ("lr",), (0.5,))
        program = ir.Program(ir.Study(**study), (lr,), ir.MapNode({"lr": ir.Read("lr")}), digest="d")
        harsh = draw.random() < 0.5
        setting = Setting(
            program=program,
            workers=draw.randint(1, 4),
            faulty_s=draw.uniform(20.0, 90.0),
            orphan_time_s=draw.choice([8.0, 30.0, 600.0]),
            crash=draw.choice([0.0, 0.005, 0.02]),
            agent_crash=draw.choice([0.0, 0.01]),
            full=draw.choice([0.0, 0.0, 0.01]),
            every_s=draw.choice([3.0, 10.0, 30.0, 1e9]),
            extra_trials=draw.choice([0, 0, 0, 3]),
        )
        rates = Rates(
            drop=draw.choice([0.0, 0.02]) if harsh else 0.0,
            duplicate=draw.choice([0.0, 0.05]) if harsh else 0.0,
            reorder=draw.choice([0.0, 0.05]) if harsh else 0.0,
            delay=draw.choice([0.0, 0.05]),
            partial=draw.choice([0.0, 0.1]),
        )
        return setting, rates

    # -- the whole run -----------------------------------------------------------------------------------------------------

    def run(self) -> Ending:
        self.disk.rows.append(msgspec.msgpack.encode(facts.RunStarted("r", "d", self.setting.program.to_bytes(), self.world.now)))
        self.disk.sync()
        self.world.after(0.0, self.start_scheduler)
        self.world.after(self._gap(), self._disturb)
        self.world.after(self.setting.faulty_s, self._calm_down)
        ended = False
        try:
            ended = self.world.run(lambda: self.finished, self.world.now + self.setting.faulty_s + PATIENCE_S)
            if ended:
                self.world.run(lambda: False, self.world.now + REST_S)
        except Livelock:
            self.world.record("livelock")
        journal = [_plain(fact) for fact in self.disk.facts()]
        journal[0]["trials"] = self.setting.program.study.budget.trials
        repeat = self.setting.program.study.repeat
        journal[0]["repetitions"] = 1 if repeat is None else repeat.folds
        pruner, (objective,) = self.setting.program.study.pruner, self.setting.program.study.objectives
        if pruner is not None:
            journal[0]["pruner"] = {
                "name": pruner.name,
                "metric": objective.metric,
                "direction": objective.direction,
                **pruner.args,
            }
        left = [actor.name for actor in self.world.actors] + [f"keeper of {k.spec.job}" for k in self.keepers]
        table = self._table() if ended else {}
        return Ending(self.seed, ended, journal, self.world.events, left, table, dict(self.world.faults))

    def _table(self) -> dict[str, Any]:
        state = replay(self.disk.facts())
        jobs = {job.name: [job.state, list(job.scores) if job.scores else None, job.fence] for job in state.jobs.values()}
        return {"run": state.run, "best": state.best, "jobs": jobs, "ended": state.ended}

    def calm(self, rate: float) -> float:
        """`rate` while faults are to come, else 0."""
        return rate if self.world.now < self.quiet_at else 0.0

    def _calm_down(self) -> None:
        self.rates.drop = self.rates.duplicate = self.rates.reorder = self.rates.delay = 0.0

    def new_pid(self) -> int:
        return next(self._pids)

    def agents(self) -> list[AgentActor]:
        return [actor for actor in self.world.actors if isinstance(actor, AgentActor) and actor.alive]

    # -- schedulers --------------------------------------------------------------------------------------------------------

    def start_scheduler(self) -> None:
        if self.scheduler is None and not self.finished:
            self.lives += 1
            self.scheduler = SchedulerActor(self, self.lives)
            self.world.actors.append(self.scheduler)

    def scheduler_ended(self, state: State | None) -> None:
        """`state`: it ended in order; None: it died."""
        self.scheduler = None
        if state is not None and state.run in ("done", "failed"):
            if self.setting.extra_trials and not self._extended and state.run == "done":
                self._extended = True
            else:
                self.finished = True
                return
        self.world.after(self.world.random.choice([0.1, 2.0, 12.0, 40.0]) * self.world.random.random(), self.start_scheduler)

    def trials(self) -> int | None:
        budget = self.setting.program.study.budget.trials or 0
        return budget + self.setting.extra_trials if self._extended else None

    def workers(self) -> tuple[NamedWorker, ...]:
        count = self.setting.workers
        if self.lives > 1 and self.world.chance(0.3):
            count = self.world.random.randint(1, 4)
        return tuple(NamedWorker(f"W{number}", (number - 1,), 1) for number in range(1, count + 1))

    # -- faults ------------------------------------------------------------------------------------------------------------

    def scheduler_point(self, point: str) -> None:
        """A boundary of the scheduler, where it may be killed."""
        if self.world.chance(self.calm(self.setting.crash)):
            self.world.faults[f"scheduler killed {point}"] += 1
            raise Killed

    def agent_point(self, actor: AgentActor, point: str) -> None:
        if self.world.chance(self.calm(self.setting.agent_crash)):
            self.world.faults[f"agent killed: {point}"] += 1
            raise Killed

    def is_full(self) -> bool:
        full = self.world.chance(self.calm(self.setting.full))
        self.world.faults["commit fails"] += full
        return full

    def _gap(self) -> float:
        return self.world.random.expovariate(1 / self.setting.every_s)

    def _disturb(self) -> None:
        """One fault from outside, and the time of the next one."""
        if self.world.now >= self.quiet_at:
            return
        self.world.after(self._gap(), self._disturb)
        draw = self.world.random
        agents, scheduler = self.agents(), self.scheduler
        kind = draw.choice((*_FROM_OUTSIDE, "pause", "interrupt") if self._harsh else _FROM_OUTSIDE)
        done = True
        if kind == "scheduler killed" and scheduler is not None and not scheduler.busy:
            scheduler.die()
        elif kind == "agent killed" and agents:
            draw.choice(agents).exit(-9)
        elif kind == "keeper killed" and self.keepers:
            draw.choice(self.keepers).sigkill()
        elif kind == "job killed" and self.keepers:
            draw.choice(self.keepers).kill_job()
        elif kind == "pause" and self.world.actors:
            draw.choice(self.world.actors).paused_until = self.world.now + draw.uniform(0.5, 25.0)
        elif kind == "partition" and agents:
            for end in draw.choice(agents).sockets:
                end.hold(self.world.now + draw.uniform(0.5, 20.0))
        elif kind == "cut" and agents:
            for end in draw.choice(agents).sockets:
                end.cut()
        elif kind == "interrupt" and scheduler is not None and scheduler.scheduler is not None and not scheduler.busy:
            scheduler.scheduler.interrupt()
            scheduler.wake_now()
        elif kind == "agent terminated" and agents:
            actor = draw.choice(agents)
            if actor.signals is not None:
                actor.signals.deliver(15)
        elif kind == "operator" and scheduler is not None and scheduler.scheduler is not None and not scheduler.busy:
            scheduler.operate(draw)
        elif kind == "power loss" and draw.random() < 0.3 and not (scheduler and scheduler.busy):
            self._lose_power()
        else:
            done = False
        self.world.faults[kind] += done

    def _lose_power(self) -> None:
        for keeper in list(self.keepers):
            keeper.power_off()
        for actor in self.agents():
            actor.exit(-9)
        self.keepers.clear()
        if self.scheduler is not None:
            self.scheduler.die()
        self.world.record("power loss", rows=self.disk.lose_power())


@dataclass
class Ending:
    """What the oracle judges, in plain values. `table`: the engine's own view of the result."""

    seed: int
    ended: bool
    journal: list[dict[str, Any]]
    events: list[dict[str, Any]]
    left: list[str]
    table: dict[str, Any]
    faults: dict[str, int] = field(default_factory=dict)


class SchedulerActor(Actor):
    """One life of a scheduler, from its start to its end or death."""

    def __init__(self, site: Site, life: int) -> None:
        super().__init__(site.world, "scheduler")
        self.site, self.life = site, life
        self.scheduler: Scheduler | None = None
        self._listeners: list[SimListener] = []
        self._accepted: list[SimSocket] = []
        self._wake = self.world.now + self.world.random.uniform(0.1, 0.5)

    def wake_at(self) -> float | None:
        return self._wake

    def wake_now(self) -> None:
        self._wake = self.world.now

    def turn(self) -> None:
        try:
            try:
                if self.scheduler is None:
                    self._begin()
                    over = False
                else:
                    over = self.scheduler.turn()
            except JournalError:
                if self.scheduler is not None:
                    self.scheduler.shut_down()
                self.die()
                return
            assert self.scheduler is not None
            if over:
                self.scheduler.shut_down()
                self._check_replay()
                self._gone(self.scheduler.state)
            else:
                self._wake = self.world.now + self.scheduler.wait_s()
                self._unsuspend()
        except Killed:
            self.die()

    def _begin(self) -> None:
        site = self.site
        history = site.disk.facts()
        state = replay(history)
        program = site.setting.program
        trials = site.trials()
        enlarged = state.trials if trials is None else trials
        study = msgspec.structs.replace(program.study, budget=msgspec.structs.replace(program.study.budget, trials=enlarged))
        controller = Watched(make_controller(msgspec.structs.replace(program, study=study)), self)
        restore(controller, history, state)
        parts = Parts(
            RUN_DIR,
            SimJournal(site.disk, self._at_point, site.is_full),
            controller,
            cast(Target, SimTarget()),
            SimLauncher(site),
            QuietPublisher(),
            lambda: self.world.now,
            Effects(self._selector, self._listen),
            result=self._result,
        )
        self.scheduler = Scheduler(parts, state, program)
        budget = msgspec.structs.replace(program.study.budget, trials=trials, patience=None)
        if trials is not None and site.seed % 2:
            self.scheduler.begin(site.workers(), None, budget)
        else:
            self.scheduler.begin(site.workers(), trials)

    def operate(self, draw: random.Random) -> None:
        """Someone suspends or resumes a worker, or aborts a job."""
        assert self.scheduler is not None
        state = self.scheduler.state
        suspended = [worker.name for worker in state.workers if worker.suspended_at is not None]
        wish: on.Input
        if suspended and draw.random() < 0.7:
            wish = on.ResumeWorker(draw.choice(suspended))
        elif state.running and draw.random() < 0.5:
            wish = on.AbortJob(draw.choice(state.running))
        elif state.workers:
            wish = on.Suspend(draw.choice(state.workers).name)
        else:
            return
        self._take(wish)

    def _unsuspend(self) -> None:
        """No run ends while all its workers are suspended."""
        assert self.scheduler is not None
        for worker in self.scheduler.state.workers:
            if worker.suspended_at is not None and self.world.now >= self.site.quiet_at:
                self._take(on.ResumeWorker(worker.name))

    def _take(self, wish: on.Input) -> None:
        assert self.scheduler is not None
        self.scheduler._inputs.append(wish)
        self.wake_now()

    def _check_replay(self) -> None:
        """I6, with the engine's own means: the oracle has others."""
        assert self.scheduler is not None
        if replay(self.site.disk.facts()) != durable(self.scheduler.state):
            self.world.record("replay differs")

    def die(self) -> None:
        self.world.record("scheduler died", life=self.life)
        self._gone(None)

    def _gone(self, state: State | None) -> None:
        if not self.alive:
            return
        self.alive = False
        for listener in self._listeners:
            listener.close()
        for end in self._accepted:
            end.close()
        if not self.busy:
            self.world.actors.remove(self)
        self.site.scheduler_ended(state)

    # -- effects -----------------------------------------------------------------------------------------------------------

    def _at_point(self, point: str) -> None:
        if point == "before sync":
            self.world.record("written", rows=len(self.site.disk.rows))
        elif point == "after commit":
            self.world.record("synced", life=self.life)
        self.site.scheduler_point(point)

    def _result(self, state: State, name: str) -> Done | Failed | None:
        job = state.jobs[name]
        found = self.site.disk.results.get(RUN_DIR / name / str(job.fence))
        end = None if found is None else end_of(found[0], job, state.objectives)
        if end is not None:
            self.world.record("read from the disk", job=name, fence=job.fence)
        return end

    def _selector(self) -> SimSelector:
        selector = SimSelector(self.world)
        self.selectors.append(selector)
        return selector

    def _listen(self, path: Path) -> Any:
        listener = _Watching(self)
        self._listeners.append(listener)
        if path.name == "agents.sock":
            self.site.listener = listener
        return as_socket(listener)

    def watch(self, end: SimSocket) -> None:
        def spy(frame: bytes) -> None:
            self.site.scheduler_point("before a send")
            (length,) = struct.unpack_from(">I", frame)
            message = msgpack.unpackb(frame[4 : 4 + length])
            if message["t"] in ("Ack", "Assign", "Superseded"):
                told = {key: message.get(key) for key in ("t", "job", "fence", "seq")}
                self.world.record("send", rows=self.site.disk.synced, told=told)

        end.on_send = spy
        self._accepted.append(end)


class _Watching(SimListener):
    def __init__(self, actor: SchedulerActor) -> None:
        super().__init__(actor.world)
        self._actor = actor

    def accept(self) -> tuple[SimSocket, None]:
        end, address = super().accept()
        self._actor.watch(end)
        return end, address


class Watched:
    """A controller whose observations are recorded."""

    def __init__(self, controller: Controller, actor: SchedulerActor) -> None:
        self._controller, self._actor = controller, actor

    def recommend(self, n: int) -> list[Recommendation]:
        return self._controller.recommend(n)

    def observe(self, outcome: Outcome) -> None:
        scores = None if outcome.scores is None else list(outcome.scores)
        self._actor.world.record("observe", life=self._actor.life, index=outcome.index, state=outcome.state, scores=scores)
        self._controller.observe(outcome)

    def restore(self, recommendation: Recommendation) -> None:
        self._controller.restore(recommendation)

    @property
    def exhausted(self) -> bool:
        return self._controller.exhausted


class SimTarget:
    config_name = "c.json"

    def render(self, config: dict[str, Any]) -> dict[str, Any]:
        return {}


class _NoTrace(Trace):
    def __init__(self) -> None:
        pass

    def engine(self, kind: str, value: msgspec.Struct, at: float, **more: str) -> None:
        pass


class QuietPublisher(Publisher):
    def __init__(self) -> None:
        self.trace = _NoTrace()

    def params(self, state: State, index: int) -> dict[str, Any]:
        return {}

    def tell(self, event: Event) -> None:
        pass

    def note(self, message: str) -> None:
        pass

    def progress(self, state: State, message: Progress) -> None:
        pass

    def fact(self, state: State, fact: AnyFact, now: float) -> None:
        pass


def _plain(fact: facts.Durable) -> dict[str, Any]:
    data = cast(dict[str, Any], msgspec.to_builtins(fact, builtin_types=(bytes,)))
    data.pop("program", None)
    if isinstance(fact, facts.BudgetSet):
        data["trials"] = fact.budget.trials
    return {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}
