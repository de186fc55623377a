"""Every code has a page; its wrong example gives that code and nothing else, its right one nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from automl_run.cli.main import main
from automl_run.dsl import explanations
from automl_run.dsl.diagnostics import Diagnostic
from automl_run.dsl.explanations import Example, Page, pages
from automl_run.dsl.legacy import parse_settings
from automl_run.dsl.legacy.convert import convert, diagnostics
from automl_run.dsl.lint import lint
from automl_run.dsl.load import check, check_automl_config, load_mmar
from automl_run.dsl.readiness import remarks

DSL = Path(explanations.__file__).parents[1]
#: Wrong examples that are too long for a page.
LONG = {
    "AM301": b"automl 1\n" + b"#" * (2 << 20),
    "AM302": b"automl 1\nx = [" + b"1," * 110_000 + b"]",
    "AM304": b"automl 1\nx ~ " + b"|".join(b"%d" % i for i in range(10_001)),
    "AM307": 'automl 1\nx = "\u00e9"'.encode("latin-1"),
    "AM312": b'automl 1\nuse "1.automl"',
}


def emitted() -> set[str]:
    """Every code that stands as a string of its own in the language's sources."""
    found: set[str] = set()
    for path in DSL.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) == 5:
                found |= {node.value} if node.value.startswith("AM") and node.value[2:].isdigit() else set()
    return found


def findings(page: Page, example: Example, folder: Path) -> list[Diagnostic]:
    """What `check` says, and the linter too for a page about it."""
    if example.language == "console":
        return settings_read(example.text, folder)
    for name, text in page.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    path = folder / ("search.json" if example.language == "json" else "search.automl")
    text = example.text
    if example.language == "automl" and not text.startswith("automl") and page.code not in ("AM011", "AM012"):
        text = f"automl 1\n{text}"
    data = text.encode()
    if example.language == "text":
        data = LONG[page.code]
        for i in range(1, 10):
            (folder / f"{i}.automl").write_text(f'automl 1\nuse "{i + 1}.automl"\n', encoding="utf-8")
    path.write_bytes(data)
    if example.language == "json":
        config = check_automl_config(path)
        if config is not None:
            return list(config.diagnostics)
    checked = check(path)
    if checked.program is not None and page.code in ("AM230", "AM231"):
        converted = convert(checked.program, mode="strict" if page.code == "AM230" else "lower")
        if page.code == "AM230":
            return diagnostics(converted.losses, {}, "lost")
        return diagnostics(converted.lowered, {}, "coarser")
    if page.code == "AM407":
        return remarks(checked)
    return lint(checked, str(path)) if page.code.startswith("AM9") else list(checked.diagnostics)


def settings_read(command: str, root: Path) -> list[Diagnostic]:
    """What Clara's command line says to the settings of `command`, with an MMAR at `root`."""
    (root / "config").mkdir(exist_ok=True)
    for name in ("config_train.json", "config_automl.json"):
        (root / "config" / name).write_text("{}", encoding="utf-8")
    words = command.split()
    given = words[words.index("--set") + 1 :]
    return list(load_mmar(root, settings=parse_settings(given)).diagnostics)


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert set(pages()) == emitted()


@pytest.mark.parametrize("page", pages().values(), ids=lambda page: page.code)
def test_examples(page: Page, tmp_path: Path) -> None:
    assert {found.code for found in findings(page, page.wrong, tmp_path)} == {page.code}
    assert [found.code for found in findings(page, page.right, tmp_path)] == []


@pytest.mark.parametrize("page", pages().values(), ids=lambda page: page.code)
def test_pages_are_short_and_plain(page: Page) -> None:
    assert 20 < len(page.body) < 400
    assert all(len(line) <= 150 for line in page.rendered().splitlines())


def test_the_command_prints_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "am105"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("AM105: An empty range\n")
    assert "Wrong:\n\n    lr ~ log 1e-3..1e-4\n" in shown


def test_an_unknown_code_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "AM000"]) == 2
    assert "AM000" in capsys.readouterr().err
