"""The part of the oracle that knows pruners: it has their rules in words of its own, and shares no code with the engine."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Record = dict[str, Any]
#: Of a job: (resource, value), the resource rising.
_Curve = list[tuple[int, float]]


def pruned(journal: Sequence[Record]) -> Iterator[str]:
    """I2: a job is told to stop as pruned where the rule says so, at once and never else, and ends so with what it had then."""
    rule = journal[0].get("pruner") if journal else None
    curves: dict[str, _Curve] = defaultdict(list)
    told: dict[str, int] = defaultdict(int)
    index: dict[str, int] = {}
    repetition: dict[str, int] = {}
    ends: dict[str, str] = {}
    stopping: set[str] = set()
    given_up: dict[str, float] = {}
    due: str | None = None
    for fact in journal:
        kind, name = fact["f"], fact.get("job", "")
        asked = kind == "StopAsked" and fact["why"] == "pruned"
        if due is not None and not (asked and name == due):
            yield f"I2: {due} was not pruned where it had to be, then came {kind}"
        if asked and name != due:
            yield f"I2: {name} was pruned without a cause"
        due = None
        if kind == "Assigned":
            index[name], repetition[name], told[name] = fact["index"], fact.get("repetition", 0), 0
            stopping.discard(name)
            if name in given_up:
                yield f"I2: {name} was pruned, and is tried again"
        elif kind == "StopAsked":
            stopping.add(name)
            if asked and curves[name]:
                given_up[name] = curves[name][-1][1]
        elif kind == "Ended":
            ends[name] = fact["state"]
            if (fact["cause"] == "pruned") != (name in given_up and fact["state"] == "stopped"):
                yield f"I2: {name} ended as {fact['state']} ({fact['cause']}); pruned: {name in given_up}"
            elif fact["cause"] == "pruned" and fact["scores"] != [given_up.get(name)]:
                yield f"I2: {name} was pruned at {given_up.get(name)}, and has {fact['scores']}"
        elif kind == "Reported" and rule is not None and repetition.get(name) == 0 and rule["metric"] in fact["values"]:
            told[name] += 1
            at = told[name] if rule.get("resource") == "reports" else fact["step"]
            curve = curves[name]
            if name in given_up or (curve and at <= curve[-1][0]):
                continue
            curve.append((at, fact["values"][rule["metric"]]))
            others = [
                (other, ends.get(other)) for other in index
                if other != name and repetition[other] == 0 and ends.get(other) not in ("failed", "infeasible")
            ]  # fmt: skip
            if index[name] and name not in stopping and _is_due(rule, curve, [(curves[other], end) for other, end in others]):
                due = name
    if due is not None:
        yield f"I2: {due} was not pruned where it had to be, at the end"


def _is_due(rule: Mapping[str, Any], curve: _Curve, others: Sequence[tuple[_Curve, str | None]]) -> bool:
    sign = 1.0 if rule["direction"] == "maximize" else -1.0
    at, value = curve[-1]
    if rule["name"] == "Median":
        done = [other for other, end in others if end == "done"]
        there = [[sign * v for place, v in other if place <= at][-1:] for other in done if other and other[-1][0] >= at]
        values = [last for found in there for last in found]
        if len(done) < rule["startup"] or at < rule["warmup"] or not values:
            return False
        return max(sign * v for _, v in curve) < statistics.median(values)
    rungs = [rule["min"] * rule["eta"] ** k for k in range(64)]
    before = curve[-2][0] if len(curve) > 1 else 0
    for rung in (rung for rung in rungs if before < rung <= at):
        first = [next((sign * v for place, v in other if place >= rung), None) for other, _ in others]
        field = sorted([sign * value, *(found for found in first if found is not None)], reverse=True)
        if sign * value < field[max(1, len(field) // rule["eta"]) - 1]:
            return True
    return False
