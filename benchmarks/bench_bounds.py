"""How far the transforms are from what this machine allows: a bound for every goal, beside what was measured.

    python benchmarks/bench_bounds.py                    # of benchmarks/transforms.jsonl, on the machine that it was measured on
    python benchmarks/bench_bounds.py RESULTS.jsonl

A transform that draws, records and returns what MONAI's does takes at least

    bookkeeping + max(copy floor, arithmetic)

- bookkeeping: our own call with every voxel left alone; MONAI's draws, metadata and traces in Python, with cold caches as in a run
- copy floor: reading the source and writing the result once, as measured beside the transform (`torch.Tensor.copy_`). Pipelines
  read a box out of a volume, whose rows are short and far apart: for them it is torch's own copies of such boxes, if slower
- arithmetic: our own kernel on one volume again and again, which the last cache holds: a voxel's time times the voxels. On two
  threads half of it and what a second thread costs: waking a core that slept, and handing back

A goal that asks for less time than the bound is out of reach of the interface and the machine; of any other one the table says how
much of the bound's time is spent on top of it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from automl_run.kernels.bench.case import FAST, FLOOR, OURS, SUBJECTS, TORCH, Spec
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
_EVICTING = np.zeros(24 << 20, np.uint8)
_CUBE = 96  # voxels an edge: image, label, staged pairs and results are 17 MB


@contextlib.contextmanager
def without_voxels() -> Iterator[None]:
    """Kernels that return at once, and flips that leave the image as it is."""
    replaced: list[tuple[object, str, object]] = []

    def replace(owner: object, name: str, by: object) -> None:
        replaced.append((owner, name, getattr(owner, name)))
        setattr(owner, name, by)

    for name, module in list(sys.modules.items()):
        if name.startswith("automl_run.kernels.cpu.") and hasattr(module, "run_in_slabs"):
            replace(module, "run_in_slabs", lambda *_, **__: [])
    replace(noise, "exact_normal", lambda *_: None)
    replace(torch, "flip", lambda volume, _: volume)
    try:
        yield
    finally:
        for owner, name, value in replaced:
            setattr(owner, name, value)


def median_ms(call: Callable[[int], object], prepare: Callable[[int], None], rounds: int, *, cold: bool) -> float:
    """Of `rounds` calls; `cold`: after other data went through the caches."""
    times = []
    for turn in range(-2, rounds):
        prepare(max(turn, 0))
        if cold:
            np.add(_EVICTING, 1, out=_EVICTING)
        begin = time.perf_counter()
        call(max(turn, 0))
        times.append(time.perf_counter() - begin)
    return statistics.median(times[2:]) * 1e3


def bookkeeping_ms(spec: Spec, threads: int) -> dict[str, float]:
    """Of each of our contenders."""
    case = spec.build(threads)
    try:
        ours = [contender for contender in case.contenders if contender.name in SUBJECTS]
        for contender in ours:
            contender.call(0)
        with without_voxels():
            return {c.name: median_ms(c.call, c.prepare, 21, cold=True) for c in ours}
    finally:
        if case.close is not None:
            case.close()


def voxel_ns(make: Callable[[], Callable[[int], object]], voxels: int) -> float:
    """One thread's time for an output voxel beyond the bookkeeping, in the cache."""
    torch.set_num_threads(1)
    call, prepare = make(), lambda _: None
    whole = median_ms(call, prepare, 41, cold=False)
    with without_voxels():
        return max(0.0, whole - median_ms(call, prepare, 41, cold=False)) * 1e6 / voxels


def toll_ms() -> float:
    """What a second thread costs: a millisecond of work that two share perfectly, in the cache, less half a millisecond.

    The caller has been awake for some milliseconds, as in a run, and the other core has slept.
    """
    begin = time.perf_counter()
    burn(_EVICTING, 1 << 20)
    steps = int((1 << 20) * 0.001 / (time.perf_counter() - begin))
    alone: list[float] = []
    shared: list[float] = []

    def work(start: int, stop: int) -> None:
        burn(_EVICTING, stop - start)

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


def rows(results: Sequence[bench.Result], rates: Mapping[tuple[str, str], float], toll: float) -> Iterator[str]:
    """Every case that missed a goal. `rates`, `toll`: see `rates_ns` and `toll_ms`."""
    boxes = {
        (result.case.split(" 4 x ")[1], result.threads): result.ms[TORCH][1]
        for result in results
        if result.case.startswith("crop into batch") and TORCH in result.ms
    }
    known = {spec.name: spec for spec in bench.all_specs()}
    bookkeeping: dict[tuple[str, int], dict[str, float]] = {}
    voxels: dict[str, int] = {}
    for result in results:
        for row in result.rows:
            missed = {name: verdict for name, verdict in row.verdicts.items() if not verdict.met}
            if not missed or FLOOR not in result.ms or result.case not in known:
                continue
            spec, key = known[result.case], (result.case, result.threads)
            torch.set_num_threads(result.threads)
            if key not in bookkeeping:
                bookkeeping[key] = bookkeeping_ms(spec, result.threads)
            if result.case not in voxels:
                voxels[result.case] = output_voxels(spec)
            rate = 0.0
            if "nearest" not in result.case:  # which is a copy
                named = (rate for (name, _), rate in rates.items() if result.case.startswith(name))
                rate = rates.get((result.group, row.subject), next(named, 0.0))
            arithmetic = rate * voxels[result.case] * 1e-6
            if result.threads > 1:
                arithmetic = min(arithmetic, arithmetic / result.threads + toll)
            own, floor, ours = bookkeeping[key][row.subject], result.ms[FLOOR][1], result.ms[row.subject][1]
            if "pipeline" in result.case or result.case.startswith("crop"):
                floor = max(floor, boxes.get((result.case.split(" 4 x ")[1], result.threads), 0.0))
            bound = own + max(floor, arithmetic)
            verdicts = [_said(name, verdict, result, ours, bound) for name, verdict in missed.items()]
            title = result.case + row.subject.removeprefix(OURS)
            yield (
                f"| {title} | {result.threads} | {own:.2g} | {floor:.2g} | {arithmetic:.2g} | {bound:.2g} | {ours:.2g} "
                f"| {ours / bound:.2g} | {'; '.join(verdicts)} |"
            )


def _said(name: str, verdict: object, result: bench.Result, ours: float, bound: float) -> str:
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
    burn(_EVICTING, 1)
    toll = toll_ms()
    table = [f"A second thread costs {toll:.2g} ms.", "", *HEAD, *rows(results, rates_ns(), toll)]
    print("\n".join(table))
    if options.write:
        page = ROOT / "benchmarks" / "README.md"
        before = page.read_text(encoding="utf-8")
        start, end = before.index(MARKS[0]), before.index(MARKS[1])
        page.write_text(before[:start] + "\n".join([MARKS[0], *table, ""]) + before[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
