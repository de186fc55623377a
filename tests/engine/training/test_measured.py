"""What is measured of a command: the memory of what it starts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from automl_run.dsl.ir import Spec
from automl_run.engine.agent.folders import JobSpec, prepare


def test_the_memory_of_a_command_is_that_of_its_processes(tmp_path: Path) -> None:
    size = 300 * 2**20
    script = f"import sys; block = bytes([1]) * {size}; print('automl: step=1 dice=0.5')"
    target = Spec("Command", {"template": f'"{sys.executable}" -c "{script}"'})
    spec = JobSpec("W1_1_J1", 1, target, "params.json", {}, 1, ("dice",), (), 1, str(tmp_path), measured=("peak_memory",))
    command = [sys.executable, "-m", "automl_run.engine.agent.job", str(prepare(tmp_path, spec, {}))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"  peak_memory = ([0-9.]+)", done.stdout)
    assert found is not None
    assert size < float(found[1]) < 2 * size
