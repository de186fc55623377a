"""The numba backend under numba's simulator, in a process of its own: the simulator is chosen at import."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import numpy as np
import torch
from automl_run.kernels import cpu
from automl_run.kernels.cpu import Clip, CounterNoise, Field, Gamma, Linear, Part, Window
from automl_run.kernels.gpu import Sample, numba_cuda

torch.manual_seed(0)
window = Window.whole((5, 6, 4)).rot90(1, (0, 2)).crop([0, 1, 0], [4, 4, 5]).pad([0, 0, 1], [1, 0, 0])
rotation = np.array([[0.913, 0.1171, 0.013, 0.51], [-0.1137, 1.1713, 0.2119, 0.02], [0.0513, 0.1171, 0.95713, -0.517]])
scaling = np.array([[0, 0.91337, 0, 0.11], [1.11337, 0, 0, 0.01], [0, 0, -0.951337, 4.017]])
source, labels = torch.rand(2, 5, 6, 4), torch.randint(0, 5, (1, 5, 6, 4), dtype=torch.uint8)
field = torch.rand(2, *window.shape)
noisy = (CounterNoise(2**31 + 9, 0.1, 0.2), Gamma(0.7), Linear(1.1, -0.05), Field(field), Clip(-0.2, 0.9))
for matrix, border, steps in ((None, False, ()), (rotation, False, noisy), (scaling, True, ())):
    pictures = [torch.empty(2, *window.shape) for _ in range(2)]
    picked = [torch.empty(1, *window.shape, dtype=torch.uint8) for _ in range(2)]
    here, there = (
        (Part(source, picture, border=border, fill=0.5, steps=steps), Part(labels, label, False, border, 1))
        for picture, label in zip(pictures, picked)
    )
    cpu.run_sample(here, window, matrix)
    numba_cuda.run_batch([Sample(there, window, matrix)])
    assert float((pictures[0] - pictures[1]).abs().max()) < 2e-5
    assert torch.equal(*picked)

whole, flat = Window.whole((4, 5)), torch.rand(1, 4, 5) * 100
out = torch.empty(1, 4, 5, dtype=torch.int16)
numba_cuda.run_batch([Sample((Part(flat, out, steps=(Gamma(1.0),)),), whole)])
assert torch.equal(out, flat.round().to(torch.int16))
try:
    numba_cuda.run_batch([Sample((Part(flat.half(), flat.half()),), whole)])
except ValueError as error:
    assert "float16" in str(error)
else:
    raise AssertionError("float16 was taken")
print("same")
"""


def test_the_simulator_gives_what_the_cpu_gives() -> None:
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "same\n"
