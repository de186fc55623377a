"""A run in a few lines: for each group of cases its median case, on each number of threads, and how many goals the group meets."""

from __future__ import annotations

from collections.abc import Sequence

from .case import MONAI, OURS, SUBJECTS
from .measurement import Result, Row

OVERVIEW_HEAD = """\
One row for each group of cases: the case whose MONAI / ours is the group's median. Medians of ratios within a round, on {threads}.

| group | cases | the median case | MONAI / ours | MONAI lazy / ours | best peer / ours | ours / copy floor | goals met |
|-|-|-|-|-|-|-|-|"""


def overview(results: Sequence[Result]) -> list[str]:
    """The table, head first: a row for each group and contender of ours, its cells with a ratio for each number of threads."""
    counts = sorted({result.threads for result in results}) or [1]
    threads = ", ".join(map(str, counts)) + (" thread" if counts == [1] else " threads")
    table = [OVERVIEW_HEAD.format(threads=threads)]
    for median in median_cases([result for result in results if result.threads == counts[-1]]):
        members = [result for result in results if result.group == median.group]
        cases = len({result.case for result in members})
        for subject in SUBJECTS:
            rows = [row for result in members if result.case == median.case for row in result.rows if row.subject == subject]
            if rows:
                name = median.group + subject.removeprefix(OURS)
                table.append(f"| {name} | {cases} | {median.case} | {' | '.join(_cells(rows))} | {_goals(members, subject)} |")
    return table


def median_cases(results: Sequence[Result]) -> list[Result]:
    """Of each group, in the order in which they come, the result whose ratio to MONAI is the group's median."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        if OURS in result.ms and MONAI in result.ms:
            groups.setdefault(result.group, []).append(result)
    return [
        sorted(members, key=lambda result: result.ms[MONAI][1] / result.ms[OURS][1])[len(members) // 2]
        for members in groups.values()
    ]


def _cells(rows: Sequence[Row]) -> list[str]:
    """The ratios of one case, one row for each number of threads."""
    peers = [f"{_shown(row.peers[row.best_peer][1])} {row.best_peer}" if row.best_peer else "-" for row in rows]
    columns = [
        [_shown(values[1]) if values else "-" for values in column]
        for column in ([row.monai for row in rows], [row.lazy for row in rows], [row.floor for row in rows])
    ]
    monai, lazy, floor = (", ".join(cells) for cells in columns)
    return [monai, lazy, ", ".join(peers), floor]


def _goals(members: Sequence[Result], subject: str) -> str:
    verdicts = [
        verdict.met for result in members for row in result.rows if row.subject == subject for verdict in row.verdicts.values()
    ]
    return f"{sum(verdicts)} of {len(verdicts)}" if verdicts else "-"


def _shown(ratio: float) -> str:
    return f"{ratio:.2g}" if ratio < 100 else f"{ratio:.0f}"
