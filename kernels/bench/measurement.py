"""From a case to its rows: every contender's result is checked, those that are right take turns, ratios are judged."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from automl_run import kernels

from .case import FLOOR, LAZY, MONAI, PLAIN, SUBJECTS, Arrays, Case, Contender, Spec
from .checks import arrays, unchecked
from .goals import Verdict, judge
from .machine import ring_length
from .timing import SETTLE_S, Quartiles, quartiles, ratios, take_turns


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure: `rounds` None takes as many as fit into `budget_s` a case."""

    threads: tuple[int, ...] = (1, 2)
    rounds: int | None = None
    budget_s: float = 3.0
    settle_s: float = SETTLE_S


@dataclass(frozen=True, slots=True)
class Row:
    """One of our contenders beside the others: quartiles of their time / ours, and of ours / the floor's."""

    subject: str
    monai: Quartiles | None
    lazy: Quartiles | None
    peers: Mapping[str, Quartiles]
    floor: Quartiles | None
    verdicts: Mapping[str, Verdict]

    @property
    def best_peer(self) -> str | None:
        """The fastest contender that is neither MONAI nor ours."""
        return min(self.peers, key=lambda name: self.peers[name][1], default=None)


@dataclass(frozen=True, slots=True)
class Result:
    """A measured case. `wrong`: contenders whose result was not right, with what is wrong; they were not timed."""

    case: str
    group: str
    threads: int
    rounds: int
    ms: Mapping[str, Quartiles]
    rows: Sequence[Row]
    wrong: Mapping[str, str]
    missing: Mapping[str, str]

    @property
    def ours_wrong(self) -> bool:
        return any(name in self.wrong for name in SUBJECTS)


def measure(specs: Sequence[Spec], options: Options) -> Iterator[Result]:
    """Each case on each number of threads, as soon as it is measured. Leaves torch's number of threads as it was."""
    kernels.warm_up()
    before = torch.get_num_threads()
    try:
        for spec in specs:
            for threads in options.threads:
                torch.set_num_threads(threads)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # other libraries' own; ours has none
                    yield _measure(spec, threads, options)
    finally:
        torch.set_num_threads(before)


def _measure(spec: Spec, threads: int, options: Options) -> Result:
    case = spec.build(threads)
    try:
        right, wrong, written_bytes = _checked(case)
        timed = any(contender.name in SUBJECTS for contender in right)
        moved = (case.read_bytes + written_bytes) if case.read_bytes else 0
        floor = case.floor or (copy_of(moved // 2, spec.gpu) if moved else None)
        times = take_turns(
            [*right, *([floor] if floor else [])] if timed else [],
            rounds=options.rounds if case.rounds is None or options.rounds is not None else case.rounds,
            budget_s=options.budget_s,
            settle_s=options.settle_s if threads > 1 else 0.0,
            synchronize=torch.cuda.synchronize if spec.gpu else _nothing,
        )
    finally:
        if case.close is not None:
            case.close()
    return Result(
        case=spec.name,
        group=spec.group,
        threads=threads,
        rounds=len(next(iter(times.values()), [])),
        ms={name: quartiles([value * 1e3 for value in values]) for name, values in times.items()},
        rows=[_row(spec, subject, threads, times) for subject in SUBJECTS if subject in times],
        wrong=wrong,
        missing=dict(case.missing),
    )


def _checked(case: Case) -> tuple[list[Contender], dict[str, str], int]:
    """The contenders that are right, what is wrong with the others, and the size in bytes of a result of ours (else MONAI's)."""
    reference: Arrays = []
    right, wrong, written = [], {}, 0
    for contender in case.contenders:
        try:
            contender.prepare(0)
            result = arrays(contender.call(0))
            if contender.check is unchecked:
                reference = result
            fault = contender.check(result, reference)
        except Exception as error:
            # What another library raises is its own; what ours raises is shown as wrong, and the command fails.
            fault = f"{type(error).__name__}: {error}".splitlines()[0]
            if contender.name == MONAI:
                raise
        if fault:
            wrong[contender.name] = fault
            continue
        right.append(contender)
        if contender.name == MONAI or contender.name in SUBJECTS:
            written = sum(array.nbytes for array in result)
    return right, wrong, written


def _row(spec: Spec, subject: str, threads: int, times: Mapping[str, Sequence[float]]) -> Row:
    ours = times[subject]
    others = {name: ratios(values, ours) for name, values in times.items() if name not in (*SUBJECTS, FLOOR)}
    monai, lazy = others.pop(MONAI), others.pop(LAZY, None)
    floor = ratios(ours, times[FLOOR]) if FLOOR in times else None
    best = min((quartile[1] for quartile in others.values()), default=None)
    compared = None if subject == PLAIN else monai  # without metadata there is less to do than MONAI did
    return Row(
        subject=subject,
        monai=compared,
        lazy=None if subject == PLAIN else lazy,
        peers=others,
        floor=floor,
        verdicts=judge(spec.goal(subject), threads, compared and compared[1], best, floor and floor[1]),
    )


def copy_of(size: int, gpu: bool) -> Contender:
    """The floor: `size` bytes read and as many written, by torch's threads, into memory that is there already."""
    device = "cuda" if gpu else "cpu"
    sources = [torch.ones(size, dtype=torch.uint8, device=device) for _ in range(ring_length(size))]
    target = torch.zeros_like(sources[0])
    return Contender(FLOOR, lambda turn: target.copy_(sources[turn % len(sources)]), unchecked)


def _nothing() -> None:
    """A CPU has finished when it returns."""
