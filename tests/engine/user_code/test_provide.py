"""`import automl` in a process of user code, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

IMPORTS = """
from automl.components.controllers.controller import Controller
from automl.components.executors.executor import Executor
from automl.components.handlers.handler import Handler
from automl.defs import Context, ContextKey, Outcome, Recommendation, SearchResult, Status
import automl, automl.defs
assert automl.defs.Context is Context and issubclass(Controller, object)
assert Controller.set_search_space.__globals__["Context"] is Context, "loaded twice"
"""


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=False)


def test_the_modules_of_clara_are_there(tmp_path: Path) -> None:
    done = python(f"from automl_run.engine.user_code.provide import provide\nprovide()\nprovide()\n{IMPORTS}", tmp_path)
    assert done.returncode == 0, done.stderr


def test_nobody_else_sees_them() -> None:
    assert find_spec("automl") is None


def test_an_installed_package_is_not_shadowed_and_gets_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "automl").mkdir()
    (tmp_path / "automl" / "__init__.py").write_text("MINE = 1\n")
    (tmp_path / "automl" / "other.py").write_text("X = 2\n")
    check = "import automl.other\nassert automl.MINE == 1 and automl.other.X == 2\n"
    done = python(f"from automl_run.engine.user_code.provide import provide\nprovide()\n{IMPORTS}{check}", tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_folder_of_runs_is_no_package(tmp_path: Path) -> None:
    """An MMAR keeps its runs in `automl/`; its root may be where Python looks."""
    (tmp_path / "automl" / "a").mkdir(parents=True)
    done = python(f"from automl_run.engine.user_code.provide import provide\nprovide()\n{IMPORTS}", tmp_path)
    assert done.returncode == 0, done.stderr


def test_an_installed_module_of_clara_stays_its_own(tmp_path: Path) -> None:
    (tmp_path / "automl").mkdir()
    (tmp_path / "automl" / "__init__.py").write_text("")
    (tmp_path / "automl" / "defs.py").write_text("REAL = True\n")
    done = python(
        "from automl_run.engine.user_code.provide import provide\nprovide()\nimport automl.defs\nassert automl.defs.REAL", tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_a_file_of_that_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "automl.py").write_text("")
    done = python("from automl_run.engine.user_code.provide import provide\nprovide()", tmp_path)
    assert "has the name of Clara's package `automl`" in done.stderr
    assert done.returncode != 0


@pytest.mark.parametrize("key", ["JOB_NAME", "SCORE", "RECOMMENDATIONS", "CONCRETE_SEARCH_VALUE"])
def test_contexts_share_with_their_children(key: str) -> None:
    from automl_run.engine.user_code.provided.defs import Context, ContextKey

    name = getattr(ContextKey, key)
    parent = Context()
    child = Context(parent)
    parent.set_prop(name, 1)
    assert (child.get_prop(name), child.get_prop("none", 5)) == (1, 5)
    child.set_prop(name, 2)
    assert (parent.get_prop(name), child.get_prop(name)) == (1, 2)
    child.stop_work(child, "enough")
    assert parent.stop_work_asked()
    assert parent.get_stop_message() == "Context: enough"
