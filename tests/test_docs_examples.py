"""The documents' programs resolve to what the installed MONAI builds, and the Python of docs/python.md runs as it stands."""

from __future__ import annotations

import importlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from automl_run.dsl.ir import Value
from automl_run.dsl.load import parse
from automl_run.dsl.signatures import signatures

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted((ROOT / "docs").glob("coming-from-*.md")), ROOT / "docs" / "from-clara.md"]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def components(node: Value) -> Iterator[dict[str, Value]]:
    match node:
        case dict():
            if "_target_" in node:
                yield node
            for child in node.values():
                yield from components(child)
        case list():
            for child in node:
                yield from components(child)
        case _:
            pass


@pytest.mark.parametrize("text", [text for page in PAGES for text in blocks(page, "automl")])
def test_what_the_pages_search_can_be_built(text: str) -> None:
    program = parse(text)
    for point in program.sample(12, seed=2):
        for component in components(program.resolve(point)):
            (found, *_) = signatures(str(component["_target_"]))
            cls = getattr(importlib.import_module(found.modules[0]), str(component["_target_"]))
            assert cls(**{key: value for key, value in component.items() if key != "_target_"}) is not None


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (ROOT / "examples" / "first_search").iterdir():
        if path.is_file():
            shutil.copyfile(path, tmp_path / path.name)
    monkeypatch.chdir(tmp_path)
    study = optuna.create_study()
    names: dict[str, object] = {"trial": study.ask()}
    for text in blocks(ROOT / "docs" / "python.md", "python"):
        exec(compile(text, "docs/python.md", "exec"), names)
    assert (tmp_path / "runs" / "first" / "summary.json").is_file()
