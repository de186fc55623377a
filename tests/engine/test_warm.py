"""The warm server: jobs whose libraries are imported already, and what happens when it is not fit for a fork."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import psutil
import pytest

from automl_run.dsl import ir
from automl_run.engine.agent import warm_server
from automl_run.engine.agent.environment import warm_environment
from automl_run.engine.agent.folders import JobSpec, prepare
from automl_run.engine.agent.orders import DEFAULT_GRACES, Kept
from automl_run.engine.agent.outcome import Outcome, read_outcome
from automl_run.engine.agent.warm import SWITCH, WarmServer
from automl_run.engine.run import RunOptions, run_study
from automl_run.engine.targets.libraries import libraries

TRAIN = """
import os, random, sys
WARM = "numpy" in sys.modules
import numpy

def look(params, report):
    assert "GLIBC_TUNABLES" not in os.environ, "the server's large pages are not for what its jobs start"
    with open(os.environ["AUTOML_JOB_DIR"] + "/seen.txt", "w") as file:
        print(WARM, os.getppid(), numpy.random.rand(), random.random(), os.environ["OMP_NUM_THREADS"], file=file)
        print(sorted(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), file=file)
    return params["lr"]
"""

_PR_SET_CHILD_SUBREAPER = 36

THREAD = "threading.Thread(target=threading.Event().wait, daemon=True).start()"


@pytest.fixture
def subreaper() -> Iterator[None]:
    """Keepers become children of this process, as of an agent."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def job(tmp_path: Path, name: str = "W1_1_J1", seed: int = 7, threads: int = 1) -> tuple[JobSpec, Path]:
    (tmp_path / "train_warm.py").write_text(TRAIN)
    target = ir.Spec("Python", {"function": "train_warm:look"})
    spec = JobSpec(name, 1, target, "params.json", {}, seed, ("dice",), (), threads, str(tmp_path))
    return spec, prepare(tmp_path / "run", spec, {"lr": 0.25})


def started(*names: str) -> WarmServer:
    warm = WarmServer(names, 2)
    while warm.starting:
        assert select.select([warm.fd], [], [], 60.0)[0]
        warm.hear()
    return warm


def outcome(kept: Kept, folder: Path, name: str = "W1_1_J1") -> Outcome:
    os.waitpid(kept.pid, 0)
    kept.close()
    found = read_outcome(folder, name, 1)
    assert found is not None
    return found


def seen(folder: Path) -> list[str]:
    return (folder / "seen.txt").read_text().split()


def test_its_jobs_find_their_libraries_and_their_own_seeds(tmp_path: Path, subreaper: None) -> None:
    warm = started("numpy")
    assert warm.ready, warm.reason
    numbers = []
    for name, seed in (("W1_1_J1", 7), ("W1_2_J2", 7), ("W1_3_J3", 8)):
        _, folder = job(tmp_path, name, seed, threads=2)
        kept = warm.start(folder, DEFAULT_GRACES)
        assert kept is not None
        assert outcome(kept, folder, name).values == {"dice": 0.25}
        was_warm, parent, *random, threads = seen(folder)[:5]
        assert (was_warm, int(parent), threads) == ("True", kept.pid, "2")
        numbers.append(random)
        # stdin, stdout, stderr, the file, the listing; the channel, the last words, the pulse
        listing = (folder / "seen.txt").read_text().splitlines()[1]
        assert listing.count("'") == 2 * 8, listing
    assert numbers[0] == numbers[1]
    assert numbers[1][0] != numbers[2][0]
    assert numbers[1][1] != numbers[2][1]
    warm.close()
    assert not Path(f"/proc/{warm.pid}").exists()


def test_it_ends_with_its_agent() -> None:
    warm = started("json")
    end = os.pidfd_open(warm.pid)
    warm._socket.close()
    assert select.select([end], [], [], 30.0)[0]
    os.close(end)
    warm._process.wait()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
            "after its imports it has 2 threads",
        ),
        ("raise OSError('no such driver')", "OSError at the import of library_here: no such driver"),
        ("import os; os._exit(3)", "it ended"),
    ],
)
def test_unfit_after_its_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, reason: str) -> None:
    (tmp_path / "library_here.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    warm = started("library_here")
    assert (warm.ready, warm.reason) == (False, reason)
    warm.close()


def test_unfit_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subreaper: None) -> None:
    """Whatever happens in it after its start is looked at before each fork."""
    late = f"import signal, threading\nsignal.signal(signal.SIGUSR1, lambda *_: {THREAD})"
    (tmp_path / "library_here.py").write_text(late)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    warm = started("library_here")
    assert warm.ready
    os.kill(warm.pid, signal.SIGUSR1)
    while len(list(Path(f"/proc/{warm.pid}/task").iterdir())) == 1:
        os.sched_yield()
    _, folder = job(tmp_path)
    kept = warm.start(folder, DEFAULT_GRACES)
    assert kept is not None, "its keeper was forked before"
    assert outcome(kept, folder).values == {"dice": 0.25}
    _, folder = job(tmp_path)
    assert warm.start(folder, DEFAULT_GRACES) is None
    assert (warm.ready, warm.reason) == (False, "it has 2 threads")
    warm.close()


