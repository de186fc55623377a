"""What is left of a run when its agents and keepers were killed together."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from automl_run.dsl.ir import Worker
from automl_run.engine.launchers import strays
from automl_run.engine.launchers.local import LocalLauncher, end_strays_of

#: Says the number of a child that has its own session, and waits.
PARENT = "import os, subprocess, sys; print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid, flush=True); input()"

Tree = tuple["subprocess.Popen[bytes]", int]


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """A process of a run, and its child."""
    environment = {**os.environ, strays.VARIABLE: str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    yield parent, int(parent.stdout.readline())
    strays.end_strays(tmp_path, grace_s=0.0)
    parent.communicate()


def test_what_a_killed_agent_has_left_is_found_and_ended(tree: Tree, tmp_path: Path) -> None:
    parent, child = tree
    parent.kill()
    parent.wait()
    assert strays.strays(tmp_path) == [child]
    assert strays.strays(tmp_path.parent) == []
    assert strays.end_strays(tmp_path, grace_s=0.0) == [child]
    assert strays.strays(tmp_path) == []


def test_what_a_living_agent_has_is_spared(tree: Tree, tmp_path: Path) -> None:
    parent, child = tree
    assert strays.strays(tmp_path, agents=[parent.pid]) == []
    assert strays.strays(tmp_path) == sorted([parent.pid, child])
    assert strays.strays(tmp_path, agents=[os.getpid()]) == []


def test_who_asks_is_spared(tmp_path: Path) -> None:
    code = (
        f"from automl_run.engine.launchers import strays; from pathlib import Path; print(strays.strays(Path({str(tmp_path)!r})))"
    )
    environment = {**os.environ, strays.VARIABLE: str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True).stdout
    assert found == "[]\n"


def test_a_later_scheduler_ends_them(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, child = tree
    asked: list[tuple[Path, list[int]]] = []

    def end(run_dir: Path, agents: list[int]) -> list[int]:
        asked.append((run_dir, agents))
        return [child]

    monkeypatch.setattr(strays, "end_strays", end)
    LocalLauncher(tmp_path).end_survivors(())
    assert asked == [(tmp_path, [])]
    assert end_strays_of(tmp_path) == [child]


def test_a_worker_is_started_again_when_nothing_is_left_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []
    monkeypatch.setattr(strays, "end_strays", lambda _run_dir, agents: asked.append(agents))
    launcher = LocalLauncher(tmp_path)
    for _ in range(2):
        agent = launcher.start("W1", Worker())
        assert agent.wait(30.0), "there is no program in this folder"
        agent.close()
    assert asked == [[]]
