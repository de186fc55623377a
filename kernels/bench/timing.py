"""Timing contenders that take turns.

A busy machine slows a whole round, not one contender, so that the ratios within a round stand while the times do not. The order
shifts from round to round. No two calls in a row use the same source.

A turn is some calls in a row, of which the median counts: in training, too, sample follows sample. The first one alone would say
how long code takes that the others have displaced from the caches: with a flip of 64^3 four times as long as the second one.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import count

from .case import Contender

#: torch's OpenMP threads spin for some milliseconds after their work; on few cores they would slow whoever comes next.
SETTLE_S = 0.005
WARM_UP_ROUNDS = 2
CALLS = 3  # in a row
_LONG_S = 0.03  # of calls, after which what was displaced no longer counts
_LEAST_ROUNDS, _MOST_ROUNDS = 5, 31

Quartiles = tuple[float, float, float]


def take_turns(
    contenders: Sequence[Contender],
    *,
    rounds: int | None,
    budget_s: float,
    settle_s: float,
    synchronize: Callable[[], None],
) -> dict[str, list[float]]:
    """Seconds of each contender, one a round. Without `rounds`, as many as fit into `budget_s`, from 5 to 31."""
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    if not contenders:
        return times
    turns = count()
    gc.collect()
    gc.disable()
    try:
        for i in range(WARM_UP_ROUNDS):
            begin = time.perf_counter()
            _round(contenders, i, turns, settle_s, synchronize, times)
            round_s = time.perf_counter() - begin
        for measured in times.values():
            measured.clear()
        if rounds is None:
            rounds = min(max(int(budget_s / round_s), _LEAST_ROUNDS), _MOST_ROUNDS)
        for i in range(rounds):
            _round(contenders, i, turns, settle_s, synchronize, times)
    finally:
        gc.enable()
    return times


def _round(
    contenders: Sequence[Contender],
    number: int,
    turns: count[int],
    settle_s: float,
    synchronize: Callable[[], None],
    times: dict[str, list[float]],
) -> None:
    first = number % len(contenders)
    for contender in (*contenders[first:], *contenders[:first]):
        spans: list[float] = []
        _stay_awake(settle_s)
        while len(spans) < CALLS and sum(spans) < _LONG_S:
            contender.prepare(number)
            turn = next(turns)
            synchronize()
            begin = time.perf_counter()
            result = contender.call(turn)
            synchronize()
            spans.append(time.perf_counter() - begin)
            del result
        times[contender.name].append(statistics.median(spans))


def _stay_awake(span_s: float) -> None:
    """Waits without sleeping: a core that slept is slow for a while, which in training, batch after batch, does not happen."""
    end = time.perf_counter() + span_s
    while time.perf_counter() < end:
        pass


def quartiles(values: Sequence[float]) -> Quartiles:
    """Lower quartile, median and upper quartile, three digits each."""
    if len(values) == 1:
        values = [*values, *values]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return _digits(low), _digits(median), _digits(high)


def ratios(above: Sequence[float], below: Sequence[float]) -> Quartiles:
    """Quartiles of `above` / `below`, taken within each round."""
    return quartiles([a / b for a, b in zip(above, below, strict=True)])


def _digits(value: float) -> float:
    return float(f"{value:.3g}")
