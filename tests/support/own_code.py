"""A controller, handlers and an executor as users of Clara Train wrote them, for tests: the module `mine` of a user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_run.dsl import ir

MINE = '''
import os
import random
import time

from automl.components.controllers.controller import Controller
from automl.components.executors.executor import Executor
from automl.components.handlers.handler import Handler
from automl.defs import Context, ContextKey, Outcome, Recommendation, SearchResult, Status


class Draws(Controller):
    """Two at first, one more for each outcome, `rounds` outcomes in all."""

    def __init__(self, rounds=5, seed=1):
        Controller.__init__(self)
        self.rounds, self.random, self.next_id, self.seen = rounds, random.Random(seed), 0, []

    def set_search_space(self, space, ctx):
        self.space = space

    def draw(self):
        values = {}
        for locator, target in self.space.targets.items():
            if ".enum" in locator:
                values[locator] = self.random.randint(0, len(target) - 1)
            else:
                values[locator] = self.random.uniform(target[0].min, target[0].max)
        recommendation = Recommendation(f"r{self.next_id}", SearchResult(self.space, values))
        self.next_id += 1
        return recommendation

    def initial_recommendation(self, ctx):
        return [self.draw(), self.draw()]

    def refine_recommendation(self, outcome: Outcome, ctx: Context):
        self.seen.append((outcome.recommendation_id, outcome.score))
        print("SEEN", self.seen, flush=True)
        if len(self.seen) >= self.rounds:
            ctx.stop_work(self, f"{self.rounds} rounds")
            return []
        return [self.draw()] if self.next_id < self.rounds else []


class Log(Handler):
    """Writes what it hears, one line an event."""

    def __init__(self, name="log"):
        Handler.__init__(self)
        self.name = name

    def handle_event(self, event, ctx):
        said = [self.name, event]
        if event in ("start_job", "end_job"):
            said += [ctx.get_prop("_jobName"), ctx.get_prop(ContextKey.RECOMMENDATION).id]
        if event == "end_job":
            said += [round(ctx.get_prop(ContextKey.SCORE), 3), ctx.get_prop(ContextKey.JOB_STATUS)]
        if event == "recommendations_available":
            said += [each.id for each in ctx.get_prop(ContextKey.RECOMMENDATIONS)]
        with open("heard.txt", "a") as heard:
            print(*said, file=heard)
        super().handle_event(event, ctx)


class Sums(Executor):
    def __init__(self, scale=1):
        self.scale = scale

    def determine_search_space(self, ctx):
        return ctx.get_prop(ContextKey.SEARCH_SPACE)

    def execute(self, recommendation, ctx):
        print("EXECUTE", recommendation.result.values, ctx.get_prop(ContextKey.JOB_NAME))
        return self.scale * sum(values[0] for values in ctx.get_prop(ContextKey.CONCRETE_SEARCH_VALUE).values())

    def shutdown(self, ctx):
        print("SHUTDOWN")
'''


def own_program(base: Path, controller: str = "Random", more: str = "", **study: Any) -> ir.Program:
    """Two parameters, 2 workers, a target whose score is `x + k`; `more`: further classes in the user's module."""
    (base / "mine.py").write_text(MINE + more)
    (base / "train.py").write_text("def train(params, report):\n    return params['x'] + params['k']\n")
    x = ir.Param("x", ir.Real(0.0, 1.0), ("x",), (0.5,), label="lr")
    k = ir.Param("k", ir.Choice(tuple(ir.Alt(str(n), (n,)) for n in (1, 2, 3))), ("k",), (1,), label="net")
    study = {
        "name": "own",
        "target": ir.Spec("Python", {"function": "train:train"}),
        "objectives": (ir.Objective("score", "maximize"),),
        "controller": ir.Spec(controller),
        "workers": (ir.Worker(), ir.Worker()),
        **study,
    }
    config = ir.MapNode({"x": ir.Read("x"), "k": ir.Read("k")})
    return ir.Program(ir.Study(**study), (x, k), config, digest="d1", base_dir=str(base))


def heard(base: Path) -> list[str]:
    """What handlers wrote."""
    path = base / "heard.txt"
    return path.read_text().splitlines() if path.exists() else []
