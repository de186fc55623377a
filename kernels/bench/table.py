"""Results as a table in Markdown and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .case import OURS
from .goals import Verdict
from .measurement import Result, Row
from .timing import Quartiles

HEAD = """\
Medians of ratios within a round (quartiles). MONAI / ours, MONAI lazy / ours, best peer / ours: how many times faster ours is.
Ours / copy floor: how many times as long as copying the bytes once.

| case | threads | MONAI / ours | MONAI lazy / ours | best peer / ours | ours / copy floor | goals |
|-|-|-|-|-|-|-|"""


def lines(result: Result) -> list[str]:
    """A line of the table for each of our contenders, and for what was wrong."""
    rows = [f"| {_name(result, row)} | {result.threads} | {' | '.join(_cells(row))} |" for row in result.rows]
    if OURS in result.wrong:
        rows.insert(0, f"| {result.case} | {result.threads} | wrong | | | | |")
    rows += [
        f"| {result.case} | {result.threads} | WRONG, not timed: {name}: {fault} | | | | |" for name, fault in result.wrong.items()
    ]
    return rows


def document(result: Result) -> dict[str, object]:
    """The result as one JSON object: `dataclasses.asdict`, and each row's best peer by name."""
    shown: dict[str, object] = dataclasses.asdict(result)
    shown["rows"] = [{**dataclasses.asdict(row), "best_peer": row.best_peer} for row in result.rows]
    return shown


def result_of(document: Mapping[str, Any]) -> Result:
    """The result that `document` shows."""
    rows = [
        Row(
            subject=row["subject"],
            monai=_quartiles(row["monai"]),
            lazy=_quartiles(row["lazy"]),
            peers={name: (low, median, high) for name, (low, median, high) in row["peers"].items()},
            floor=_quartiles(row["floor"]),
            verdicts={name: Verdict(**verdict) for name, verdict in row["verdicts"].items()},
        )
        for row in document["rows"]
    ]
    ms = {name: (low, median, high) for name, (low, median, high) in document["ms"].items()}
    known = {field.name: document[field.name] for field in dataclasses.fields(Result)}
    return Result(**{**known, "rows": rows, "ms": ms})


def _quartiles(values: list[float] | None) -> Quartiles | None:
    return None if values is None else (values[0], values[1], values[2])


def summary(results: list[Result]) -> list[str]:
    """How many goals are met, and which are not."""
    judged = [(result, row, name, verdict) for result in results for row in result.rows for name, verdict in row.verdicts.items()]
    missed = [entry for entry in judged if not entry[3].met]
    said = [f"{len(judged) - len(missed)} of {len(judged)} goals met."]
    said += [
        f"not met: {_name(result, row)}, {result.threads} thread{'s' * (result.threads > 1)}: {name} "
        f"{verdict.reached:.3g}, goal {verdict.target:g}"
        for result, row, name, verdict in missed
    ]
    faults = dict.fromkeys(f"WRONG: {result.case}: {name}: {fault}" for result in results for name, fault in result.wrong.items())
    absent = sorted({(name, why) for result in results for name, why in result.missing.items()})
    said += faults
    said += [f"left out: {name}: {why}" for name, why in absent]
    return said


def _cells(row: Row) -> list[str]:
    best = row.best_peer
    peer = f"{_shown(row.peers[best])} {best}" if best else "-"
    missed = [
        f"{name} {'<=' if name == 'copy floor' else '>='} {verdict.target:g}"
        for name, verdict in row.verdicts.items()
        if not verdict.met
    ]
    verdict = "-" if not row.verdicts else f"not met: {', '.join(missed)}" if missed else "met"
    return [_shown(row.monai), _shown(row.lazy), peer, _shown(row.floor), verdict]


def _name(result: Result, row: Row) -> str:
    return result.case + ("" if row.subject == OURS else row.subject.removeprefix(OURS))


def _shown(values: Quartiles | None) -> str:
    if values is None:
        return "-"
    low, median, high = (f"{value:.2g}" if value < 100 else f"{value:.0f}" for value in values)
    return f"{median} ({low}-{high})"
