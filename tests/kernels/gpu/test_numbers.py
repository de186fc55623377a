"""What voxels are stored as, and noise, in the arithmetic built for the host."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gpu_host import COMPILER, launch_on_host, library

from automl_run.kernels import cpu, gpu
from automl_run.kernels.cpu import CounterNoise, Part, Window
from automl_run.kernels.gpu import Sample, Variant

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler to build the arithmetic for the host with")


def converted(values: torch.Tensor, name: str, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    out, back = torch.empty(values.shape, dtype=dtype), torch.empty_like(values)
    library(Variant("float", name, "u8")).convert(*(_address(x) for x in (values, out, back)), values.numel())
    return out, back


def _address(x: torch.Tensor) -> object:
    import ctypes

    return ctypes.c_void_p(x.data_ptr())


def floats() -> torch.Tensor:
    """Of every exponent, with many ties for 16 bits, and the special ones."""
    words = np.random.default_rng(0).integers(0, 1 << 32, 200_000, np.uint32)
    words[::3] &= 0xFFFF8000
    words[1::3] &= 0xFFFFF000
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 65519.9, 65520.0, 2.0**-24, 2.0**-25, 3e-8, 6e-5], np.float32)
    return torch.from_numpy(np.concatenate([words.view(np.float32), halves, special]))


@pytest.mark.parametrize(("name", "dtype"), [("f16", torch.float16), ("bf16", torch.bfloat16)])
def test_halves_round_as_torch(name: str, dtype: torch.dtype) -> None:
    values = floats()
    out, back = converted(values, name, dtype)
    expected = values.to(dtype)
    number = ~values.isnan()
    assert torch.equal(out.view(torch.int16)[number], expected.view(torch.int16)[number])
    assert bool(out[~number].isnan().all())
    assert torch.equal(back.nan_to_num(), expected.float().nan_to_num())


@pytest.mark.parametrize(("name", "dtype"), [("i16", torch.int16), ("u8", torch.uint8), ("i8", torch.int8)])
def test_integers_round_to_the_nearest_within_their_range(name: str, dtype: torch.dtype) -> None:
    limits = torch.iinfo(dtype)
    values = torch.cat([torch.linspace(-70000, 70000, 5001), torch.arange(-300, 300) / 2, torch.tensor([torch.inf, -torch.inf])])
    out, _ = converted(values, name, dtype)
    assert torch.equal(out, values.clamp(limits.min, limits.max).round().to(dtype))
    assert int(converted(torch.tensor([torch.nan]), name, dtype)[0]) == 0


@pytest.mark.parametrize("seed", [0, 5, 2**31, 2**40 + 17, -3])
def test_noise_is_the_cpus(seed: int) -> None:
    shape = (2, 11, 17, 31)
    expected, out = torch.zeros(shape), torch.empty(shape)
    cpu.counter_normal(seed, 0.3, 1.7, expected)
    sample = Sample((Part(torch.zeros(shape), out, steps=(CounterNoise(seed, 0.3, 1.7),)),), Window.whole(shape[1:]))
    gpu.run_batch([sample], launch_on_host)
    assert float((out - expected).abs().max()) < 5e-6
