"""How fast are the flips and the resampling of `automl_run.kernels`, beside MONAI's, torch by hand, and a plain copy?

    python benchmarks/bench_transforms.py [--quick] [--json] [--threads 1 2] [--rounds N] [--case SUBSTRING]

Every contender returns a new tensor from a source that is not in the cache. They take turns round by round, so that a busy
machine slows all of them, and are compared within a round: the tables show medians of those ratios with their quartiles.
Results are checked against MONAI's before anything is timed. Compiling is not timed (`warm_up`); it happens once per machine.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import monai.transforms as mt
import numpy as np
import torch
import torch.nn.functional as F
from monai.data import MetaTensor

from automl_run import kernels

RING_BYTES = 128 << 20  # four times the last-level cache of the machines it was written on
MONAI, TORCH, OURS, FLOOR = "MONAI", "torch by hand", "ours", "copy floor"

Contender = Callable[[Any], Any]


@dataclass(frozen=True)
class Case:
    """One question; each contender maps a source to a new result. The peer, torch by hand, keeps no metadata."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    monai: Contender
    ours: Contender
    torch: Contender
    exact: bool


def flip_case(edge: int, axis: int | None, dtype: torch.dtype) -> Case:
    dims = [1, 2, 3] if axis is None else [axis + 1]
    name = f"flip {'all axes' if axis is None else f'axis {axis}'} {edge}^3 {str(dtype)[6:]}"
    by_hand = lambda x: torch.flip(x.as_tensor(), dims)  # noqa: E731
    return Case(name, (1, edge, edge, edge), dtype, mt.Flip(axis), kernels.Flip(axis), by_hand, True)


def resize_case(source: tuple[int, ...], target: tuple[int, ...], *, label: bool) -> Case:
    mode, dtype = ("nearest", torch.uint8) if label else ("trilinear", torch.float32)

    def by_hand(x: MetaTensor) -> torch.Tensor:
        # Nearest labels stay uint8 here, which is less work than the float32 that MONAI and we return.
        return F.interpolate(x.as_tensor()[None], size=target, mode=mode)[0]

    ours, theirs = kernels.Resize(target, mode=mode), mt.Resize(target, mode=mode)
    return Case(f"resize {mode} {text(source)} -> {text(target)}", (1, *source), dtype, theirs, ours, by_hand, label)


def spacing_case(source: tuple[int, ...], spacing_mm: tuple[float, ...], *, label: bool) -> Case:
    mode, dtype = ("nearest", torch.uint8) if label else ("bilinear", torch.float32)
    ours, theirs = kernels.Spacing(spacing_mm, mode=mode), mt.Spacing(spacing_mm, mode=mode)
    size = tuple(theirs(MetaTensor(torch.zeros(1, *source))).shape[1:])

    def by_hand(x: MetaTensor) -> torch.Tensor:
        # The same amount of work on nearly the same grid; F.interpolate cannot express Spacing's exact one.
        return F.interpolate(x.as_tensor()[None], size=size, mode="nearest" if label else "trilinear")[0]

    return Case(f"spacing {mode} {text(source)} -> {text(size)}", (1, *source), dtype, theirs, ours, by_hand, label)