def test_a_server_that_died_is_no_server(tmp_path: Path) -> None:
    warm = started("json")
    os.kill(warm.pid, signal.SIGKILL)
    os.waitid(os.P_PID, warm.pid, os.WEXITED | os.WNOWAIT)
    _, folder = job(tmp_path)
    assert warm.start(folder, DEFAULT_GRACES) is None
    assert not warm.ready
    warm.close()


def test_a_killed_keeper_in_waiting_is_replaced(tmp_path: Path, subreaper: None) -> None:
    others = {each.pid for each in psutil.Process().children()}  # of other tests' fixtures
    warm = started("numpy")
    others.add(warm.pid)
    living = [each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE and each.pid not in others]
    for waiting in living:
        waiting.kill()
        waiting.wait()
    assert living
    _, folder = job(tmp_path)
    kept = warm.start(folder, DEFAULT_GRACES)
    assert kept is not None
    assert outcome(kept, folder).values == {"dice": 0.25}
    assert warm.ready
    warm.close()


def test_a_killed_keeper_whose_nursery_still_holds_its_socket_is_seen() -> None:
    mine, of_the_nursery = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with of_the_nursery, subprocess.Popen(["true"]) as keeper:
        os.waitid(os.P_PID, keeper.pid, os.WEXITED | os.WNOWAIT)  # a zombie, as its agent has not reaped it
        assert warm_server._hand_over(warm_server._Standby(keeper.pid, mine), b"{}", []) is None
        of_the_nursery.setblocking(False)
        assert of_the_nursery.recv(1) == b""


def test_a_keeper_that_nobody_knows_of_begins_nothing(tmp_path: Path, subreaper: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kept, "order", lambda kept, order: kept.orders.close())
    warm = started("numpy")
    _, folder = job(tmp_path)
    kept = warm.start(folder, DEFAULT_GRACES)
    assert kept is not None
    assert os.waitpid(kept.pid, 0)[1] == 0
    assert not (folder / "log.txt").exists()
    kept.close()
    warm.close()


def test_an_open_gpu_and_an_initialised_cuda_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda path: ["1"])
    monkeypatch.setattr(os, "readlink", lambda path: "/dev/null")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: False)))
    assert warm_server.unfit_because() is None
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: True)))
    assert warm_server.unfit_because() == "CUDA is initialised in it"
    monkeypatch.setattr(os, "readlink", lambda path: "/dev/nvidiactl")
    assert warm_server.unfit_because() == "it has /dev/nvidiactl open"


def test_its_environment_starts_no_threads_and_shows_no_gpu() -> None:
    found = warm_environment(4, {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "1", "OMP_NUM_THREADS": "8"})
    assert found["PATH"] == "/bin"
    assert (found["OMP_NUM_THREADS"], found["MKL_NUM_THREADS"], found["OPENBLAS_NUM_THREADS"]) == ("1", "1", "1")
    assert (found["NUMBA_NUM_THREADS"], found["NUMBA_THREADING_LAYER"]) == ("4", "workqueue")
    assert found["CUDA_VISIBLE_DEVICES"] == ""


# -- which libraries --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch, json\nfrom monai.networks import nets", {"torch", "monai.networks"}),
        ("def train(params):\n    import numpy as np", {"numpy"}),
        ("import helper", {"scipy.ndimage"}),
        ("from package import part", {"pandas"}),
        ("from package.part import x", {"pandas"}),
        ("import os\nos.environ['OMP_NUM_THREADS'] = '2'\nimport torch", set()),
        ("import os\ndef up():\n    os.environ['OMP_NUM_THREADS'] = '2'\nup()\nimport torch", set()),
        ("import os\nclass Up:\n    os.environ['OMP_NUM_THREADS'] = '2'\nimport torch", set()),
        ("import torch, os\ndef up():\n    os.environ['A'] = '2'\nif __name__ == '__main__':\n    up()", {"torch"}),
        ("import torch, os\ndef train(params):\n    os.environ['A'] = '2'", {"torch"}),
        ("import json", set()),
        ("this is no Python", set()),
    ],
)
def test_libraries_of_a_function(tmp_path: Path, source: str, found: set[str]) -> None:
    (tmp_path / "mine.py").write_text(source)
    (tmp_path / "helper.py").write_text("import scipy.ndimage, mine")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "part.py").write_text("import pandas")
    assert set(libraries(ir.Spec("Python", {"function": "mine:train"}), tmp_path)) == found


