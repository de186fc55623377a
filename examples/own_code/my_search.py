"""A controller, a handler and an executor as Clara Train's AutoML takes them: nothing in here knows of automl-run."""

import csv
import random
from pathlib import Path

from automl.components.controllers.controller import Controller
from automl.components.executors.executor import Executor
from automl.components.handlers.handler import Handler
from automl.defs import Context, ContextKey, Outcome, Recommendation, SearchResult


class HillClimb(Controller):
    """A few points at random, then one more beside the best so far, until `max_rounds` outcomes are in."""

    def __init__(self, max_rounds=12, first=4, seed=0):
        Controller.__init__(self)
        self.max_rounds, self.first = max_rounds, first
        self.random = random.Random(seed)
        self.given = {}
        self.outcomes = []

    def set_search_space(self, space, ctx):
        self.space = space

    def initial_recommendation(self, ctx):
        return [self.recommend(self.draw()) for _ in range(self.first)]

    def refine_recommendation(self, outcome: Outcome, ctx: Context):
        self.outcomes.append((outcome.score, outcome.recommendation_id))
        if len(self.outcomes) >= self.max_rounds:
            ctx.stop_work(self, f"{self.max_rounds} rounds are over")
            return []
        if len(self.given) >= self.max_rounds:
            return []
        _, best = max(self.outcomes)
        return [self.recommend(self.beside(self.given[best]))]

    def recommend(self, values):
        number = len(self.given)
        self.given[number] = values
        return Recommendation(number, SearchResult(self.space, values))

    def draw(self):
        values = {}
        for locator, target in self.space.targets.items():
            if ".enum." in locator:
                values[locator] = self.random.randrange(len(target))
            else:
                values[locator] = self.random.uniform(target[0].min, target[0].max)
        return values

    def beside(self, values):
        values = dict(values)
        locator = self.random.choice(sorted(values))
        target = self.space.targets[locator]
        if ".enum." in locator:
            values[locator] = self.random.randrange(len(target))
        else:
            width = target[0].max - target[0].min
            moved = values[locator] + self.random.gauss(0, 0.1 * width)
            values[locator] = min(max(moved, target[0].min), target[0].max)
        return values


class Table(Handler):
    """One line for each job that has ended, in `jobs.csv` of the run's folder."""

    def end_job(self, ctx: Context):
        values = ctx.get_prop(ContextKey.CONCRETE_SEARCH_VALUE)
        row = [ctx.get_prop(ContextKey.JOB_NAME), ctx.get_prop(ContextKey.SCORE), ctx.get_prop(ContextKey.JOB_STATUS)]
        row += [f"{locator.split(':')[1]}={value[0]}" for locator, value in values.items()]
        with (Path(ctx.get_prop("run_root")) / "jobs.csv").open("a", newline="") as file:
            csv.writer(file).writerow(row)


class Formula(Executor):
    """Needs no training: the score is computed from what is searched."""

    def determine_search_space(self, ctx: Context):
        return ctx.get_prop(ContextKey.SEARCH_SPACE)

    def execute(self, recommendation, ctx: Context):
        x, k = (value[0] for value in ctx.get_prop(ContextKey.CONCRETE_SEARCH_VALUE).values())
        return k - (x - 0.3) ** 2
