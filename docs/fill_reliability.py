"""python docs/fill_reliability.py [proof.jsonl]: writes the measured parts of reliability.md.

The kill table comes from tests/engine/proof/kill_table.json; with a record of `make soak`, its newest run is the night's.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGE = HERE / "reliability.md"
TABLE = HERE.parent / "tests" / "engine" / "proof" / "kill_table.json"

Line = dict[str, Any]


def kill_table(lines: Sequence[Line], quick: set[str]) -> str:
    rows = ["| mutant | the mistake | found by | first seed | seen at the end alone |", "|-|-|-|-|-|"]
    for line in lines:
        star = " *" if line["mutant"] in quick else ""
        end = "yes" if line["end_only"] else "no"
        rows.append(f"| `{line['mutant']}`{star} | {line['what']} | {line['invariant']} | {line['seed']} | {end} |")
    return "\n".join(rows)


def _sum(lines: Sequence[Line], key: str) -> int:
    return sum(line[key] for line in lines)


def _simulation(lines: Sequence[Line]) -> str:
    kinds: dict[str, int] = defaultdict(int)
    for line in lines:
        for kind, times in {**line["faults"], **line["facts"]}.items():
            kinds[kind] += times
    rarest = min(kinds, key=lambda kind: kinds[kind])
    failed = sorted(seed for line in lines for seed in line["failed"])
    broke = f"failed: {', '.join(map(str, failed))}" if failed else "none failed"
    return (
        f"{_sum(lines, 'seeds'):,} seeds from 0, {_sum(lines, 'turns'):,} turns, {broke}; rarest: {rarest}, {kinds[rarest]} times"
    )


def _kills(lines: Sequence[Line]) -> str:
    of: dict[str, int] = defaultdict(int)
    for line in lines:
        for kind, times in line["of"].items():
            of[kind] += times
    each = ", ".join(f"{kind} {times}" for kind, times in sorted(of.items()))
    return f"{_sum(lines, 'kills')} kills in {_sum(lines, 'runs')} runs ({each})"


def _boundaries(lines: Sequence[Line]) -> str:
    return f"{len({line['boundary'] for line in lines})} boundaries, before and after, {_sum(lines, 'repeats')} kills, each hit"


def _times(lines: Sequence[Line]) -> str:
    return f"{len(lines)} times"


#: what a record is about -> how the night has it, and its figures
ROWS: dict[str, tuple[str, Callable[[Sequence[Line]], str]]] = {
    "simulation": ("simulation", _simulation),
    "mutant": ("seeded bugs", lambda lines: f"{len({line['mutant'] for line in lines})} mutants, all found"),
    "state machine": ("state machine", lambda lines: f"{_sum(lines, 'examples'):,} examples of {lines[0]['steps']} steps"),
    "kill at a boundary": ("SIGKILL at each boundary", _boundaries),
    "kill -9 at random": ("kill -9 at random", _kills),
    "decoder fuzz": ("hostile bytes, decoder", lambda lines: f"{_sum(lines, 'bodies'):,} bodies"),
    "live fuzz": ("hostile bytes, live socket", lambda lines: f"{_sum(lines, 'visits'):,} visits in {_sum(lines, 'runs')} runs"),
    "SIGSTOP": ("SIGSTOP of scheduler and agent", lambda lines: f"{_sum(lines, 'repeats')} times"),
    "full disk": ("full disk", _times),
    "foreign or damaged journal": ("foreign or damaged journal", _times),
    "two schedulers": ("two schedulers", _times),
    "read-only folder": ("read-only folder", _times),
    "strace": ("strace", lambda lines: f"{_sum(lines, 'syncs')} syncs, {_sum(lines, 'acks')} acknowledgements"),
}


def night(lines: Sequence[Line]) -> str:
    """The newest run: a line more than six hours before the last one is of another night."""
    newest = max(line["at"] for line in lines)
    lines = [line for line in lines if line["scale"] == "soak" and _hours_before(line["at"], newest) < 6]
    if not lines:
        raise SystemExit("the record has no line of a `make soak`")
    first, last = min(line["at"] for line in lines), max(line["at"] for line in lines)
    host = lines[-1]
    rows = [
        f"{first[:16].replace('T', ' ')} to {last[11:16]} UTC, Linux {host['kernel']} {host['host']}, {host['cores']} cores, "
        f"{host['file_system']}.",
        "",
        "| row | what was done | seconds |",
        "|-|-|-|",
    ]
    for what, (name, figures) in ROWS.items():
        mine = [line for line in lines if line["what"] == what]
        took = f"{sum(line['seconds'] for line in mine):,.0f}" if mine else "-"
        rows.append(f"| {name} | {figures(mine) if mine else 'not in this run'} | {took} |")
    failed = sorted({line["test"] for line in lines if line["what"] == "failed"})
    rows += [f"| failed | {', '.join(f'`{test}`' for test in failed)} | |"] if failed else []
    return "\n".join(rows)


def _hours_before(at: str, newest: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(newest) - datetime.fromisoformat(at)).total_seconds() / 3600


def filled(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}{text}{end}{tail}"


def main(argv: Sequence[str]) -> int:
    from automl_run.engine.testing.simulation.mutants import QUICK

    page = PAGE.read_text(encoding="utf-8")
    page = filled(page, "kill table", kill_table(json.loads(TABLE.read_text(encoding="utf-8")), {mutant.name for mutant in QUICK}))
    if argv:
        lines = [json.loads(line) for line in Path(argv[0]).read_text(encoding="utf-8").splitlines() if line.strip()]
        page = filled(page, "night", night(lines))
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
