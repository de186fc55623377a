"""The `%%automl` magic in a real IPython shell."""

from __future__ import annotations

from typing import Any

import pytest

from automl_run.dsl.ir import Program

pytest.importorskip("IPython", reason="IPython is not installed")


@pytest.fixture(scope="module")
def only_shell() -> Any:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    shell: Any = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    shell.run_line_magic("load_ext", "automl_run.dsl.notebook")
    return shell


@pytest.fixture
def shell(only_shell: Any) -> Any:
    only_shell.user_ns.pop("space", None)
    return only_shell


def test_a_cell_becomes_a_program(shell: Any) -> None:
    report = shell.run_cell_magic("automl", "space", "x ~ 1 | 2\nm ~ A(k ~ 1..3) | B()\n")
    assert isinstance(shell.user_ns["space"], Program)
    assert [param.id for param in shell.user_ns["space"].params] == ["x", "m", "m[A].k"]
    assert repr(report).startswith("space: 3 parameters, 8 points\n  x")
    result = shell.run_cell("space.sample(2, seed=1)")
    assert result.success
    assert len(result.result) == 2


def test_mistakes_are_shown_and_stop_the_notebook(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    result = shell.run_cell("%%automl space\nlr = 1e-4..1e-2\nk = 1..3\n")
    shown = capsys.readouterr()
    assert not result.success
    assert "space" not in shell.user_ns
    assert "error[AM001]" in shown.out
    assert "%%automl space:1:" in shown.out
    assert "2 mistakes in this cell" in shown.out + shown.err


def test_html_is_escaped(shell: Any) -> None:
    report = shell.run_cell_magic("automl", "space", 'x ~ 1.0..1000.0\nrequire x < 2000 or x > 1 because "<b>"\n')
    assert "<pre" in report._repr_html_()
    from automl_run.dsl.load import check_text
    from automl_run.dsl.notebook import CellReport

    broken = CellReport("a", check_text("x = 1..2 # <b>\n"))
    assert "<b style=" in broken._repr_html_()
    assert "# &lt;b&gt;" in broken._repr_html_()


@pytest.mark.parametrize("line", ["", "two words", "1x"])
def test_a_name_is_needed(shell: Any, line: str) -> None:
    from IPython.core.error import UsageError

    with pytest.raises(UsageError, match="NAME"):
        shell.run_cell_magic("automl", line, "x ~ 1 | 2\n")