@pytest.mark.parametrize("source", ["import numpy, monai", "from monai.networks import nets", "import helper"])
def test_a_projects_own_version_of_a_library_is_the_jobs_to_import(tmp_path: Path, source: str) -> None:
    (tmp_path / "mine.py").write_text(source)
    (tmp_path / "helper.py").write_text("import monai")
    (tmp_path / "torch").mkdir()  # of models, not of modules
    assert libraries(ir.Spec("Python", {"function": "mine:train"}), tmp_path) != ()
    (tmp_path / "monai").mkdir()
    (tmp_path / "monai" / "__init__.py").write_text("")
    assert libraries(ir.Spec("Python", {"function": "mine:train"}), tmp_path) == ()


def test_files_named_as_modules_of_pythons_own_are_no_agents_business(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("random", "secrets", "msgspec"):
        (tmp_path / f"{name}.py").write_text("raise SystemError('a file of the user in the place of a module')")
    program = study(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = run_study(program, RunOptions(out=tmp_path / "runs", run_id="a"))
    assert [job["state"] for job in result.summary["jobs"]] == ["done"] * 3
    assert (result.folder / "agents" / "W1.log").read_text() == ""


@pytest.mark.parametrize(
    "spec",
    [None, ir.Spec("Command", {"template": "true"}), ir.Spec("Python", {"function": "?"}), ir.Spec("Python", {"function": "no:f"})],
)
def test_no_libraries(spec: ir.Spec | None, tmp_path: Path) -> None:
    assert libraries(spec, tmp_path) == ()


# -- whole runs -------------------------------------------------------------------------------------------------------------


def study(base: Path) -> ir.Program:
    (base / "train_warm.py").write_text(TRAIN)
    target = ir.Spec("Python", {"function": "train_warm:look"})
    lr = ir.Param("lr", ir.Real(0.0, 1.0), ("train.lr",), (0.5,))
    found = ir.Study(
        name="study",
        target=target,
        objectives=(ir.Objective("dice", "maximize"),),
        controller=ir.Spec("Random"),
        budget=ir.Budget(trials=3),
        workers=(ir.Worker(),),
    )
    return ir.Program(found, (lr,), ir.MapNode({"lr": ir.Read("lr")}), digest="d1", base_dir=str(base))


def processes_of(folder: Path) -> list[str]:
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]) if process.pid != os.getpid()]
    return [" ".join(command) for command in commands if str(folder) in command]


def test_a_run_is_the_same_warm_and_cold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for cold in (False, True):
        if cold:
            monkeypatch.setenv(SWITCH, "1")
        result = run_study(study(tmp_path), RunOptions())
        assert [job["state"] for job in result.summary["jobs"]] == ["done"] * 3
        words = [seen(result.folder / job["name"]) for job in result.summary["jobs"]]
        assert [word[0] for word in words] == [str(not cold)] * 3
        drawn.append([word[2:5] for word in words])
        assert processes_of(result.folder) == []
    assert drawn[0] == drawn[1]


def test_a_killed_server_is_started_again(tmp_path: Path) -> None:
    program = study(tmp_path)
    # Keeper and server are children of the agent.
    source = (
        TRAIN
        + """
import psutil
def kills(params, report):
    if os.environ["AUTOML_JOB_DIR"].endswith("_J1"):
        siblings = psutil.Process(os.getppid()).parent().children()
        next(each for each in siblings if "automl_run.engine.agent.warm_server" in each.cmdline()).kill()
    return look(params, report)
"""
    )
    target = ir.Spec("Python", {"function": "train_warm:kills"})
    program = msgspec.structs.replace(program, study=msgspec.structs.replace(program.study, target=target))
    (tmp_path / "train_warm.py").write_text(source)
    result = run_study(program, RunOptions())
    assert [job["state"] for job in result.summary["jobs"]] == ["done"] * 3
    assert [seen(result.folder / job["name"])[0] for job in result.summary["jobs"]] == ["True"] * 3
    assert "the warm server is started again: it ended" in (result.folder / "agents" / "W1.log").read_text()
    assert processes_of(result.folder) == []


def test_a_server_that_is_not_fit_costs_a_warning_and_not_the_run(tmp_path: Path) -> None:
    program = study(tmp_path)
    # The agent looks for its libraries where it was started; what is not there makes its warm server end.
    source = TRAIN.replace("import numpy", "import numpy\nif 0: import numpy.no_such_part")
    (tmp_path / "train_warm.py").write_text(source)
    result = run_study(program, RunOptions())
    assert [job["state"] for job in result.summary["jobs"]] == ["done"] * 3
    said = (result.folder / "agents" / "W1.log").read_text()
    assert "warning: jobs start cold from now on; the warm server is not fit: ModuleNotFoundError" in said
    assert [seen(result.folder / job["name"])[0] for job in result.summary["jobs"]] == ["False"] * 3
