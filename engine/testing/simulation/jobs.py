"""Simulated keepers and their jobs: what a job does depends on its seed, so a repeated attempt reports the same values."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl_run.engine.agent.folders import JobSpec
from automl_run.engine.agent.orders import OVER, Kept, Order
from automl_run.engine.agent.outcome import Outcome
from automl_run.engine.core.causes import Cause
from automl_run.engine.wire.frames import encode
from automl_run.engine.wire.messages import Metric, Progress

from .network import SimSocket, as_socket, pair
from .world import Flag

if TYPE_CHECKING:
    from .agents import AgentActor

STOP_GRACE_S = 15.0


@dataclass(frozen=True)
class Plan:
    """`values[i]` is reported at step i; then `cause` or the final values. `stubborn`: does not hear a request to stop."""

    step_s: float
    values: tuple[float, ...]
    final: dict[str, float]
    cause: Cause | None
    stubborn: bool


def plan(seed: int, fence: int) -> Plan:
    draw = random.Random(f"job {seed}")
    values = tuple(round(draw.random(), 3) for _ in range(draw.randint(0, 4)))
    final = {} if values and draw.random() < 0.3 else {"dice": round(draw.random(), 3)}
    # Some report in bursts, some live long.
    step_s = draw.choice([0.001, draw.uniform(0.1, 3.0), draw.uniform(0.1, 3.0), draw.uniform(0.1, 3.0), draw.uniform(20.0, 90.0)])
    fate = draw.random()
    cause: Cause | None = None
    if fate < 0.06:
        cause = "user_error"
    elif fate < 0.09:
        cause = "oom_gpu"
    elif fate < 0.11:
        final = {"dice": float("nan")}
    elif fate < 0.14 and len(values) > 1:
        # It does not mind that, and would go on for long.
        values, step_s = (float("nan"), *values, *values), 40.0
    elif random.Random(f"attempt {seed} {fence}").random() < 0.06:
        cause = "gpu_error"
    return Plan(step_s, values, final, cause, draw.random() < 0.05)


class SimKept(Kept):
    """The agent's side of a simulated keeper."""

    def __init__(self, keeper: SimKeeper, orders: SimSocket, channel: SimSocket) -> None:
        super().__init__(keeper.pid, keeper.flag.fd, as_socket(orders), as_socket(channel))
        self.keeper = keeper

    def order(self, order: Order) -> None:
        self.keeper.obey_soon(order)

    def close(self) -> None:
        self.keeper.flag.close()
        self.orders.close()
        self.channel.close()


