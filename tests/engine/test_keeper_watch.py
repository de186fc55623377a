"""What a keeper watches over: silence, the log, GPUs that others have, memory, what cannot be ended, what is left behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from automl_run.dsl.ir import Spec, Value
from automl_run.engine.agent import gpu_locks, gpu_memory, keeping, log_pump
from automl_run.engine.agent.folders import JobSpec, log_tail, prepare
from automl_run.engine.agent.keeper import Graces, Kept, Order, start_keeper
from automl_run.engine.agent.memory import sweep_shared_memory
from automl_run.engine.agent.outcome import Outcome, read_outcome
from automl_run.engine.core.causes import CAUSES, Cause
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.frames import decode_from_agent
from automl_run.engine.wire.messages import FromAgent, Progress

TRAIN = """
import ctypes, mmap, os, signal, sys, threading

def wait_here_for_ever():
    threading.Event().wait()

def silent(params, report):
    report(0, dice=0.5)
    wait_here_for_ever()

def deaf_and_silent(params, report):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    wait_here_for_ever()

def talks(params, report):
    for _ in range(6):
        threading.Event().wait(0.15)
        print("still here", flush=True)
    return 0.5

def reports(params, report):
    for step in range(6):
        threading.Event().wait(0.15)
        report.progress("still here")
    return 0.5

def until_stop(params, report):
    step = 0
    while not report(step, dice=0.5):
        step += 1

def until_stop_slowly(params, report):
    while not report(0, dice=0.5):
        threading.Event().wait(0.02)

def floods(params):
    for line in range(params["lines"]):
        print(f"{line:099d}")
    return 0.5

def noisy_child(params):
    os.system("echo from a child; echo to its stderr >&2")
    return 0.5

def big(params):
    children = []
    for _ in range(2):
        ready, mine = os.pipe()
        if os.fork() == 0:
            block = mmap.mmap(-1, params["bytes"])
            block.write(b"x" * params["bytes"])
            os.write(mine, b".")
            signal.pause()
        os.read(ready, 1)
    threading.Event().wait(params["wait"])
    return {"dice": 0.5}

def says_it_itself(params, report):
    report(0, dice=0.5, peak_memory=7.0)
    return {"dice": 0.5}

def score(params):
    return 0.5

def closes_what_it_has(params, report):
    os.closerange(3, 4096)
    wait_here_for_ever()

def fails_without_stderr(params, report):
    os.close(2)
    raise RuntimeError("no room")

def fails(params, report):
    what = params["what"]
    if what == "nan":
        report(0, dice=float("nan"))
    if what == "memory":
        raise MemoryError
    if what == "full":
        with open("/dev/full", "w") as file:
            file.write("x")
    if what == "signal":
        os.kill(os.getpid(), params["signal"])
    if what == "exit":
        print(params["text"], file=sys.stderr, flush=True)
        os._exit(1)
    raise RuntimeError(params["text"])

def leaves_shared_memory(params, report):
    open(f"{params['folder']}/torch_{os.getpid()}_1_0", "w").close()
    open(f"{params['folder']}/torch_1_1_0", "w").close()
    os.kill(os.getpid(), signal.SIGSEGV)
