"""How far the transforms are from what this machine allows: a bound for every goal, beside what was measured.

    python benchmarks/bench_bounds.py                    # of benchmarks/transforms.jsonl, on the machine that it was measured on
    python benchmarks/bench_bounds.py RESULTS.jsonl

A transform that draws, records and returns what MONAI's does takes at least

    bookkeeping + max(copy floor, arithmetic)

- bookkeeping: our own call with every voxel left alone: MONAI's draws, metadata and traces in Python
- copy floor: reading the source and writing the result once, `torch.Tensor.copy_`. Pipelines read a box out of a volume, whose rows
  are short and far apart: for them it is the faster of torch's and our own copies of such boxes, if slower
- arithmetic: our own kernel on one volume again and again, which the last cache holds: a voxel's time times the voxels. On two
  threads half of it and what a second thread costs: waking a core that slept, and handing back

Pipelines on two threads do the voxels of one item beside the bookkeeping of the next: for them it is the greatest of bookkeeping,
copy floor, and both together on one thread, divided by how much more two cores do at once than one.

Bookkeeping, floor and transform take turns, in the rounds of all contenders of the case, so that each finds the caches as in the
benchmark. The table compares medians of these rounds; the goals are those of the results.

Parts that are measured one by one each begin with cold caches, and together may come to more than the whole: where ours is below
the bound, ours is taken for it.

A goal that asks for less time than the bound is out of reach of the interface and the machine; of any other one the table says what
would be reached at it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

import monai.transforms as mt
import numpy as np
import numpy.typing as npt
import torch
from monai.data import MetaTensor

from automl_run import kernels
from automl_run.kernels import bench
from automl_run.kernels.bench import pipelines, sources
from automl_run.kernels.bench.affine import ROTATION, SCALE
from automl_run.kernels.bench.case import FAST, FLOOR, OURS, SUBJECTS, TORCH, Case, Spec
from automl_run.kernels.bench.timing import SETTLE_S
from automl_run.kernels.compilation import kernel
from automl_run.kernels.fusion import noise
from automl_run.kernels.threads import run_in_slabs

ROOT = Path(__file__).resolve().parents[1]
MARKS = ("<!-- bounds: written by bench_bounds.py -->", "<!-- end of bounds -->")
HEAD = (
    "| case | threads | bookkeeping ms | copy floor ms | arithmetic ms | bound ms | ours ms | ours / bound | goals missed |",
    "|-|-|-|-|-|-|-|-|-|",
)
_MEMORY = np.zeros(4096, np.uint8)
STILL = ", voxels left alone"
ROUNDS = 9
_CUBE = 96  # voxels an edge: image, label, staged pairs and results are 17 MB


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


def with_bookkeeping(spec: Spec) -> Spec:
    """`spec` with each of our contenders a second time, voxels left alone, as a contender `STILL` of its own."""

    def still(call: Callable[[int], object]) -> Callable[[int], object]:
        def alone(turn: int) -> object:
            with without_voxels():
                return call(turn)

        return alone

    def build(threads: int) -> Case:
        case = spec.build(threads)
        for contender in [contender for contender in case.contenders if contender.name in SUBJECTS]:
            case.add(contender.name + STILL, still(contender.call), lambda *_: "", contender.prepare)
        return case

    return replace(spec, build=build)


def median_ms(call: Callable[[int], object], rounds: int) -> float:
    """Of `rounds` calls, one right after the other."""
    times = []
    for turn in range(-2, rounds):
        begin = time.perf_counter()
        call(max(turn, 0))
        times.append(time.perf_counter() - begin)
    return statistics.median(times[2:]) * 1e3


def voxel_ns(make: Callable[[], Callable[[int], object]], voxels: int) -> float:
    """One thread's time for an output voxel beyond the bookkeeping, in the cache."""
    torch.set_num_threads(1)
    call = make()
    whole = median_ms(call, 41)
    with without_voxels():
        return max(0.0, whole - median_ms(call, 41)) * 1e6 / voxels


