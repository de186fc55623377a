"""The kernel compiles for every generation of GPUs within its budget of registers, and nothing spills."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from automl_run.kernels.gpu import Variant, read_source

NVCC = shutil.which("nvcc")
HAS_NVRTC = importlib.util.find_spec("cuda") is not None and importlib.util.find_spec("cuda.bindings") is not None

#: Four blocks of 256 threads on a multiprocessor of 65,536 registers: half of all threads, enough to hide the memory.
REGISTERS = 64
ARCHITECTURES = ["sm_80", "sm_90", "sm_100"]
VARIANTS = [
    Variant("float", "float", "u8"),
    Variant("f16", "f16", "u8"),
    Variant("bf16", "bf16", "u16"),
    Variant("i16", "float", "u32"),
    Variant("float", "f16", "u64"),
]


def by_nvcc(variant: Variant, architecture: str, folder: Path) -> str:
    source = folder / "batch.cu"
    source.write_text(read_source(), encoding="utf-8")
    command = [str(NVCC), "-std=c++17", f"-arch={architecture}", "-cubin", "-Xptxas", "-v", *variant.options, str(source)]
    done = subprocess.run([*command, "-o", str(folder / "batch.cubin")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    return done.stderr


def by_nvrtc(variant: Variant, architecture: str, _folder: Path) -> str:
    """As CuPy compiles it, which by itself does not without a driver."""
    from cuda.bindings import nvrtc

    _, program = nvrtc.nvrtcCreateProgram(read_source().encode(), b"batch.cu", 0, [], [])
    options = [f"--gpu-architecture={architecture}", "-std=c++17", "--ptxas-options=-v", *variant.options]
    (error,) = nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = b" " * size
    nvrtc.nvrtcGetProgramLog(program, log)
    text: str = log.decode().rstrip("\0")
    assert error == nvrtc.nvrtcResult.NVRTC_SUCCESS, text
    assert "warning" not in text
    return text


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    "compile_kernel",
    [
        pytest.param(by_nvcc, marks=pytest.mark.skipif(NVCC is None, reason="no nvcc")),
        pytest.param(by_nvrtc, marks=pytest.mark.skipif(not HAS_NVRTC, reason="cuda-bindings is not installed")),
    ],
)
def test_registers_and_spills(compile_kernel: Callable[[Variant, str, Path], str], architecture: str, tmp_path: Path) -> None:
    # nvcc takes ten times as long as NVRTC.
    for variant in VARIANTS if compile_kernel is by_nvrtc else VARIANTS[:1]:
        report = compile_kernel(variant, architecture, tmp_path)
        used = re.search(r"Used (\d+) registers", report)
        memory = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", report)
        assert used is not None
        assert memory is not None
        assert int(used[1]) <= REGISTERS, (variant, report)
        assert memory.groups() == ("0", "0", "0"), (variant, report)
