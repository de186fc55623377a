"""What the documents say is run: every `automl` block is read, every `$ automl-run` line ends with exit code 0."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from automl_run.dsl.load import parse

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("README.md"))]


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(encoding="utf-8"), flags=re.M | re.S)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_automl_blocks_are_programs(document: Path) -> None:
    for text in blocks(document, "automl"):
        assert parse(text, name=document.name).params


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_run(document: Path, tmp_path: Path) -> None:
    lines = [line[2:] for block in blocks(document, "console") for line in block.splitlines() if line.startswith("$ ")]
    if not lines:
        return
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("runs", "automl"))
    for line in lines:
        words = shlex.split(line, comments=True)
        assert words[0] == "automl-run", f"not one of our commands: {line}"
        done = subprocess.run(
            [sys.executable, "-m", "automl_run", *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def test_links_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.relative_to(ROOT)}: {target}"
