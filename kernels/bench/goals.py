"""What the kernels are meant to reach on two threads, and whether a row reaches it.

Ratios: times MONAI's speed, times the best peer's speed, and how many times as long as copying the bytes once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """Least ratios to MONAI and to the best peer and greatest to the copy floor; None where nothing is promised.

    They hold on two or more threads, those of `one_thread` on one. Where nothing is said of MONAI, `NEVER_BELOW` holds.
    """

    monai: float | None = None
    peer: float | None = None
    floor: float | None = None
    one_thread: Goal | None = None

    def on(self, threads: int) -> Goal:
        goal = self if threads > 1 else self.one_thread or Goal()
        return goal if goal.monai is not None else Goal(NEVER_BELOW, goal.peer, goal.floor)


#: No transform may be slower than MONAI's by more than what a measurement cannot tell.
NEVER_BELOW = 0.95
NOT_SLOWER = Goal()

FLIP = Goal(monai=5, peer=1, floor=1.1)
FLIP_LARGE = Goal(peer=1, floor=1.1)
ROTATE90 = Goal(monai=5, peer=2.5, floor=1.5)
CROP = Goal(monai=4, peer=1.5, floor=1.1)
SPACING = Goal(monai=50, peer=5, floor=2)
RESIZE = Goal(monai=5, peer=5, floor=2)
SPACING_PAIR = Goal(monai=50, peer=4, floor=3)
AFFINE_PAIR = Goal(monai=25, peer=8, floor=7)
LIGHT = Goal(monai=6.5, peer=2, floor=1.15, one_thread=Goal(monai=5, peer=2, floor=1.4))
HEAVY_EXACT = Goal(monai=20, peer=11, floor=6, one_thread=Goal(monai=12))
HEAVY_FAST = Goal(monai=30, peer=18, floor=4.5, one_thread=Goal(monai=18))
GPU_RAND_AFFINE = Goal(monai=200, peer=20, one_thread=Goal(monai=200, peer=20))


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise: its `target`, what was `reached`, and whether that is enough."""

    target: float
    reached: float
    met: bool


def judge(goal: Goal, threads: int, monai: float | None, peer: float | None, floor: float | None) -> Mapping[str, Verdict]:
    """The promises of `goal` that could be measured, by name; a missing measurement (None) is no verdict."""
    goal = goal.on(threads)
    verdicts = {}
    if goal.monai is not None and monai is not None:
        verdicts["MONAI"] = Verdict(goal.monai, monai, monai >= goal.monai)
    if goal.peer is not None and peer is not None:
        verdicts["best peer"] = Verdict(goal.peer, peer, peer >= goal.peer)
    if goal.floor is not None and floor is not None:
        verdicts["copy floor"] = Verdict(goal.floor, floor, floor <= goal.floor)
    return verdicts
