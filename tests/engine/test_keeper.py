"""A keeper, its job and what the job starts: real processes, watched through their descriptors."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from automl_run.dsl.ir import Spec, Value
from automl_run.engine.agent.folders import JobSpec, prepare
from automl_run.engine.agent.keeper import Graces, Kept, Order, start_keeper
from automl_run.engine.agent.outcome import Outcome, read_outcome
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.frames import decode_from_agent
from automl_run.engine.wire.messages import FromAgent, Metric, Stop

QUICK = Graces(stop_s=0.05, term_s=0.05, exit_s=0.05)
PATIENT = Graces(stop_s=30.0, term_s=30.0, exit_s=30.0)

TRAIN = """
import os, signal, subprocess, sys, threading

def three(params, report):
    for step in range(3):
        report(step, dice=params["lr"] * step)
    print("to stdout"); print("to stderr", file=sys.stderr)

def environment(params):
    names = "CUDA_VISIBLE_DEVICES OMP_NUM_THREADS NUMBA_NUM_THREADS AUTOML_SEED AUTOML_JOB_DIR AUTOML_CHECKPOINT_DIR".split()
    print([os.environ[name] for name in names], os.getcwd(), os.getsid(0) == os.getpid())
    print([name for name in ("numpy", "torch", "monai", "optuna") if name in sys.modules and name not in params["loaded"]])

def until_stop(params, report):
    step = 0
    while not report(step, dice=0.5):
        step += 1

def deaf(params, report):
    report(0, dice=0.5)
    signal.pause()
    signal.pause()

def unkind(params, report):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    report(0, dice=0.5)
    threading.Event().wait()

def tree(params, report):
    child = os.fork()
    if child == 0:
        signal.pause()
    code = "import os,signal; os.setsid(); pid=os.fork(); pid or (os.close(1), signal.pause()); print(pid, flush=True); os._exit(0)"
    run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE)
    report(0, child=child, detached=int(run.stdout), job=os.getpid())
    if params.get("stay"):
        signal.pause()
    return 0.5

def lingering(params):
    threading.Thread(target=threading.Event().wait).start()
    return 0.25

def pool(params):
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return sum(pool.map(abs, [-0.25, 0.5]))

def forgetful(params):
    os.fork()
    return 0.5

def dies(params, report):
    report(0, dice=0.1)
    os.kill(os.getpid(), params["signal"])

def exits(params):
    os._exit(params["code"])
