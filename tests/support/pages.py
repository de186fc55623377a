"""The commands of a page of the documents, as a user types them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """What stands between the fences of this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), flags=re.M | re.S)


def shell(block: str, folder: Path, timeout_s: float = 280, **environment: str) -> str:
    """What `block` prints, in `folder`, with this Python as `python` and `automl-run`. It must end with exit code 0."""
    bin = folder / ".bin"
    bin.mkdir(exist_ok=True)
    for name, start in (("python", ""), ("automl-run", "-m automl_run")):
        (bin / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {start} "$@"\n')
        (bin / name).chmod(0o755)
    path = os.pathsep.join([str(bin), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-e", "-c", block],
        cwd=folder,
        env={**os.environ, **environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return done.stdout
