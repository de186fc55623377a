"""The conformance suite of controllers: inherit it, say how yours is made, and pytest runs every test of the contract.

class TestMine(ControllerSuite):
    table_is_fixed = True
    def make(self, program): return Mine(program)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeAlias

from automl_run.dsl import evaluate, ir
from automl_run.dsl.ir import Alt, Binary, Budget, Choice, Int, IsAlt, Lit, MapNode, Objective, Param, ParamRef, Program, Real
from automl_run.engine.controllers.base import Controller, Outcome, Recommendation

#: What a job of the test reports for a recommendation; None: it fails.
Score: TypeAlias = Callable[[Recommendation], float | None]


@dataclass(slots=True)
class Drive:
    """A run of a controller without an engine. `log`: what a journal would hold, in order."""

    controller: Controller
    workers: int
    score: Score
    log: list[Recommendation | Outcome] = field(default_factory=list)
    running: list[Recommendation] = field(default_factory=list)

    @property
    def table(self) -> list[Recommendation]:
        return sorted((entry for entry in self.log if isinstance(entry, Recommendation)), key=lambda entry: entry.index)

    def fill(self) -> None:
        """Give work to every idle worker."""
        new = self.controller.recommend(self.workers - len(self.running))
        assert len(new) <= self.workers - len(self.running), "more recommendations than were asked for"
        self.running += new
        self.log += new

    def finish_one(self) -> None:
        """End one of the running jobs, not always the oldest."""
        done = self.running.pop((len(self.log) * 7 + 3) % len(self.running))
        score = self.score(done)
        outcome = Outcome(done.index, "failed", None) if score is None else Outcome(done.index, "done", (score,))
        self.log.append(outcome)
        self.controller.observe(outcome)

    def run(self, limit: int = 200) -> Drive:
        """Until nothing runs and nothing comes, or `limit` recommendations were made."""
        while len(self.table) < limit:
            self.fill()
            if not self.running:
                assert self.controller.exhausted, "nothing runs, nothing comes, and the controller is not exhausted"
                return self
            self.finish_one()
        while self.running:
            self.finish_one()
        return self


def replayed(controller: Controller, log: Sequence[Recommendation | Outcome]) -> Controller:
    """`controller`, newly made, after the history in `log`."""
    for entry in log:
        if isinstance(entry, Recommendation):
            controller.restore(entry)
        else:
            controller.observe(entry)
    return controller


def letters(name: str, count: int, active: ir.Expr | None = None) -> Param:
    """A choice of `count` alternatives a, b, c, ..."""
    alts = tuple(Alt(chr(97 + i), (chr(97 + i),)) for i in range(count))
    return Param(name, Choice(alts), (name,), ("a",), active)


def make_program(*params: Param, trials: int | None = 12, requires: tuple[ir.Require, ...] = (), **study: object) -> Program:
    """A program with these parameters, one objective to be maximised and no configuration."""
    settings = ir.Study(objectives=(Objective("score", "maximize"),), budget=Budget(trials=trials), **study)  # type: ignore[arg-type]
    return Program(settings, params, MapNode({}), requires)


def finite_program(trials: int | None = 12) -> Program:
    """Ten points: net b owns a depth."""
    depth = Param("net|b.depth", Int(2, 5), ("net.depth",), (3,), IsAlt("net", (1,)))
    return make_program(letters("net", 2), depth, letters("loss", 2), trials=trials)


def conditional_program(trials: int | None = 12) -> Program:
    """A log range, a choice, and a float that only one alternative owns."""
    rate = Param("lr", Real(1e-5, 1e-1, "log"), ("lr",), (1e-3,))
    drop = Param("net|b.drop", Real(0.0, 0.5), ("net.drop",), (0.1,), IsAlt("net", (1,)))
    return make_program(rate, letters("net", 3), drop, trials=trials)


def constrained_program(trials: int | None = 12) -> Program:
    """Two integers that must stay below a product, and a net that excludes a loss."""
    product = Binary("<=", Binary("*", ParamRef("width"), ParamRef("depth")), Lit(20))
    exclude = Binary("or", Binary("!=", ParamRef("net"), Lit("a")), Binary("!=", ParamRef("loss"), Lit("b")))
    return make_program(
        Param("width", Int(1, 16), ("width",), (4,)),
        Param("depth", Int(1, 8), ("depth",), (2,)),
        letters("net", 2),
        letters("loss", 2),
        trials=trials,
        requires=(ir.Require(product, text="width * depth <= 20"), ir.Require(exclude, text="net != a or loss != b")),
    )


def by_index(recommendation: Recommendation) -> float:
    """A score without a pattern."""
    return (recommendation.index * 37 % 101) / 101


class ControllerSuite(ABC):
    """`table_is_fixed`: the points by index do not depend on the number of workers."""

    table_is_fixed: ClassVar[bool] = False

    @abstractmethod
    def make(self, program: Program) -> Controller: ...

    def programs(self) -> Sequence[Program]:
        """Spaces that the controller must be able to search, with a budget."""
        return (finite_program(), conditional_program(), constrained_program())

    def test_gives_no_more_than_asked_for(self) -> None:
        for program in self.programs():
            controller = self.make(program)
            assert controller.recommend(0) == []
            assert len(controller.recommend(1)) == 1
            assert len(controller.recommend(3)) <= 3

    def test_recommends_allowed_points_under_unique_indices(self) -> None:
        for program in self.programs():
            table = Drive(self.make(program), 3, by_index).run().table
            assert table
            assert len({entry.index for entry in table}) == len(table)
            assert all(entry.index >= 1 for entry in table)
            for entry in table:
                assert entry.point is not None
                assert evaluate.infeasible_because(program, entry.point) is None
                assert tuple(entry.point) == evaluate.active_ids(program, entry.point)

    def test_keeps_the_budget(self) -> None:
        for program in self.programs():
            trials = program.study.budget.trials
            assert trials is not None
            assert len(Drive(self.make(program), 3, by_index).run().table) <= trials - program.study.baseline

    def test_is_deterministic(self) -> None:
        for program in self.programs():
            first, second = (Drive(self.make(program), 3, by_index).run().log for _ in range(2))
            assert first == second

    def test_reads_nothing_but_the_program(self) -> None:
        for program in self.programs():
            other = ir.Program.from_bytes(program.to_bytes())
            assert Drive(self.make(program), 1, by_index).run().table == Drive(self.make(other), 1, by_index).run().table

    def test_goes_on_alike_after_a_restart_at_any_moment(self) -> None:
        for program in self.programs():
            whole = Drive(self.make(program), 3, by_index).run().log
            for cut in range(len(whole) + 1):
                before = whole[:cut]
                ended = {entry.index for entry in before if isinstance(entry, Outcome)}
                running = [entry for entry in before if isinstance(entry, Recommendation) and entry.index not in ended]
                resumed = Drive(replayed(self.make(program), before), 3, by_index, list(before), running)
                # Only between two steps of the drive does the log say what comes next.
                if cut == len(whole) or isinstance(whole[cut], Recommendation) or len(running) == 3:
                    assert resumed.run().log == whole, f"cut at {cut}"

    def test_an_outcome_may_come_while_it_is_asked(self) -> None:
        """It is in the journal before the recommendations that were made without it, and after a restart it is seen before them."""
        for program in self.programs():
            controller = self.make(program)
            running = controller.recommend(3)
            log: list[Recommendation | Outcome] = [*running]
            for _ in range(8):
                if not running:
                    break
                ended = running.pop(0)
                new = controller.recommend(1)
                pruned = ended.index % 3 == 0
                outcome = Outcome(ended.index, "stopped" if pruned else "done", (by_index(ended),), 2 if pruned else None)
                controller.observe(outcome)
                log += [outcome, *new]
                running += new
            resumed = Drive(replayed(self.make(program), log), 3, by_index, list(log), list(running))
            assert resumed.run().log == Drive(controller, 3, by_index, list(log), list(running)).run().log

    def test_survives_failures_and_ends(self) -> None:
        for program in self.programs():
            Drive(self.make(program), 2, lambda _: None).run()
            drive = Drive(self.make(program), 2, lambda entry: None if entry.index % 3 == 0 else by_index(entry)).run()
            assert drive.controller.exhausted
            assert drive.controller.recommend(5) == []

    def test_every_kind_of_end_is_taken(self) -> None:
        for program in self.programs():
            controller = self.make(program)
            ends = [Outcome(0, "stopped", (0.5,)), Outcome(0, "stopped", (0.4,), 3), Outcome(0, "stopped", None)]
            for end in (*ends, Outcome(0, "infeasible", None), Outcome(0, "failed", None)):
                for entry in controller.recommend(1):
                    controller.observe(replace(end, index=entry.index))
            Drive(controller, 2, by_index).run()

    def test_takes_the_baseline(self) -> None:
        for program in self.programs():
            controller = replayed(self.make(program), [Recommendation(0, None, (0,)), Outcome(0, "done", (0.5,))])
            assert all(entry.index >= 1 for entry in Drive(controller, 2, by_index).run().table)

    def test_the_table_does_not_depend_on_the_workers(self) -> None:
        if not self.table_is_fixed:
            return
        for program in self.programs():
            one, two, many = (Drive(self.make(program), workers, by_index).run().table for workers in (1, 2, 7))
            assert one == two == many
