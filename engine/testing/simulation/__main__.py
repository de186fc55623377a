"""python -m automl_run.engine.testing.simulation [--seeds 1000] [--seconds 240] [--mutants quick|all|none] [--table FILE]

Simulates seeds and, with `--mutants`, measures what they find. One JSON line at the end; exit code 1 for a seed that failed,
a mutant that lives, or a kind of fault or fact that hardly occurred.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from automl_run.engine.core.facts import Durable

from .campaign import Kill, kill, run
from .mutants import ALL, QUICK
from .site import FAULTS

#: No mutant gets more seeds than this.
MUTANT_SEEDS = 4000
FACTS = tuple(kind.__name__ for kind in get_args(Durable))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m automl_run.engine.testing.simulation")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=None, help="stop after this much wall time")
    parser.add_argument("--mutants", choices=("quick", "all", "none"), default="none")
    parser.add_argument("--table", type=Path, help="write the kill table there")
    options = parser.parse_args(argv)

    tally = run(range(options.first, options.first + options.seeds), options.seconds)
    rare = tally.rare(FAULTS, FACTS) if tally.seeds >= 500 else []
    for seed, wrong in tally.failures.items():
        print(f"seed {seed}: {'; '.join(wrong[:3])}")
    for line in rare:
        print(f"hardly occurred: {line}")
    began = time.monotonic()
    chosen = {"quick": QUICK, "all": ALL, "none": []}[options.mutants]
    kills: list[Kill] = []
    living: list[str] = []
    for mutant in chosen:
        found = kill(mutant, range(MUTANT_SEEDS))
        if found is None:
            living.append(mutant.name)
            print(f"mutant {mutant.name} lives: {mutant.what}")
        else:
            kills.append(found)
    if options.table is not None and chosen:
        options.table.write_text(json.dumps([asdict(found) for found in kills], indent=1) + "\n", encoding="utf-8")
    record = {
        "seeds": tally.seeds,
        "first": options.first,
        "failed": sorted(tally.failures),
        "turns": tally.turns,
        "wall_s": round(tally.wall_s, 1),
        "faults": dict(tally.faults),
        "facts": dict(tally.facts),
        "mutants": len(chosen),
        "killed": len(kills),
        "found_by_the_end_alone": sum(found.end_only for found in kills),
        "mutants_s": round(time.monotonic() - began, 1),
    }
    print(json.dumps(record))
    return 1 if tally.failures or living or rare else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
