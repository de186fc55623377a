"""docs/pruning.md: its study is run with its pruner and without, and what the page says of the two is true."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "pruning.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the page was followed."""
    folder = tmp_path_factory.mktemp("user")
    for name, text in re.findall(r"^`([\w.]+)`[^\n]*:\n\n```[a-z]+\n(.*?)^```", PAGE, flags=re.M | re.S):
        (folder / name).write_text(text, encoding="utf-8")
    (commands,) = re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.M | re.S)
    for line in commands.splitlines():
        words = shlex.split(line)
        if words[0] == "automl-run":
            words[:1] = [sys.executable, "-m", "automl_run"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return folder


def summary(place: Path, run: str) -> Any:
    return json.loads((place / "runs" / run / "summary.json").read_text())


def test_what_is_saved(place: Path) -> None:
    pruned, whole = summary(place, "pruned"), summary(place, "whole")
    found = re.search(r"first run (\d+) of (\d+) jobs are stopped and (\d+) epochs are trained, in the second (\d+);", PAGE)
    assert found is not None
    stopped = [job for job in pruned["jobs"] if job["state"] == "stopped"]
    epochs = [len((place / name).read_text().splitlines()) for name in ("pruned.txt", "epochs.txt")]
    assert [len(stopped), len(pruned["jobs"]), *epochs] == [int(number) for number in found.groups()]
    assert {job["state"] for job in whole["jobs"]} == {"done"}
    for key in ("job", "index", "score", "params", "seed"):
        assert pruned["best"][key] == whole["best"][key]


def test_what_a_pruned_job_says(place: Path) -> None:
    (example,) = re.findall(r"`(\S+ at epoch [^`]*)`", PAGE)
    assert example in {job["message"] for job in summary(place, "pruned")["jobs"]}
    assert example in (place / "runs" / "pruned" / "report.html").read_text()
    assert example in (place / "runs" / "pruned" / "trace.log").read_text()
