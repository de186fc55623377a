"""The engine in a simulated world of faults, an oracle that knows the contract only, and seeded bugs that measure both."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from proof_scale import SCALE, count, record

from automl_run.engine.testing import oracle
from automl_run.engine.testing.simulation.__main__ import FACTS
from automl_run.engine.testing.simulation.campaign import kill, run
from automl_run.engine.testing.simulation.mutants import ALL, QUICK, Mutant
from automl_run.engine.testing.simulation.site import FAULTS, Site

TABLE = {line["mutant"]: line for line in json.loads(Path(__file__).with_name("kill_table.json").read_text(encoding="utf-8"))}
SEEDS = count("PROOF_SEEDS", quick=40, proof=1000, soak=20_000)
#: Parts run side by side where there are cores.
PARTS = 1 if SCALE == "quick" else 2
MUTANT_SEEDS = count("PROOF_MUTANT_SEEDS", quick=300, proof=1000, soak=6000)
MUTANTS = ALL if SCALE == "soak" else QUICK


@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_seed_breaks_an_invariant(part: int) -> None:
    """A failing seed becomes a test of its own, below."""
    each = SEEDS // PARTS
    seeds = range(part * each, (part + 1) * each)
    tally = run(seeds, float(count("PROOF_SECONDS", quick=60, proof=240, soak=36_000)))
    record(
        "simulation",
        part=part,
        seeds=tally.seeds,
        failed=sorted(tally.failures),
        turns=tally.turns,
        wall_s=round(tally.wall_s, 1),
        faults=dict(tally.faults),
        facts=dict(tally.facts),
    )
    assert tally.failures == {}
    if SCALE != "quick":
        # Each part holds half of the seeds, so half of "often".
        few = [kind for kind in FAULTS if tally.faults[kind] * PARTS < 20] + [
            kind for kind in FACTS if tally.facts[kind] * PARTS < 20
        ]
        assert few == [], "this campaign does not count: these hardly occurred"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_seeded_bug_is_found(mutant: Mutant) -> None:
    first = TABLE[mutant.name]["seed"]
    found = kill(mutant, [first, *range(MUTANT_SEEDS)])
    assert found is not None, f"nothing tests this: {mutant.what}"
    record("mutant", mutant=mutant.name, seed=found.seed, invariant=found.invariant, end_only=found.end_only)


def test_the_kill_table_has_every_mutant() -> None:
    """It is made with: python -m automl_run.engine.testing.simulation --seeds 1 --mutants all --table FILE"""
    assert set(TABLE) == {mutant.name for mutant in ALL}
    assert {mutant.name: mutant.what for mutant in ALL} == {name: line["what"] for name, line in TABLE.items()}
    assert len(QUICK) == 12
    # Written into the page by: python docs/fill_reliability.py
    page = (Path(__file__).parents[3] / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert all(f"| {line['what']} | {line['invariant']} | {line['seed']} |" in page for line in TABLE.values())


@pytest.mark.parametrize("seed", [7, 26, 35, 38, 100, 119, 122, 281, 570, 576, 1580])
@pytest.mark.parametrize("harsh", [False, True])
def test_seeds_that_once_failed(seed: int, harsh: bool) -> None:
    assert run([seed]).failures == {}
    ending = Site(seed, harsh=harsh).run()
    assert oracle.judge(ending.journal, ending.events, ending.left, ending.ended, ending.table) == []


def test_a_seed_gives_one_history() -> None:
    one, two = Site(11).run(), Site(11).run()
    assert one.journal == two.journal
    assert repr(one.events) == repr(two.events)


def test_the_oracle_finds_what_is_done_to_a_history() -> None:
    """Each fact that is taken out, doubled or moved is noticed, or did not matter to any promise."""
    ending = next(found for seed in range(20) if len((found := Site(seed).run()).journal) > 30 and found.table["run"] == "done")
    draw = random.Random(1)
    for kind in ("Assigned", "Ended", "Recommended"):
        rows = [row for row, fact in enumerate(ending.journal) if fact["f"] == kind]
        for row in draw.sample(rows, min(3, len(rows))):
            doubled = [*ending.journal[: row + 1], *ending.journal[row:]]
            wrong = oracle.judge(doubled, ending.events, ending.left, ending.ended, ending.table)
            assert wrong, f"a doubled {kind} was not noticed"
            if kind != "Recommended":
                without = ending.journal[:row] + ending.journal[row + 1 :]
                assert oracle.judge(without, ending.events, ending.left, ending.ended, ending.table), f"a lost {kind}"
