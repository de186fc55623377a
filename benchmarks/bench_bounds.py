"""What stands in the way of the goals that the transforms miss: memory, bookkeeping or arithmetic, each measured beside ours.

    python benchmarks/bench_bounds.py                    # of benchmarks/transforms.jsonl, on the machine that it was measured on
    python benchmarks/bench_bounds.py RESULTS.jsonl
    python benchmarks/bench_bounds.py --write            # into benchmarks/README.md, between its marks

Every missed goal asks for a time. Three contenders take turns with ours, in the rounds of its case, each a part of what ours does:

- copy floor: as many bytes read and written once, by `torch.Tensor.copy_` on as many threads
- bookkeeping and a copy: our own call with every voxel left alone (MONAI's draws, metadata and records, in Python), and that copy
- in the caches: our own call on one volume again and again. A pipeline takes its crops from one volume little larger than they are

What takes longer than the goal allows stands in its way, and the first of the three that does is named. Where none does, it is what
ours takes beyond all three: voxels that come from memory while nothing else can be done. A part that took over a tenth longer
than ours, for it allocates twice or the machine was busy, is marked with ~: it does not prove that the goal is out of reach.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import monai.transforms as mt
import torch

from automl_run import kernels
from automl_run.kernels import bench
from automl_run.kernels.bench import pipelines, sources
from automl_run.kernels.bench.case import FAST, FLOOR, MONAI, SUBJECTS, Case, Contender, Spec
from automl_run.kernels.bench.checks import arrays, unchecked
from automl_run.kernels.bench.goals import Verdict
from automl_run.kernels.bench.measurement import copy_of
from automl_run.kernels.fusion import noise

ROOT = Path(__file__).resolve().parents[1]
MARKS = ("<!-- bounds: written by bench_bounds.py -->", "<!-- end of bounds -->")
HEAD = (
    "| case | threads | copy floor ms | bookkeeping and a copy ms | in the caches ms | ours ms | missed: ms allowed, reason |",
    "|-|-|-|-|-|-|-|",
)
STILL, HOT = ", bookkeeping and a copy", ", in the caches"
ROUNDS = 9
_APART = 1.1  # times ours: more than two measurements of one thing differ by
STEPS = {"crop": pipelines.crop_steps, "light": pipelines.light_steps, "heavy": pipelines.heavy_steps}

#: While it holds something, every voxel is left alone.
_left_alone: list[bool] = []


@contextlib.contextmanager
def voxel_switch() -> Iterator[None]:
    """Lets `without_voxels` turn off what touches voxels, which costs a call no more than a look at a list."""
    replaced: list[tuple[object, str, object]] = []

    def switch(owner: object, name: str, instead: Callable[..., object]) -> None:
        work = getattr(owner, name)
        replaced.append((owner, name, work))
        setattr(owner, name, lambda *args, **kwargs: instead(*args) if _left_alone else work(*args, **kwargs))

    for name, module in list(sys.modules.items()):
        if name.startswith("automl_run.kernels.cpu.") and hasattr(module, "run_in_slabs"):
            switch(module, "run_in_slabs", lambda *_: [])
    switch(noise, "exact_normal", lambda *_: None)
    switch(torch, "flip", lambda volume, _: volume)
    try:
        yield
    finally:
        for owner, name, work in replaced:
            setattr(owner, name, work)


@contextlib.contextmanager
def without_voxels() -> Iterator[None]:
    """Inside `voxel_switch`: kernels return at once, and flips leave the image as it is."""
    _left_alone.append(True)
    try:
        yield
    finally:
        _left_alone.pop()


def with_parts(spec: Spec) -> Spec:
    """`spec` with, beside each of our contenders, the two that do a part of it."""

    def still(contender: Contender, copy: Callable[[int], object]) -> Callable[[int], object]:
        def call(turn: int) -> object:
            with without_voxels():
                done = contender.call(turn)
            copy(turn)
            return done

        return call

    def build(threads: int) -> Case:
        case = spec.build(threads)
        case.contenders = [contender for contender in case.contenders if contender.name in (MONAI, *SUBJECTS)]
        for contender in case.contenders[1:]:
            copy = copy_of((case.read_bytes + _written_bytes(contender)) // 2, gpu=False).call
            case.add(contender.name + STILL, still(contender, copy), unchecked, contender.prepare)
            case.add(contender.name + HOT, _hot(spec, contender), unchecked, contender.prepare)
        return case

    return replace(spec, build=build)


def _written_bytes(contender: Contender) -> int:
    contender.prepare(0)
    return sum(array.nbytes for array in arrays(contender.call(0)))


def _hot(spec: Spec, contender: Contender) -> Callable[[int], object]:
    kind = spec.name.partition(" ")[0]
    if " 4 x " not in spec.name or kind not in STEPS:
        return lambda _: contender.call(0)
    edge = int(spec.name.partition(" 4 x ")[2].partition("^")[0])
    fused = kernels.fuse(mt.Compose(STEPS[kind](edge)), noise="fast" if contender.name == FAST else "exact")
    item = sources.items((edge + 8,) * 3, count=1)[0]
    return lambda _: fused.batch([dict(item) for _ in range(pipelines.BATCH)])


def rows(results: Sequence[bench.Result], reasons: Counter[str]) -> Iterator[str]:
    """Every case that missed a goal; `reasons` counts what stands in the way."""
    specs = {spec.name: spec for spec in bench.all_specs()}
    for result in results:
        missed = {row.subject: {k: v for k, v in row.verdicts.items() if not v.met} for row in result.rows}
        if not any(missed.values()) or FLOOR not in result.ms or result.case not in specs:
            continue
        options = bench.Options(threads=(result.threads,), rounds=ROUNDS)
        measured = next(bench.measure([with_parts(specs[result.case])], options))
        for subject, verdicts in missed.items():
            if not verdicts:
                continue
            ms = {name: quartiles[1] for name, quartiles in measured.ms.items()}
            ours = ms[subject]
            parts = {"memory": ms[FLOOR], "bookkeeping": ms[subject + STILL], "arithmetic": ms[subject + HOT]}
            said = []
            for name, verdict in verdicts.items():
                allowed = ours * _share(name, verdict)
                reason = next((part for part, span in parts.items() if span > allowed), "cold memory")
                reasons[reason] += 1
                mark = "~" if parts.get(reason, 0.0) > _APART * ours else ""
                said.append(f"{name} {verdict.reached:.2g} of {verdict.target:g}: {allowed:.2g}, {mark}{reason}")
            title = result.case + subject.removeprefix("ours")
            spans = " | ".join(f"{span:.2g}" for span in (*parts.values(), ours))
            yield f"| {title} | {result.threads} | {spans} | {'; '.join(said)} |"


def _share(name: str, verdict: Verdict) -> float:
    """Of the time that was taken, what the goal allows."""
    return verdict.target / verdict.reached if name == "copy floor" else verdict.reached / verdict.target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=Path, default=ROOT / "benchmarks" / "transforms.jsonl")
    parser.add_argument("--write", action="store_true", help="into benchmarks/README.md, between its marks")
    options = parser.parse_args()
    print(bench.busy(), file=sys.stderr)
    lines = options.results.read_text(encoding="utf-8").splitlines()
    results = [bench.result_of(json.loads(line)) for line in lines[1:] if line.strip()]
    kernels.warm_up()
    reasons: Counter[str] = Counter()
    with voxel_switch():
        table = list(rows(results, reasons))
    counted = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    text = [f"Of {reasons.total()} missed goals, what stands in the way: {counted}.", "", *HEAD, *table]
    print("\n".join(text))
    if options.write:
        page = ROOT / "benchmarks" / "README.md"
        before = page.read_text(encoding="utf-8")
        start, end = before.index(MARKS[0]), before.index(MARKS[1])
        page.write_text(before[:start] + "\n".join([MARKS[0], *text, ""]) + before[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
