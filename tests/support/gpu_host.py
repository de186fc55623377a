"""The arithmetic of the GPU's kernels built for the host: the same plans, on tensors of the CPU."""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import torch

from automl_run.kernels.gpu import Plan, Variant, read_source
from automl_run.kernels.gpu.table import ROW

#: What the kernel does with threads and barriers, one thread after the other.
_DRIVER = """
static_assert(sizeof(Row) == ROW_BYTES && sizeof(Step) == STEP_BYTES, "table.py describes other structures");
extern "C" void run_rows(const Row* rows, int count, const Step* steps, u32* extremes) {
    static thread_local IMAGE_IN tile[TILE * PITCH];
    static thread_local WORD word_tile[TILE * PITCH];
    for (int r = 0; r < count; r++) {
        const Row& row = rows[r];
        Extremes found = {__builtin_inff(), -__builtin_inff(), false};
        int channels = row.channels > row.word_channels ? row.channels : row.word_channels;
        for (int block = 0; block < row.blocks; block++) {
            for (int c = 0; c < channels; c++) {
                if (row.cover == TILES)
                    for (int t = 0; t < THREADS; t++) begin(row, c, block, t, tile, word_tile);
                for (int t = 0; t < THREADS; t++) {
                    Quad q = quad_of(row, block, t);
                    if (q.count == 0) continue;
                    Place place = place_of(row, q);
                    if (c < row.channels)
                        finish_image<IMAGE_IN, IMAGE_OUT>(row, steps, extremes, c, q, place, t, tile, found);
                    if (c < row.word_channels) finish_word<WORD>(row, c, q, place, t, word_tile);
                }
            }
        }
        if (row.extremes_out >= 0) {
            u32* slot = extremes + 3 * row.extremes_out;
            slot[0] = ordered(found.low), slot[1] = ordered(found.high), slot[2] = found.bad;
        }
    }
}
extern "C" void convert(const float* from, IMAGE_OUT* to, float* back, int count) {
    for (int i = 0; i < count; i++) from_float(from[i], to[i]), back[i] = to_float(to[i]);
}
"""

COMPILER = shutil.which("g++") or shutil.which("clang++")
_FOLDER = Path(tempfile.mkdtemp(prefix="gpu_host_"))


@atexit.register
def _remove(owner: int = os.getpid()) -> None:
    """Not at the end of a fork, which other tests make of this process."""
    if os.getpid() == owner:
        shutil.rmtree(_FOLDER, ignore_errors=True)


@cache
def library(variant: Variant) -> ctypes.CDLL:
    """Traps on undefined behaviour: an overflow, a shift too far, an address out of line."""
    assert COMPILER is not None
    stem = _FOLDER / "_".join(variant)
    stem.with_suffix(".cpp").write_text(read_source(kernel=False) + _DRIVER, encoding="utf-8")
    checks = "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"
    command = [COMPILER, "-std=c++17", "-O1", "-fPIC", "-shared", *checks, *variant.options]
    done = subprocess.run([*command, f"{stem}.cpp", "-o", f"{stem}.so"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(f"{stem}.so")


def launch_on_host(plan: Plan, device: torch.device) -> None:
    """A `kernels.gpu.Launcher`."""
    table = ctypes.create_string_buffer(plan.table, len(plan.table))
    address = ctypes.addressof(table)
    for each in plan.launches:
        places = [ctypes.c_void_p(address + at) for at in (each.first * ROW.size, plan.steps_at, plan.extremes_at)]
        library(each.variant).run_rows(places[0], each.rows, *places[1:])
