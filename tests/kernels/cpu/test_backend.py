"""Both sets of operations pass the same tests, and the plain one takes over where the other fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from automl_run.kernels.cpu import backend, choose_backend, self_check

HERE = Path(__file__).parent


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=240, env={**os.environ, **environment}, check=False
    )


@pytest.mark.skipif(os.environ.get(backend.VARIABLE) == "plain", reason="this is that run")
def test_the_plain_operations_pass_the_same_tests() -> None:
    files = [str(HERE / f"test_{name}.py") for name in ("axis_permutation", "sample", "noise", "intensity")]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--rootdir={HERE.parents[2]}", *files]
    environment = {**os.environ, backend.VARIABLE: "plain"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment, check=False, cwd=HERE.parents[2])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.skipif(os.environ.get(backend.VARIABLE) == "plain", reason="the intrinsics are not in use")
def test_the_intrinsics_work_here() -> None:
    assert self_check.failing_operation() is None
    assert choose_backend() == "intrinsics"


def test_an_operation_that_fails_makes_the_process_use_plain_ones_with_one_warning() -> None:
    done = run(
        "import warnings, torch\n"
        "from automl_run.kernels import cpu\n"
        "from automl_run.kernels.cpu import self_check\n"
        "self_check.failing_operation = lambda: 'row_copy'\n"
        "x = torch.arange(12.).view(1, 3, 4)\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    out = [cpu.permute(x, cpu.Window.whole([3, 4]).flip([1])) for _ in range(2)][1]\n"
        "print(cpu.choose_backend(), torch.equal(out, x.flip(2)), ['row_copy' in str(w.message) for w in caught])\n",
        AUTOML_RUN_KERNELS="intrinsics",
    )
    assert done.stdout.strip() == "plain True [True]", done.stderr


def test_an_unknown_choice_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(backend.VARIABLE, "fast")
    choose_backend.cache_clear()
    with pytest.raises(ValueError, match="AUTOML_RUN_KERNELS is 'fast'"):
        choose_backend()


def test_machine_code_of_the_two_is_kept_apart(tmp_path: Path) -> None:
    code = (
        "import torch\n"
        "from automl_run.kernels.cpu import min_max\n"
        "from automl_run.kernels.cpu.intensity import extremes_of\n"
        "min_max(torch.zeros(4))\n"
        "print(sum(extremes_of.stats.cache_hits.values()))\n"
    )
    hits = [run(code, NUMBA_CACHE_DIR=str(tmp_path), AUTOML_RUN_KERNELS=name).stdout.strip() for name in ("intrinsics", "plain")]
    assert hits == ["0", "0"]
    assert len(list(tmp_path.rglob("*extremes_of*.nbc"))) == 2
