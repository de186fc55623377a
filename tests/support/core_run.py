"""The pure core driven by hand, for tests of its decisions."""

from __future__ import annotations

from dataclasses import dataclass, field

from automl_run.dsl import ir
from automl_run.engine.controllers.base import Recommendation
from automl_run.engine.core import facts
from automl_run.engine.core import inputs as on
from automl_run.engine.core.apply import apply
from automl_run.engine.core.causes import Cause
from automl_run.engine.core.decide import decide
from automl_run.engine.core.facts import AnyFact, NamedWorker
from automl_run.engine.core.inputs import Command, Input
from automl_run.engine.core.state import State, durable
from automl_run.engine.wire import messages as wire


def program(**study: object) -> ir.Program:
    objectives = study.pop("objectives", (ir.Objective("dice", "maximize"),))
    parts = {"name": "s", "target": ir.Spec("Python"), "objectives": objectives, **study}
    lr = ir.Param("lr", ir.Real(0.0, 1.0), ("lr",), (0.5,))
    return ir.Program(ir.Study(**parts), (lr,), ir.MapNode({"lr": ir.Read("lr")}), digest="d")  # type: ignore[arg-type]


@dataclass
class Run:
    """The core with a journal and a clock, as the shell has them."""

    program: ir.Program
    workers: tuple[str, ...] = ("W1",)
    #: of every worker
    gpus: tuple[int, ...] = ()
    state: State = field(default_factory=State)
    journal: list[AnyFact] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    now: float = 1000.0
    recommended: int = 0

    def __post_init__(self) -> None:
        self._take([facts.RunStarted("r", "d", self.program.to_bytes(), self.now)])
        self.begin()

    def begin(self, alive: frozenset[str] = frozenset()) -> list[Command]:
        self.state = durable(self.state)
        return self(on.Began(tuple(NamedWorker(name, self.gpus, 1) for name in self.workers), None, alive))

    def __call__(self, *inputs: Input) -> list[Command]:
        new: list[Command] = []
        for input in inputs:
            told, commands = decide(self.state, input, self.now)
            self._take([fact for _, fact in told])
            assert not told or told[-1][0] == self.state, "the states that come with the facts are those of applying them"
            new += commands
        self.commands += new
        return new

    def _take(self, found: list[AnyFact]) -> None:
        for fact in found:
            self.state = apply(self.state, fact)
        self.journal += [fact for fact in found if not isinstance(fact, facts.Transient)]

    # -- agents and controller, answering at once --------------------------------------------------------------------------

    def up(self, worker: str = "W1", running: tuple[tuple[str, int], ...] = ()) -> list[Command]:
        return self(on.Received(worker, wire.Hello(1, 1, worker, "host", 1, (), running)))

    def answer(self, n: int = 1, exhausted: bool = False) -> list[Command]:
        first = self.recommended + 1
        self.recommended += n
        points = tuple(Recommendation(i, {"lr": i / 1000}, (i,)) for i in range(first, first + n))
        return self(on.Answer(points, exhausted))

    def job(self, number: int = -1) -> tuple[str, int, str]:
        """(name, fence, worker) of a running job."""
        job = self.state.jobs[self.state.running[number]]
        return job.name, job.fence, job.worker

    def seq(self, name: str) -> int:
        return self.state.jobs[name].seq + 1

    def done(self, number: int = -1, stopped: bool = False, **values: float) -> list[Command]:
        name, fence, worker = self.job(number)
        return self(on.Received(worker, wire.Done(name, fence, self.seq(name), values, 1.0, stopped)))

    def failed(self, cause: Cause = "user_error", number: int = -1) -> list[Command]:
        name, fence, worker = self.job(number)
        message = wire.Failed(name, fence, self.seq(name), cause, f"because of {cause}", 1, "", 1.0)
        return self(on.Received(worker, message))

    def metric(self, number: int = -1, step: int = 1, **values: float) -> list[Command]:
        name, fence, worker = self.job(number)
        return self(on.Received(worker, wire.Metric(name, fence, self.seq(name), step, values)))

    def status(self) -> str:
        return self.state.run

    def ends(self) -> dict[str, str]:
        return {fact.job: fact.state for fact in self.journal if isinstance(fact, facts.Ended)}


def sent(commands: list[Command], kind: type[wire.Message]) -> list[wire.Message]:
    return [c.message for c in commands if isinstance(c, on.Send) and isinstance(c.message, kind)]


def of(commands: list[Command], kind: type[Command]) -> list[Command]:
    return [command for command in commands if isinstance(command, kind)]