"""

QUICK = Graces(stop_s=0.05, term_s=0.1, exit_s=0.1)


class Run:
    def __init__(self, tmp_path: Path, name: str, function: str, config: dict[str, Value], spec: dict[str, object]) -> None:
        (tmp_path / "watched.py").write_text(TRAIN)
        self.spec = JobSpec(
            job=name,
            fence=1,
            target=Spec("Python", {"function": f"watched:{function}"}),
            config_name="params.json",
            params={},
            seed=7,
            objectives=("dice",),
            gpus=(),
            threads=1,
            base_dir=str(tmp_path),
            **spec,  # type: ignore[arg-type]
        )
        self.folder = prepare(tmp_path / "run", self.spec, config)
        self.kept: Kept = start_keeper(self.spec, self.folder, QUICK)
        self.channel: Connection[FromAgent] = Connection(self.kept.channel, decode_from_agent)

    def outcome(self) -> Outcome:
        os.waitpid(self.kept.pid, 0)
        outcome = read_outcome(self.folder, self.spec.job, 1)
        assert outcome is not None
        return outcome

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()


Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    runs: list[Run] = []

    def make(function: str, config: dict[str, Value] | None = None, name: str = "W1_1_J1", **spec: object) -> Run:
        runs.append(Run(tmp_path, name, function, config or {}, spec))
        return runs[-1]

    yield make
    for run in runs:
        run.kept.close()


# -- silence ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["silent", "deaf_and_silent"])
def test_a_silent_job_shows_where_it_is_and_is_ended(start: Start, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    monkeypatch.setattr(keeping, "_DUMP_S", 0.2)
    run = start(function, stall_time_s=0.5)
    outcome = run.outcome()
    assert (outcome.cause, outcome.stopped) == ("stalled", False)
    assert outcome.message.startswith("it neither reported nor logged anything for 0.5 s")
    assert "wait_here_for_ever" in run.log


@pytest.mark.parametrize("function", ["talks", "reports"])
def test_output_and_reports_are_signs_of_life(start: Start, function: str) -> None:
    assert start(function, stall_time_s=0.6).outcome().values == {"dice": 0.5}


# -- the log ----------------------------------------------------------------------------------------------------------------


def test_a_job_that_can_never_be_heard_is_ended_and_not_tried_again(start: Start) -> None:
    outcome = start("closes_what_it_has").outcome()
    assert outcome.cause == "user_error"
    assert "closed the descriptors" in outcome.message


def test_an_error_is_told_though_the_job_closed_its_stderr(start: Start) -> None:
    outcome = start("fails_without_stderr").outcome()
    assert (outcome.cause, outcome.message) == ("user_error", "RuntimeError: no room")


def test_the_log_rotates_and_keeps_the_newest(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_pump.LogPump.__init__, "__defaults__", (100_000,))
    run = start("floods", {"lines": 3500})
    assert run.outcome().values == {"dice": 0.5}
    new, old = (run.folder / "log.txt").read_bytes(), (run.folder / "log.1.txt").read_bytes()
    assert max(len(new), len(old)) <= 100_000
    lines = (old + new).splitlines()
    assert int(lines[-1]) == 3499
    assert [int(line) for line in lines[1:]] == list(range(3500 - len(lines) + 1, 3500))


def test_the_tail_of_a_log_that_has_just_been_rotated(tmp_path: Path) -> None:
    (tmp_path / "log.1.txt").write_text("".join(f"line {n}\n" for n in range(30)))
    (tmp_path / "log.txt").write_text("the last\n")
    assert log_tail(tmp_path).splitlines()[-3:] == ["line 28", "line 29", "the last"]


def test_what_the_jobs_children_print_is_logged(start: Start) -> None:
    run = start("noisy_child")
    run.outcome()
    assert run.log == "from a child\nto its stderr\n"


def test_a_full_disk_costs_output_and_not_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pump = log_pump.LogPump(tmp_path)
    real = os.write
    full = True

    def write(fd: int, data: bytes) -> int:
        if full:
            raise OSError(28, "No space left on device")
        return real(fd, data)

    monkeypatch.setattr(os, "write", write)
    pump.say("lost")
    full = False
    pump.say("kept")
    monkeypatch.undo()
    assert (tmp_path / "log.txt").read_text() == "automl-run: 17 bytes of this log could not be written\nautoml-run: kept\n"


# -- GPUs -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gpu_locks, "FOLDER", tmp_path / "locks")
    return tmp_path / "locks"


def test_a_job_waits_for_a_gpu_that_another_job_has(start: Start, locks: Path) -> None:
    first = start("until_stop", name="W1_1_J1", locks=("GPU-a",))
    next_messages(first)
    second = start("score", name="W1_1_J2", locks=("GPU-a",))
    (message,) = next_messages(second)
    assert isinstance(message, Progress)
    assert "waits for GPU-a" in message.text
    first.kept.order(Order.KILL)
    first.outcome()
    assert second.outcome().values == {"dice": 0.5}
    assert "waits for GPU-a" in second.log


def next_messages(run: Run) -> list[FromAgent]:
    found: list[FromAgent] = []
    while not found:
        assert select.select([run.channel.fileno()], [], [], 30.0)[0]
        found += run.channel.receive()
    return found


@pytest.mark.parametrize(("order", "cause", "stopped"), [(Order.STOP, None, True), (Order.KILL, "preempted", False)])
def test_a_job_that_waits_for_its_gpu_can_be_called_off(
    start: Start, locks: Path, order: Order, cause: str | None, stopped: bool
) -> None:
    held = gpu_locks.acquire(["GPU-a"])
    assert held is not None
    run = start("score", locks=("GPU-a",))
    run.kept.order(order)
    outcome = run.outcome()
    assert (outcome.cause, outcome.stopped, outcome.seconds) == (cause, stopped, 0.0)
    gpu_locks.release(held)


@pytest.mark.parametrize("frees", [True, False])
def test_a_gpu_is_given_when_its_memory_is_free(start: Start, locks: Path, monkeypatch: pytest.MonkeyPatch, frees: bool) -> None:
    looks = iter([[7], [7]])
    monkeypatch.setattr(keeping, "_LOCK_PAUSE_S", 0.0)
    monkeypatch.setattr(keeping, "_MEMORY_PATIENCE_S", 30.0 if frees else 0.0)
    monkeypatch.setattr(gpu_memory, "_processes", lambda nvml, uuid: next(looks, []) if frees else [7])
    monkeypatch.setattr(gpu_memory, "_nvml", lambda library: contextlib.nullcontext())
    run = start("score", locks=("GPU-a",))
    assert run.outcome().values == {"dice": 0.5}
    waited = "automl-run: waits for memory: the processes [7] compute on GPU-a\n"
    passed = "automl-run: starts all the same: the processes [7] compute on GPU-a\n"
    assert (waited in run.log, passed in run.log) == (frees, not frees)


def test_what_cannot_be_ended_is_in_the_outcome(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "kill_descendants", lambda *_, **__: [4711])
    run = start("score")
    outcome = run.outcome()
    assert (outcome.values, outcome.survivors) == ({"dice": 0.5}, (4711,))
    assert "could not end the processes [4711]" in run.log


# -- memory -----------------------------------------------------------------------------------------------------------------


def test_the_peak_of_the_whole_tree(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "INTERVAL_S", 0.05)
    size = 64 * 2**20
    found = start("big", {"bytes": size, "wait": 1.0}, measured=("peak_memory",)).outcome().values
    assert found["dice"] == 0.5
    # Their part of this process, of which they are forks, counts.
    assert 2 * size < found["peak_memory"] < 6 * size + psutil.Process().memory_info().rss


def test_what_the_target_reports_itself_is_not_measured(start: Start) -> None:
    assert start("says_it_itself", measured=("peak_memory",)).outcome().values == {"dice": 0.5}


def test_gpu_memory_without_a_gpu_is_the_users_error(start: Start) -> None:
    outcome = start("score", measured=("peak_gpu_memory",)).outcome()
    assert outcome.cause == "user_error"
    assert "`peak_gpu_memory`, but this job's process used no GPU" in outcome.message


def test_nothing_is_measured_unasked(start: Start) -> None:
    assert start("score").outcome().values == {"dice": 0.5}


def test_shared_memory_of_the_dead_is_swept(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shm"
    shared.mkdir()
    monkeypatch.setattr(sweep_shared_memory, "__defaults__", (shared,))
    outcome = start("leaves_shared_memory", {"folder": str(shared)}).outcome()
    assert outcome.code == -signal.SIGSEGV
    assert [path.name for path in shared.iterdir()] == ["torch_1_1_0"]


# -- why jobs fail ----------------------------------------------------------------------------------------------------------

#: cause -> what a job does, and what is asked of its keeper. `internal` is an agent's word: see the tests of the agent.
FAILURES: dict[Cause, tuple[str, dict[str, Value], dict[str, object]]] = {
    "user_error": ("fails", {"what": "raise", "text": "no such layer"}, {}),
    "diverged": ("fails", {"what": "nan", "text": ""}, {}),
    "oom_host": ("fails", {"what": "memory"}, {}),
    "oom_gpu": ("fails", {"what": "raise", "text": "CUDA out of memory. Tried to allocate 2 GiB"}, {}),
    "gpu_error": ("fails", {"what": "exit", "text": "CUDA error: an illegal memory access was encountered"}, {}),
    "stalled": ("silent", {}, {"stall_time_s": 0.3}),
    "timeout": ("until_stop_slowly", {}, {"time_limit_s": 0.3}),
    "disk_full": ("fails", {"what": "full", "text": ""}, {}),
    "preempted": ("fails", {"what": "signal", "signal": int(signal.SIGHUP)}, {}),
    "lost": ("fails", {"what": "signal", "signal": int(signal.SIGKILL)}, {}),
}


def test_every_cause_has_a_job_that_fails_of_it() -> None:
    assert {*FAILURES, "internal"} == set(CAUSES)


@pytest.mark.parametrize("cause", FAILURES)
def test_a_real_job_fails_of(start: Start, monkeypatch: pytest.MonkeyPatch, cause: Cause) -> None:
    monkeypatch.setattr(keeping, "_DUMP_S", 0.1)
    function, config, spec = FAILURES[cause]
    outcome = start(function, config, **spec).outcome()
    assert outcome.cause == cause, outcome
    assert outcome.message