def text(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def cases(quick: bool) -> Iterator[Case]:
    for edge in (96,) if quick else (64, 96, 128, 192):
        for axis in (0, 2) if quick else (0, 1, 2, None):
            yield flip_case(edge, axis, torch.float32)
    yield flip_case(96 if quick else 128, 2, torch.uint8)
    grids = (
        [((64, 64, 64), (96, 96, 96))]
        if quick
        else [((64,) * 3, (96,) * 3), ((128,) * 3, (96,) * 3), ((160, 192, 192), (128,) * 3)]
    )
    for source, target in grids:
        yield resize_case(source, target, label=False)
        yield resize_case(source, target, label=True)
    for source_shape, spacing_mm in (
        [((64, 64, 64), (0.67,) * 3)] if quick else [((64, 64, 64), (0.67,) * 3), ((128, 128, 128), (1.3,) * 3)]
    ):
        yield spacing_case(source_shape, spacing_mm, label=False)
        yield spacing_case(source_shape, spacing_mm, label=True)


def check(case: Case, source: MetaTensor) -> int:
    """Assert that ours equals MONAI's; the size of the result in bytes."""
    ours, theirs = case.ours(source), case.monai(source)
    reach = float(source.max()) - float(source.min())
    apart = float((ours.as_tensor().double() - theirs.as_tensor().double()).abs().max())
    if apart > (0 if case.exact else 1e-5 * reach) or not torch.equal(ours.affine, theirs.affine):
        raise SystemExit(f"{case.name}: ours differs from MONAI's by {apart}")
    return int(ours.numel() * ours.element_size())


def measure(case: Case, threads: int, rounds: int) -> dict[str, Any]:
    """Times in ms by contender, one a round, on `threads` threads."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    first = MetaTensor((torch.rand(case.shape, generator=generator) * 200).to(case.dtype))
    result_bytes = check(case, first)
    source_bytes = first.numel() * first.element_size()
    ring = [first, *(first.clone() for _ in range(max(1, RING_BYTES // source_bytes)))]
    # The floor moves as many bytes as the source has to be read and the result written, once, on one thread.
    floor = [np.ones((source_bytes + result_bytes) // 2, np.uint8) for _ in range(max(2, RING_BYTES // source_bytes))]
    contenders: dict[str, tuple[Contender, list[Any]]] = {
        MONAI: (case.monai, ring),
        TORCH: (case.torch, ring),
        OURS: (case.ours, ring),
        FLOOR: (lambda x: x.copy(), floor),
    }
    names, turn = list(contenders), count()
    times: dict[str, list[float]] = {name: [] for name in names}
    for i in range(rounds + 2):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            function, sources = contenders[name]
            source = sources[next(turn) % len(sources)]
            begin = time.perf_counter()
            result = function(source)
            elapsed = time.perf_counter() - begin
            del result
            if i >= 2:
                times[name].append(elapsed * 1e3)
    return {
        "case": case.name,
        "threads": threads,
        "rounds": rounds,
        "ms": {name: quartiles(values) for name, values in times.items()},
        "monai_over_ours": quartiles([a / b for a, b in zip(times[MONAI], times[OURS], strict=True)]),
        "peer_over_ours": quartiles([a / b for a, b in zip(times[TORCH], times[OURS], strict=True)]),
        "ours_over_floor": quartiles([a / b for a, b in zip(times[OURS], times[FLOOR], strict=True)]),
    }


def quartiles(values: list[float]) -> list[float]:
    """Lower quartile, median, upper quartile."""
    return [float(f"{q:.3g}") for q in statistics.quantiles(values, n=4, method="inclusive")]


def machine() -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "load": [round(load, 1) for load in os.getloadavg()],
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "monai", "numba", "numpy")},
    }


def row(result: dict[str, Any]) -> str:
    def shown(values: list[float]) -> str:
        return f"{values[1]:.2g} ({values[0]:.2g}-{values[2]:.2g})"

    ratios = [shown(result[key]) for key in ("monai_over_ours", "peer_over_ours", "ours_over_floor")]
    return f"| {result['case']} | {result['threads']} | " + " | ".join(ratios) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few cases, few rounds")
    parser.add_argument("--json", action="store_true", help="one JSON line a case instead of the table")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, help="rounds a case (default 31, quick 9)")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    options = parser.parse_args()
    kernels.warm_up()
    about = machine()
    if options.json:
        print(json.dumps({"machine": about}), flush=True)
    else:
        print(", ".join(f"{key} {value}" for key, value in about.items()))
        print("\nMedians of ratios within a round (quartiles). MONAI / ours and torch / ours: higher is faster than they are.\n")
        print("| case | threads | MONAI / ours | torch by hand / ours | ours / copy floor |\n|-|-|-|-|-|", flush=True)
    for case in cases(options.quick):
        if options.case in case.name:
            for threads in options.threads:
                result = measure(case, threads, options.rounds or (9 if options.quick else 31))
                print(json.dumps(result) if options.json else row(result), flush=True)


if __name__ == "__main__":
    main()
