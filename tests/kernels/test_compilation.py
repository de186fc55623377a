"""When kernels compile, and on how many threads they run."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
import torch

from automl_run import kernels
from automl_run.kernels import threads


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout


def test_importing_compiles_nothing_and_warming_up_compiles_all() -> None:
    counts = run(
        "from automl_run import kernels\n"
        "from automl_run.kernels import flip, resample\n"
        "all_ = [flip.copy_rows, resample.linear_rows, resample.nearest_rows]\n"
        "print([len(k.signatures) for k in all_])\n"
        "kernels.warm_up()\n"
        "before = [len(k.signatures) for k in all_]\n"
        "import torch\n"
        "kernels.Flip()(torch.zeros(1, 9, 9, 9))\n"
        "kernels.Resize((5, 5, 5), mode='trilinear')(torch.zeros(1, 9, 9, 9))\n"
        "kernels.Resize((5, 5), mode='nearest')(torch.zeros(1, 9, 9, dtype=torch.uint8))\n"
        "print(before == [len(k.signatures) for k in all_] and min(before) > 0)\n"
    )
    assert counts.splitlines() == ["[0, 0, 0]", "True"]


def test_importing_needs_no_gpu_library() -> None:
    assert run("import sys, automl_run.kernels; print('cupy' in sys.modules)").strip() == "False"


def test_slabs_cover_the_range_once_and_the_caller_takes_part() -> None:
    before = torch.get_num_threads()
    seen: list[tuple[int, int]] = []
    callers: set[int] = set()

    def work(start: int, stop: int) -> None:
        seen.append((start, stop))
        callers.add(threading.get_ident())

    try:
        torch.set_num_threads(4)
        threads.run_in_slabs(work, 1001, 100)
    finally:
        torch.set_num_threads(before)
    assert sorted(seen) == [(0, 250), (250, 500), (500, 750), (750, 1001)]
    assert threading.get_ident() in callers


def test_small_work_stays_on_the_caller() -> None:
    seen: list[tuple[int, int]] = []
    threads.run_in_slabs(lambda start, stop: seen.append((start, stop)), 10, 100)
    assert seen == [(0, 10)]


def test_an_error_in_a_helper_reaches_the_caller() -> None:
    before = torch.get_num_threads()

    def work(start: int, stop: int) -> None:
        if start:
            raise ArithmeticError("in a helper")

    try:
        torch.set_num_threads(2)
        with pytest.raises(ArithmeticError, match="in a helper"):
            threads.run_in_slabs(work, 1000, 1)
    finally:
        torch.set_num_threads(before)


def test_two_callers_at_once() -> None:
    x = torch.arange(120_000, dtype=torch.float32).view(1, 40, 50, 60)
    results: dict[int, bool] = {}

    def call(i: int) -> None:
        results[i] = all(torch.equal(kernels.flip_axes(x, [axis]), torch.flip(x, [axis])) for axis in (1, 2, 3))

    callers = [threading.Thread(target=call, args=(i,)) for i in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert results == {0: True, 1: True, 2: True}
