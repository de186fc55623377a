"""How long does a recommendation take after many outcomes, and how good is the best point after few trials?

    python benchmarks/bench_controllers.py speed [--outcomes 20 100 500] [--only GP ...]
    python benchmarks/bench_controllers.py quality [--trials 60] [--seeds 5] [--only GP ...]

speed     six parameters (four floats, a number of layers, an alternative): median time of one `recommend(1)` while three jobs run,
          and the time in which a controller is made anew from the journal of as many outcomes
quality   the median over seeds of the best value found, 0 being the optimum, one worker: `bowl` (4 floats), `valley` (6 floats that
          depend on each other), `branches` (three alternatives with parameters of their own), `border` (the optimum lies where
          `require` ends), `trade-off` (two objectives: the share of the dominated area that is missing)
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from automl_run.dsl import ir
from automl_run.engine.controllers.base import Controller, Outcome, Recommendation
from automl_run.engine.controllers.registry import make_controller

NAMES = ("Random", "Sobol", "TPE", "GP", "CmaEs", "NSGA2")


@dataclass(frozen=True)
class Problem:
    """`scores` of a point are to be minimised; `regret` of all scores so far is 0 at best."""

    params: tuple[ir.Param, ...]
    scores: Callable[[ir.Point], tuple[float, ...]]
    requires: tuple[ir.Require, ...] = ()
    regret: Callable[[Sequence[tuple[float, ...]]], float] = lambda seen: min(score[0] for score in seen)
    objectives: int = 1

    def program(self, controller: str, seed: int) -> ir.Program:
        objectives = tuple(ir.Objective(f"loss{i}", "minimize") for i in range(self.objectives))
        study = ir.Study(objectives=objectives, controller=ir.Spec(controller), budget=ir.Budget(), seed=seed, baseline=False)
        return ir.Program(study, self.params, ir.MapNode({}), self.requires)


def real(name: str, lo: float = 0.0, hi: float = 1.0, active: ir.Expr | None = None) -> ir.Param:
    return ir.Param(name, ir.Real(lo, hi), (name,), ((lo + hi) / 2,), active)


def choice(name: str, count: int) -> ir.Param:
    return ir.Param(name, ir.Choice(tuple(ir.Alt(chr(97 + i), (chr(97 + i),)) for i in range(count))), (name,), ("a",))


def area_missing(seen: Sequence[tuple[float, ...]]) -> float:
    """Of the front x + y = 1 in the unit square: the share of the area above it that no point dominates."""
    covered, top = 0.0, 1.0
    for x, y in sorted((max(0.0, x), max(0.0, y)) for x, y in seen if x < 1.0 and y < 1.0):
        if y < top:
            covered += (1.0 - x) * (top - y)
            top = y
    return 1.0 - covered / 0.5


def branches(point: ir.Point) -> tuple[float, ...]:
    best = (0.3, 0.7, 0.5)
    net = int(point["net"])
    own = point[f"net|{net}.a"], point[f"net|{net}.b"]
    return (abs(net - 1) * 0.1 + sum((x - best[net]) ** 2 for x in own) + 0.1 * (point["x"] - 0.2) ** 2,)


def valley(point: ir.Point) -> tuple[float, ...]:
    x = [point[f"x{i}"] * 2.0 for i in range(6)]
    return (sum(10.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2 for i in range(5)),)


def trade_off(point: ir.Point) -> tuple[float, ...]:
    waste = sum((point[name] - 0.3) ** 2 for name in "bcd") / 3 + 0.2 * (point["net"] != 1)
    return point["a"] + waste, 1.0 - point["a"] + waste


NETS = tuple(real(f"net|{i}.{name}", active=ir.IsAlt("net", (i,))) for i in range(3) for name in "ab")
UNDER = ir.Binary("<=", ir.Binary("+", ir.ParamRef("x"), ir.ParamRef("y")), ir.Lit(1.0))
PROBLEMS = {
    "bowl": Problem(
        tuple(real(name) for name in "abcd"), lambda p: (sum((p[name] - 0.3) ** 2 for name in "abcd"),)
    ),
    "valley": Problem(tuple(real(f"x{i}") for i in range(6)), valley),
    "branches": Problem((choice("net", 3), real("x"), *NETS), branches),
    "border": Problem(
        (real("x"), real("y"), real("z")),
        lambda p: (1.0 - p["x"] - p["y"] + (p["x"] - 0.7) ** 2 + (p["z"] - 0.4) ** 2,),
        (ir.Require(UNDER),),
    ),
    "trade-off": Problem((*(real(name) for name in "abcd"), choice("net", 3)), trade_off, (), area_missing, 2),
}  # fmt: skip
SIX = Problem(
    (*(real(name) for name in "abcd"), ir.Param("layers", ir.Int(1, 8), ("layers",), (3,)), choice("net", 3)),
    lambda p: (sum((p[name] - 0.3) ** 2 for name in "abcd") + abs(p["layers"] - 4) / 8 + 0.1 * (p["net"] != 1),),
)


def tried(controller: Controller, problem: Problem, trials: int, at_once: int = 1) -> list[tuple[float, ...]]:
    seen: list[tuple[float, ...]] = []
    running = controller.recommend(at_once - 1)
    while len(seen) < trials:
        running += controller.recommend(1)
        done = running.pop(0)
        assert done.point is not None
        seen.append(problem.scores(done.point))
        controller.observe(Outcome(done.index, "done", seen[-1]))
    return seen


def learnt(name: str, history: Sequence[Recommendation], count: int) -> Controller:
    """All of `history` was recommended, and the first `count` have ended."""
    controller = make_controller(SIX.program(name, 0))
    for entry in history:
        controller.restore(entry)
    for entry in history[:count]:
        assert entry.point is not None
        controller.observe(Outcome(entry.index, "done", SIX.scores(entry.point)))
    return controller


def speed(names: Sequence[str], outcomes: Sequence[int]) -> None:
    print("| controller | outcomes | ms a recommendation | s to restore |\n|-|-|-|-|")
    for name in names:
        for count in outcomes:
            history = make_controller(SIX.program("Random", 0)).recommend(count + 3)
            learnt(name, history, count).recommend(1)  # what is imported late is imported here
            start = time.perf_counter()
            controller = learnt(name, history, count)
            restored = time.perf_counter() - start
            took = []
            for _ in range(7):
                start = time.perf_counter()
                (entry,) = controller.recommend(1)
                took.append(time.perf_counter() - start)
                controller.observe(Outcome(entry.index, "failed", None))
            print(f"| {name} | {count} | {statistics.median(took) * 1000:.1f} | {restored:.2f} |", flush=True)


def quality(names: Sequence[str], trials: int, seeds: int) -> None:
    print(f"| {trials} trials | {' | '.join(PROBLEMS)} |\n|-|{'-|' * len(PROBLEMS)}")
    for name in names:
        row = []
        for problem in PROBLEMS.values():
            if name == "CmaEs" and problem.objectives > 1:
                row.append("-")
                continue
            found = [problem.regret(tried(make_controller(problem.program(name, seed)), problem, trials)) for seed in range(seeds)]
            row.append(f"{statistics.median(found):.3g}")
        print(f"| {name} | {' | '.join(row)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "quality"))
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--outcomes", nargs="+", type=int, default=(20, 100, 500))
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    if args.what == "speed":
        speed(args.only, args.outcomes)
    else:
        quality(args.only, args.trials, args.seeds)


if __name__ == "__main__":
    main()