def cores_together() -> float:
    """How much two cores do at once, of what one does alone: our affine kernel, each on volumes of its own that the cache holds."""
    torch.set_num_threads(1)
    transform = kernels.Affine(rotate_params=ROTATION, scale_params=SCALE, padding_mode="zeros")
    images = sources.ring((_CUBE,) * 3, torch.float32, count=2)

    def seconds(workers: int, repetitions: int = 20) -> float:
        begin = time.perf_counter()
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda image: [transform(image) for _ in range(repetitions)] and None, images[:workers]))
        return time.perf_counter() - begin

    return statistics.median(2 * seconds(1) / seconds(2) for _ in range(15))


def toll_ms() -> float:
    """What a second thread costs: a millisecond of work that two share perfectly, in the cache, less half a millisecond.

    The caller has been awake for some milliseconds, as in a run, and the other core has slept.
    """
    begin = time.perf_counter()
    burn(_MEMORY, 1 << 20)
    steps = int((1 << 20) * 0.001 / (time.perf_counter() - begin))
    alone: list[float] = []
    shared: list[float] = []

    def work(start: int, stop: int) -> None:
        burn(_MEMORY, stop - start)

    for _ in range(51):
        for times, threads in ((alone, 1), (shared, 2)):
            begin = time.perf_counter()
            while time.perf_counter() - begin < SETTLE_S:
                pass
            begin = time.perf_counter()
            run_in_slabs(work, steps, 1, threads)
            times.append(time.perf_counter() - begin)
    return (statistics.median(shared) - statistics.median(alone) / 2) * 1e3


@kernel
def burn(memory: npt.NDArray[np.uint8], steps: int) -> int:
    """So many steps that no compiler shortens."""
    total = 0
    for i in range(steps):
        total = (total * 3 + memory[i & 4095]) & 0xFFFF
    return total


def rates_ns() -> dict[tuple[str, str], float]:
    """(case or group, subject) -> ns for an output voxel of an image (with its label, where the group has one)."""
    image, label = sources.ring((_CUBE,) * 3, torch.float32, count=1)[0], sources.label_ring((_CUBE,) * 3, 1)[0]
    pair = {"image": image, "label": label}
    modes = {"keys": ("image", "label"), "mode": ("bilinear", "nearest")}
    affine = kernels.Affined(rotate_params=ROTATION, scale_params=SCALE, padding_mode="zeros", **modes)
    spacing, spacings = kernels.Spacing((1.285,) * 3, mode="bilinear"), kernels.Spacingd(pixdim=(1.285,) * 3, **modes)
    resize = kernels.Resize((72, 72, 72), mode="trilinear")

    def heavy(fast: bool) -> Callable[[], Callable[[int], object]]:
        fused = kernels.fuse(mt.Compose(pipelines.heavy_steps(_CUBE)), noise="fast" if fast else "exact")
        items = sources.items((_CUBE + 8,) * 3, count=1)
        return lambda: lambda _: fused.batch([dict(items[0])])

    def on(transform: Callable[[object], object], value: object) -> Callable[[], Callable[[int], object]]:
        return lambda: lambda _: transform(dict(value) if isinstance(value, dict) else value)

    spaced, cube = spacing(image).numel(), _CUBE**3
    return {
        ("affine image+label", OURS): voxel_ns(on(affine, pair), cube),
        ("spacing", OURS): voxel_ns(on(spacing, image), spaced),
        ("spacing image+label", OURS): voxel_ns(on(spacings, pair), spaced),
        ("resize", OURS): voxel_ns(on(resize, image), 72**3),
        **{
            (f"rot90 axes {axes[0]},{axes[1]}", OURS): voxel_ns(on(kernels.Rotate90(1, axes), image), cube)
            for axes in ((0, 1), (0, 2), (1, 2))
        },
        ("heavy pipeline", OURS): voxel_ns(heavy(False), cube),
        ("heavy pipeline", FAST): voxel_ns(heavy(True), cube),
    }


def output_voxels(spec: Spec) -> int:
    """Of the image, or the batch of images."""
    case = spec.build(1)
    try:
        done = next(contender for contender in case.contenders if contender.name == OURS).call(0)
    finally:
        if case.close is not None:
            case.close()
    image = done["image"] if isinstance(done, Mapping) else done
    assert isinstance(image, torch.Tensor | MetaTensor)
    return image.numel()


@cache
def specs() -> Mapping[str, Spec]:
    return {spec.name: spec for spec in bench.all_specs()}