class SimKeeper:
    """A keeper with its job. It holds a lock on each of its GPUs from before the job's start until the last process has ended."""

    def __init__(self, agent: AgentActor, spec: JobSpec, folder: Path) -> None:
        self.agent, self.world, self.site = agent, agent.world, agent.site
        self.spec, self.folder = spec, folder
        self.pid: int = self.site.new_pid()
        self.flag: Flag = Flag(self.world)
        self.code: int | None = None
        #: the job's processes are alive
        self.executing = False
        self._plan = plan(spec.seed, spec.fence)
        # Some leave so slowly that the next attempt has long begun.
        self._leaves_s = (0.0, 0.01, 2.0)[spec.seed % 3]
        self._at = 0
        self._stop = False
        self._finished = False
        self._began = self.world.now
        orders, self._orders = pair(self.world)
        channel, self._channel = pair(self.world)
        self._orders.on_end = lambda: self.world.after(self.world.random.uniform(0.0, 1.0), self._agent_is_gone)
        self._channel.on_data = lambda data: self._ask_to_stop() if b"Stop" in data else None
        self.kept = SimKept(self, orders, channel)
        self.site.keepers.append(self)
        self.world.after(0.01, self._start)

    @property
    def ended(self) -> bool:
        return self.code is not None

    # -- the job ------------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self.ended or self.executing or self._finished:
            return
        if any(self.site.holders.get(gpu) is not None for gpu in self.spec.gpus):
            self.world.after(0.05, self._start)
            return
        for gpu in self.spec.gpus:
            self.site.holders[gpu] = self
        self.executing = True
        self._note("start", gpus=list(self.spec.gpus))
        self.world.after(self._plan.step_s, self._step)

    def _step(self) -> None:
        if not self.executing or self.ended:
            return
        if self._stop and not self._plan.stubborn:
            self.finish(self._outcome({}, stopped=True))
        elif self._at < len(self._plan.values):
            value = self._plan.values[self._at]
            self._note("report", step=self._at, values={"dice": value})
            self._channel.send_raw(encode(Metric(self.spec.job, self.spec.fence, 0, self._at, {"dice": value})))
            self._channel.send_raw(encode(Progress(self.spec.job, self.spec.fence, "a step", None)))
            self._at += 1
            self.world.after(self._plan.step_s, self._step)
        else:
            self.finish(self._outcome(self._plan.final, self._plan.cause))

    def _outcome(self, values: dict[str, float], cause: Cause | None = None, stopped: bool = False) -> Outcome:
        seconds = self.world.now - self._began
        said = self._plan.values[: self._at]
        reported = {"dice": (min(said), max(said), said[-1])} if said else {}
        values = values if cause is None else {}
        return Outcome(self.spec.job, self.spec.fence, values, seconds, stopped, cause, reported=reported)

    # -- its end ------------------------------------------------------------------------------------------------------------

    def finish(self, outcome: Outcome) -> None:
        """The job has ended: its processes, then result.json, then the keeper."""
        if self.ended or self._finished:
            return
        self._finished = True
        self.end_execution()
        self._note("outcome", values=outcome.values, cause=outcome.cause, stopped=outcome.stopped)
        self.site.disk.results[self.folder] = (outcome, False)
        self.world.after(0.001, lambda: self._exit(outcome))

    def _exit(self, outcome: Outcome) -> None:
        if self.ended:
            return
        self.site.disk.results[self.folder] = (outcome, True)
        self._note("stored", cause=outcome.cause, stopped=outcome.stopped)
        self._orders.send_raw(OVER)
        self.world.after(self._leaves_s, lambda: None if self.ended else self._gone(0))

    def end_execution(self) -> None:
        if self.executing:
            self.executing = False
            self._note("end")
            for gpu in self.spec.gpus:
                self.site.holders[gpu] = None

    def _gone(self, code: int) -> None:
        self.code = code
        self.flag.set = True
        self._orders.close()
        self._channel.close()
        if self in self.site.keepers and not self.executing:
            self.site.keepers.remove(self)

    def sigkill(self) -> None:
        """The keeper dies; its job's processes live until the agent, or the agent's end, ends them."""
        if not self.ended:
            self._note("keeper killed")
            self._gone(-9)
            if not self.agent.alive:
                self.bury()

    def kill_job(self) -> None:
        if self.executing and not self.ended:
            self.finish(self._outcome({}, "lost"))

    def bury(self) -> None:
        """Ends what a dead keeper left."""
        self.end_execution()
        if self in self.site.keepers:
            self.site.keepers.remove(self)

    def power_off(self) -> None:
        self.end_execution()
        self._gone(-9)

    # -- orders -------------------------------------------------------------------------------------------------------------

    def obey_soon(self, order: Order) -> None:
        self.world.after(0.001, lambda: self._obey(order))

    def _obey(self, order: Order) -> None:
        if self.ended:
            return
        match order:
            case Order.GO:
                pass
            case Order.STOP:
                self._ask_to_stop()
            case Order.KILL:
                self.finish(self._outcome({}, "preempted"))

    def _ask_to_stop(self) -> None:
        if not self._stop:
            self._stop = True
            self.world.after(STOP_GRACE_S, lambda: self.finish(self._outcome({}, stopped=True)))

    def _agent_is_gone(self) -> None:
        if not self.ended and not self.agent.alive:
            self.finish(self._outcome({}, "lost"))
        elif self.ended:
            self.bury()

    def _note(self, event: str, **more: object) -> None:
        self.world.record(event, job=self.spec.job, fence=self.spec.fence, pid=self.pid, **more)
