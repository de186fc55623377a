"""Compiling ahead of time, so that the first image does not wait for the compiler."""

from __future__ import annotations

import numpy as np
import torch

from .array.intensity_noise import legendre_table
from .array.intensity_smooth import half_kernel
from .candidates import class_candidates, foreground_candidates
from .cpu import Field, Gamma, Linear, Part, Window, apply_steps, counter_normal, exact_normal, min_max, permute, run_sample
from .cpu.arrays import CONVERTED
from .cpu.axis_weights import interpolate_axis
from .cpu.bias_field import apply_bias_field
from .cpu.convolution import smooth
from .cpu.dropout import WORTHWHILE, exact_uniform
from .cpu.histogram import map_piecewise, order_statistics
from .cpu.noise import SMALLEST
from .cpu.normalize import moments, standardize
from .cpu.separable import resample_axes
from .foreground_box import bounding_box

_LABELS = (torch.uint8, torch.int16, torch.float32)


def warm_up() -> None:
    """Compile every kernel for the common dtypes, or load it from the disk cache. Call it before starting DataLoader workers.

    About a minute when nothing is cached, about a second otherwise.
    """
    _warm_up_axes()
    _warm_up_voxels()
    _warm_up_intensities()


def _warm_up_axes() -> None:
    """Resampling along the axes, and the search for the foreground."""
    bounding_box(torch.zeros(1, 2, 2))
    for dtype in _LABELS:
        label = torch.ones(1, 2, 2, dtype=dtype)
        foreground_candidates(label, torch.zeros(1, 2, 2), 0.0)
        class_candidates(label, 2, None, 0.0)
    for dtype in _LABELS:
        for mode in ("linear", "nearest"):
            table = interpolate_axis(2, 3, mode, None, torch.float32)
            resample_axes(torch.zeros(1, 2, 2, dtype=dtype), [table] * 2)
            resample_axes(torch.zeros(1, 2, 2, 2, dtype=dtype), [table] * 3)


def _warm_up_voxels() -> None:
    """The kernels in `cpu/`: images of float32, labels of one, two and four bytes."""
    window, identity = Window.whole([2, 2, 2]), np.eye(4)[:3]
    image, out = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, 2)
    for dtype in _LABELS:
        label = torch.zeros(1, 2, 2, 2, dtype=dtype)
        permute(label, window)
        parts = [Part(image, out, steps=(Gamma(1.0),)), Part(label, torch.zeros_like(label), linear=False)]
        run_sample(parts, window, identity)
        run_sample(parts[1:], window.rot90(1, (0, 2)), identity)
        if dtype in CONVERTED:
            run_sample([parts[0], Part(label, torch.zeros_like(out), linear=False)], window, identity)
    permute(image, window, scale=2.0)
    run_sample([Part(image, out)], window.rot90(1, (0, 2)), identity)
    apply_steps(image, [Linear(2.0, 1.0), Field(image)])
    min_max(image)
    exact_normal(np.random.RandomState(0), 0.0, 1.0, torch.empty(SMALLEST))
    counter_normal(0, 0.0, 1.0, out)


def _warm_up_intensities() -> None:
    """The kernels of single intensity transforms, all of which work on float32."""
    image, knots = torch.zeros(1, 2, 2, 2), np.linspace(0, 1, 3, dtype=np.float32)
    moments(image)
    standardize(image, 0.0, 1.0)
    smooth(image, [half_kernel(1.0, "erf")] * 3)
    apply_bias_field(image, np.zeros((2, 2, 2)), [legendre_table(2, 1)] * 3)
    map_piecewise(image, knots, knots[1:], knots[1:], (0.0, 1.0))
    order_statistics(image, [0])
    exact_uniform(np.random.RandomState(0), 0.0, 1.0, WORTHWHILE)
