"""DALI's pipeline on the CPU. It reads volumes where they lie and writes batches into memory of its own, used again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .sources import Item

DEGREES = float(np.degrees(0.26))


class Pipeline:
    """Called with a turn it returns that turn's batch. `kind` is light or heavy."""

    def __init__(self, kind: str, batches: Callable[[int], list[Item]], edge: int, threads: int) -> None:
        from nvidia.dali import pipeline_def

        self.batches = batches
        defined: Any = pipeline_def(_definition, enable_conditionals=True)
        # It would run ahead of its caller, and so do the work of the next call in this one.
        ahead = {"prefetch_queue_depth": 1, "exec_pipelined": False, "exec_async": False}
        self.built = defined(kind, edge, batch_size=len(batches(0)), num_threads=threads, device_id=None, seed=1, **ahead)
        self.built.build()

    def __call__(self, turn: int) -> object:
        volumes = self.batches(turn)
        for key in ("image", "label"):
            self.built.feed_input(key, [item[key][0, ..., None].numpy() for item in volumes])
        image, label = self.built.run()
        return {"image": np.asarray(image.as_tensor()), "label": np.asarray(label.as_tensor()), "owners": (image, label)}


def _definition(kind: str, edge: int) -> Any:
    """A quarter turn is a transposition and a flip, and flips are drawn anyway."""
    from nvidia.dali import fn, types

    size = {"crop_d": edge, "crop_h": edge, "crop_w": edge}
    at = {f"crop_pos_{axis}": fn.random.uniform(range=(0.0, 1.0)) for axis in "xyz"}
    turned = {name: fn.random.coin_flip() for name in ("horizontal", "vertical", "depthwise")}
    image = fn.crop(fn.external_source(name="image", layout="DHWC", no_copy=True), **at, **size)
    label = fn.crop(fn.external_source(name="label", layout="DHWC", no_copy=True), **at, **size)
    image, label = fn.flip(image, **turned), fn.flip(label, **turned)
    if fn.random.coin_flip(dtype=types.BOOL):
        image = fn.transpose(image, perm=[1, 0, 2, 3], transpose_layout=False)
        label = fn.transpose(label, perm=[1, 0, 2, 3], transpose_layout=False)
    if kind == "heavy":
        angle, centre = fn.random.uniform(range=(-DEGREES, DEGREES)), [edge / 2] * 3
        matrix = fn.transforms.combine(
            fn.transforms.rotation(angle=angle, axis=(1, 1, 1), center=centre),
            fn.transforms.scale(scale=fn.random.uniform(range=(0.9, 1.1), shape=[3]), center=centre),
        )
        image = fn.warp_affine(image, matrix, fill_value=0, interp_type=types.INTERP_LINEAR)
        label = fn.warp_affine(label, matrix, fill_value=0, interp_type=types.INTERP_NN)
        image = fn.noise.gaussian(image, stddev=fn.random.uniform(range=(0.0, 0.1)))
        low, high = fn.reductions.min(image), fn.reductions.max(image)
        image = ((image - low) / (high - low)) ** fn.random.uniform(range=(0.7, 1.5)) * (high - low) + low
    return image * fn.random.uniform(range=(0.9, 1.1)) + fn.random.uniform(range=(-0.1, 0.1)), label