@cache
def measured_ms(case: str, threads: int) -> Mapping[str, float]:
    """Of each contender, and of ours with the voxels left alone."""
    result = next(bench.measure([with_bookkeeping(specs()[case])], bench.Options(threads=(threads,), rounds=ROUNDS)))
    return {name: quartiles[1] for name, quartiles in result.ms.items()}


def boxes_ms(size: str) -> float:
    """The fastest copy, on one thread, of boxes of that size out of larger volumes into a batch."""
    ms = measured_ms(f"crop into batch 4 x {size}", 1)
    return min(ms[TORCH], ms[OURS] - ms[OURS + STILL])


def rows(results: Sequence[bench.Result], rates: Mapping[tuple[str, str], float], toll: float, cores: float) -> Iterator[str]:
    """Every case that missed a goal. `rates`, `toll`, `cores`: see `rates_ns`, `toll_ms` and `cores_together`."""
    voxels: dict[str, int] = {}
    for result in results:
        for row in result.rows:
            missed = {name: verdict for name, verdict in row.verdicts.items() if not verdict.met}
            if not missed or FLOOR not in result.ms or result.case not in specs():
                continue
            if result.case not in voxels:
                voxels[result.case] = output_voxels(specs()[result.case])
            rate = 0.0
            if "nearest" not in result.case:  # which is a copy
                named = (rate for (name, _), rate in rates.items() if result.case.startswith(name))
                rate = rates.get((result.group, row.subject), next(named, 0.0))
            arithmetic = rate * voxels[result.case] * 1e-6
            ms = measured_ms(result.case, result.threads)
            own, floor, ours = ms[row.subject + STILL], ms[FLOOR], ms[row.subject]
            if " 4 x " in result.case:
                alone = measured_ms(result.case, 1)[FLOOR]
                floor = min(floor, alone)  # torch's copies are not always faster on two threads
                voxels_ms = max(alone, boxes_ms(result.case.split(" 4 x ")[1]), arithmetic)
                bound = max(own, floor, (own + voxels_ms) / (cores if result.threads > 1 else 1.0))
            else:
                if result.threads > 1:
                    arithmetic = min(arithmetic, arithmetic / result.threads + toll)
                bound = own + max(floor, arithmetic)
            verdicts = [_said(name, verdict, ours, min(bound, ours)) for name, verdict in missed.items()]
            title = result.case + row.subject.removeprefix(OURS)
            yield (
                f"| {title} | {result.threads} | {own:.2g} | {floor:.2g} | {arithmetic:.2g} | {bound:.2g} | {ours:.2g} "
                f"| {ours / bound:.2g} | {'; '.join(verdicts)} |"
            )


def _said(name: str, verdict: object, ours: float, bound: float) -> str:
    """Whether the bound alone misses the goal. `reached` and `target` are ratios, so the bound scales what was reached."""
    reached, target = verdict.reached, verdict.target  # type: ignore[attr-defined]
    if name == "copy floor":
        best, out = reached * bound / ours, reached * bound / ours > target
    else:
        best, out = reached * ours / bound, reached * ours / bound < target
    return f"{name} {reached:.2g} of {target:g}, {f'out of reach: {best:.2g} at the bound' if out else f'{best:.2g} at the bound'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=Path, default=ROOT / "benchmarks" / "transforms.jsonl")
    parser.add_argument("--write", action="store_true", help="into benchmarks/README.md, between its marks")
    options = parser.parse_args()
    print(bench.busy(), file=sys.stderr)
    lines = options.results.read_text(encoding="utf-8").splitlines()
    results = [bench.result_of(json.loads(line)) for line in lines[1:] if line.strip()]
    kernels.warm_up()
    torch.set_num_threads(2)
    burn(_MEMORY, 1)
    toll, cores = toll_ms(), cores_together()
    about = f"A second thread costs {toll:.2g} ms. Two cores do {cores:.3g} times as much as one."
    with voxel_switch():
        table = [about, "", *HEAD, *rows(results, rates_ns(), toll, cores)]
    print("\n".join(table))
    if options.write:
        page = ROOT / "benchmarks" / "README.md"
        before = page.read_text(encoding="utf-8")
        start, end = before.index(MARKS[0]), before.index(MARKS[1])
        page.write_text(before[:start] + "\n".join([MARKS[0], *table, ""]) + before[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
