"""Many seeds, judged; and the kill table of the mutants."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from automl_run.engine.testing import oracle

from .mutants import Mutant
from .site import Ending, Site

#: A campaign counts when each kind of fault and of fact occurred this often.
OFTEN = 20


@dataclass
class Tally:
    """`failures`: seed -> what was wrong."""

    seeds: int = 0
    turns: int = 0
    failures: dict[int, list[str]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)
    wall_s: float = 0.0

    def add(self, ending: Ending, wrong: list[str]) -> None:
        self.seeds += 1
        self.faults.update(ending.faults)
        self.facts.update(fact["f"] for fact in ending.journal)
        if wrong:
            self.failures[ending.seed] = wrong

    def rare(self, faults: Iterable[str], facts: Iterable[str]) -> list[str]:
        """Which of these kinds occurred less than `OFTEN` times."""
        counts = [(kind, self.faults[kind]) for kind in faults] + [(kind, self.facts[kind]) for kind in facts]
        return [f"{kind}: {count}" for kind, count in counts if count < OFTEN]


def judge(ending: Ending) -> list[str]:
    wrong = oracle.judge(ending.journal, ending.events, ending.left, ending.ended, ending.table)
    return wrong + oracle.differing_replays(ending.events)


def run(seeds: Iterable[int], budget_s: float | None = None) -> Tally:
    """Seeds in turn, for as long as the budget of wall time allows."""
    tally = Tally()
    began = time.monotonic()
    for seed in seeds:
        site = Site(seed)
        ending = site.run()
        tally.add(ending, judge(ending))
        tally.turns += site.world.turns
        tally.wall_s = time.monotonic() - began
        if budget_s is not None and tally.wall_s >= budget_s:
            break
    return tally


@dataclass(frozen=True)
class Kill:
    """`end_only`: whether a look at the end of this run alone would have found it."""

    mutant: str
    what: str
    seed: int
    invariant: str
    finding: str
    end_only: bool


def kill(mutant: Mutant, seeds: Iterable[int]) -> Kill | None:
    """The first of `seeds` that brings `mutant` to light; None: it lives. Every second seed is a harsh one."""
    with mutant.patch():
        for seed in seeds:
            try:
                ending = Site(seed, harsh=seed % 2 == 1).run()
                wrong = judge(ending)
                end_only = bool(oracle.judge_end_only(ending.journal, ending.left, ending.ended))
            except Exception as error:
                wrong, end_only = [f"crash: {type(error).__name__}: {error}"], True
            if wrong:
                invariant, _, finding = wrong[0].partition(": ")
                return Kill(mutant.name, mutant.what, seed, invariant, finding, end_only)
    return None