"""


class Run:
    """One attempt of a function of TRAIN."""

    def __init__(
        self, tmp_path: Path, function: str, config: dict[str, Value], graces: Graces, limit_s: float | None, target: Spec | None
    ) -> None:
        (tmp_path / "train_here.py").write_text(TRAIN)
        self.spec = JobSpec(
            job="W1_1_J1",
            fence=1,
            target=target or Spec("Python", {"function": f"train_here:{function}"}),
            config_name="params.json",
            params={},
            seed=7,
            objectives=("dice",),
            gpus=(),
            threads=3,
            base_dir=str(tmp_path),
            time_limit_s=limit_s,
        )
        self.folder = prepare(tmp_path / "run", self.spec, config)
        self.kept: Kept = start_keeper(self.spec, self.folder, graces)
        self.channel: Connection[FromAgent] = Connection(self.kept.channel, decode_from_agent)
        self.metrics: list[Metric] = []

    def first_metric(self) -> Metric:
        while not self.metrics:
            assert select.select([self.channel.fileno(), self.kept.pidfd], [], [], 30.0)[0]
            self._receive()
        return self.metrics[0]

    def _receive(self) -> None:
        self.metrics += [message for message in self.channel.receive() if isinstance(message, Metric)]

    def outcome(self) -> Outcome:
        # Read on as an agent does: a job whose channel is full waits in its report.
        watched = [self.channel.fileno(), self.kept.pidfd]
        while self.kept.pidfd not in (ready := select.select(watched, [], [], 30.0)[0]):
            assert ready, "the keeper does not end"
            self._receive()
            if self.channel.eof:
                watched = [self.kept.pidfd]
        os.waitpid(self.kept.pid, 0)
        self._receive()
        outcome = read_outcome(self.folder, "W1_1_J1", 1)
        assert outcome is not None
        return outcome

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()


Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    runs: list[Run] = []

    def make(
        function: str, graces: Graces = PATIENT, limit_s: float | None = None, target: Spec | None = None, **config: Value
    ) -> Run:
        runs.append(Run(tmp_path, function, {"lr": 0.25, **config}, graces, limit_s, target))
        return runs[-1]

    yield make
    for run in runs:
        run.kept.close()


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_metrics_come_in_order_and_output_goes_to_the_log(start: Start) -> None:
    run = start("three")
    outcome = run.outcome()
    assert [(m.step, m.values) for m in run.metrics] == [(0, {"dice": 0.0}), (1, {"dice": 0.25}), (2, {"dice": 0.5})]
    assert (outcome.values, outcome.stopped, outcome.cause, outcome.code) == ({}, False, None, 0)
    assert run.log == "to stdout\nto stderr\n"


def test_the_job_has_its_environment_and_nothing_heavy(start: Start, tmp_path: Path) -> None:
    import sys

    loaded: list[Value] = [name for name in ("numpy", "torch", "monai", "optuna") if name in sys.modules]
    run = start("environment", loaded=loaded)
    run.outcome()
    seen = ["", "3", "3", "7", str(run.folder), str(run.folder / "checkpoints")]
    assert run.log == f"{seen} {tmp_path} True\n[]\n"


def test_a_stop_is_heard_by_the_next_report(start: Start) -> None:
    run = start("until_stop")
    run.first_metric()
    run.channel.send(Stop("W1_1_J1", 1, "pruned"))
    run.kept.order(Order.STOP)
    outcome = run.outcome()
    assert (outcome.stopped, outcome.cause, outcome.code) == (True, None, 0)


@pytest.mark.parametrize("function", ["deaf", "unkind"])
def test_a_job_that_does_not_stop_is_made_to(start: Start, function: str) -> None:
    run = start(function, graces=QUICK)
    run.first_metric()
    run.channel.send(Stop("W1_1_J1", 1, "pruned"))
    run.kept.order(Order.STOP)
    outcome = run.outcome()
    assert (outcome.stopped, outcome.cause) == (True, None)


@pytest.mark.parametrize("function", ["deaf", "unkind", "until_stop"])
def test_the_time_limit_ends_a_job_as_timeout(start: Start, function: str) -> None:
    outcome = start(function, graces=QUICK, limit_s=0.2).outcome()
    assert (outcome.cause, outcome.stopped) == ("timeout", False)
    assert outcome.message == "the job ran past its time limit of 0.2 s"
    assert outcome.seconds >= 0.2


def test_nothing_of_a_finished_job_lives_on(start: Start) -> None:
    run = start("tree")
    outcome = run.outcome()
    pids = [int(pid) for pid in run.metrics[0].values.values()]
    assert outcome.values == {"dice": 0.5}
    assert len(pids) == 3
    assert not any(map(alive, pids))


def test_the_agents_end_ends_the_tree(start: Start) -> None:
    run = start("tree", stay=True)
    pids = [int(pid) for pid in run.first_metric().values.values()]
    assert all(map(alive, pids))
    run.kept.orders.shutdown(socket.SHUT_RDWR)
    assert run.outcome().cause == "lost"
    assert not any(map(alive, pids))


def test_an_order_to_kill_ends_the_tree(start: Start) -> None:
    run = start("tree", stay=True)
    pids = [int(pid) for pid in run.first_metric().values.values()]
    run.kept.order(Order.KILL)
    assert run.outcome().cause == "preempted"
    assert not any(map(alive, pids))


def test_a_job_whose_process_does_not_end_is_done_all_the_same(start: Start) -> None:
    outcome = start("lingering", graces=QUICK).outcome()
    assert (outcome.values, outcome.cause) == ({"dice": 0.25}, None)


def test_a_pool_of_the_training_code_ends_when_it_is_told(start: Start) -> None:
    outcome = start("pool").outcome()
    assert (outcome.values, outcome.cause) == ({"dice": 0.75}, None)


def test_a_forked_child_that_returns_does_not_end_the_job(start: Start) -> None:
    outcome = start("forgetful").outcome()
    assert (outcome.values, outcome.cause) == ({"dice": 0.5}, None)


def test_a_command_hears_of_its_time_limit(start: Start) -> None:
    target = Spec("Command", {"template": "trap 'echo told; exit 0' TERM; mkfifo fifo; while :; do read x < fifo; done"})
    run = start("", target=target, limit_s=1.0)  # the shell has come to its trap by then, on a loaded machine too
    assert run.outcome().cause == "timeout"
    assert "told" in run.log


@pytest.mark.parametrize(
    ("number", "cause", "message"),
    [
        (signal.SIGKILL, "lost", "it was killed from outside (SIGKILL)"),
        (signal.SIGHUP, "preempted", "it was ended from outside (SIGHUP)"),
        (signal.SIGSEGV, "user_error", "it crashed with SIGSEGV"),
        (signal.SIGTERM, "preempted", None),
    ],
)
def test_death_by_signal(start: Start, number: int, cause: str, message: str | None) -> None:
    run = start("dies", signal=int(number))
    outcome = run.outcome()
    if number == signal.SIGTERM:
        # The first one only asks to stop, and the function returned without asking.
        assert (outcome.cause, outcome.stopped) == (None, False)
        return
    assert (outcome.cause, outcome.message, outcome.code) == (cause, message, -number)


def test_a_sigterm_from_outside_that_is_obeyed_is_a_preemption(start: Start) -> None:
    run = start("until_stop")
    run.first_metric()
    children = Path(f"/proc/{run.kept.pid}/task/{run.kept.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    outcome = run.outcome()
    assert (outcome.cause, outcome.stopped) == ("preempted", False)


def test_an_exit_without_a_word(start: Start) -> None:
    outcome = start("exits", code=3).outcome()
    assert (outcome.cause, outcome.message, outcome.code) == ("user_error", "it ended with exit code 3", 3)


def test_a_job_that_does_nothing_is_quick(start: Start) -> None:
    """A generous bound: tens of milliseconds are usual."""
    began = time.monotonic()
    start("three").outcome()
    assert time.monotonic() - began < 1.0
