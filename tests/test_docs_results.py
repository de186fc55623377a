"""The commands of docs/results.md, in its order, against a run of a small MMAR."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from small_mmar import make_study

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results.md"


def blocks() -> list[list[list[str]]]:
    """The words of each command, block by block; each block begins in the user's folder."""
    found = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)
    return [[shlex.split(line) for line in block.splitlines()] for block in found]


def run(words: list[str], folder: Path) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_commands_of_the_page(tmp_path: Path) -> None:
    ours = [sys.executable, "-m", "automl_run"]
    run([*ours, str(make_study(tmp_path)), "--run-id", "night"], tmp_path)
    for block in blocks():
        place = tmp_path
        for words in block:
            if words[0] == "cd":
                place = place / words[1]
            elif words[0] == "automl-run":
                run([*ours, *words[1:]], place)
            elif words[0] == "python" and importlib.util.find_spec("fire") is None:
                # MONAI reads its command line with `fire`, which is no dependency: what the line calls is called.
                options = dict(zip((word.removeprefix("--") for word in words[4::2]), words[5::2], strict=True))
                run([sys.executable, "-c", f"from monai.bundle import run; run(**{options!r})"], place)
            elif words[0] == "python":
                run([sys.executable, *words[1:]], place)
            else:
                assert os.access(place / words[0], os.X_OK), words
                run([str(place / words[0]), *words[1:]], place)
    assert (tmp_path / "again" / "models" / "model.pt").is_file()
    assert (tmp_path / "spleen_bundle" / "eval" / "metrics.csv").is_file()
    assert len(list((tmp_path / "spleen_bundle" / "out").glob("*/*.nii.gz"))) == 2
    assert len(list((tmp_path / "mean").iterdir())) == 2
