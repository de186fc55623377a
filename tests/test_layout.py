"""The rooms stay where they are, and each imports only what it may."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINKS = ("dsl", "engine", "kernels", "grammars")
#: room -> packages of ours that it may import
MAY_IMPORT = {
    "grammars": set(),
    "dsl": {"dsl", "grammars", "errors"},
    "kernels": {"kernels", "errors"},
    "engine": {"engine", "dsl", "kernels", "grammars", "errors"},
}


@pytest.mark.parametrize("name", LINKS)
def test_link_points_to_the_top_level_folder(name: str) -> None:
    link = ROOT / "automl_run" / name
    assert link.is_symlink()
    assert link.resolve() == ROOT / name


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("automl_run.") and name.count(".") >= 1}
    return found


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_layers(room: str) -> None:
    for path in sorted((ROOT / room).rglob("*.py")):
        extra = imported_packages(path) - MAY_IMPORT[room] - {"__version__"}
        assert not extra, f"{path.relative_to(ROOT)} imports {sorted(extra)}"


def test_core_does_no_io() -> None:
    forbidden = {"socket", "sqlite3", "os", "time", "threading", "subprocess", "pathlib", "torch", "random", "selectors"}
    for path in sorted((ROOT / "engine" / "core").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
                assert module.split(".")[0] not in forbidden, f"{path.name} imports {module}"


def test_nothing_is_loaded_as_a_top_level_module() -> None:
    assert not {"dsl", "kernels", "engine", "grammars"} & {name.split(".")[0] for name in sys.modules}


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["run", "--help"], ["check", "--help"], ["show", "--help"]])
def test_light_commands_import_no_heavy_library(args: list[str]) -> None:
    heavy = ["torch", "monai", "optuna", "numba", "numpy"]
    code = (
        "import sys\n"
        "from automl_run.cli.main import main\n"
        f"try:\n    main({args!r})\nexcept SystemExit:\n    pass\n"
        f"loaded = [name for name in {heavy!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_modules_stay_readable() -> None:
    for folder in ("automl_run", *LINKS, "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            assert lines <= 600, f"{path.relative_to(ROOT)} has {lines} lines"
