"""When kernels compile."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout


def test_importing_compiles_nothing_and_needs_no_gpu_library_and_warming_up_compiles_all() -> None:
    counts = run(
        "import sys\n"
        "from automl_run import kernels\n"
        "print('cupy' in sys.modules)\n"
        "from automl_run.kernels.cpu import separable\n"
        "all_ = [separable.linear_rows, separable.nearest_rows]\n"
        "print([len(k.signatures) for k in all_])\n"
        "kernels.warm_up()\n"
        "before = [len(k.signatures) for k in all_]\n"
        "import torch\n"
        "kernels.Resize((5, 5, 5), mode='trilinear')(torch.zeros(1, 9, 9, 9))\n"
        "kernels.Resize((5, 5), mode='nearest')(torch.zeros(1, 9, 9, dtype=torch.uint8))\n"
        "print(before == [len(k.signatures) for k in all_] and min(before) > 0)\n"
    )
    assert counts.splitlines() == ["False", "[0, 0]", "True"]
