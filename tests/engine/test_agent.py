"""A real agent process, with its keepers and jobs, before a scheduler that the test plays."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from automl_run.dsl import ir
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.frames import decode_from_agent
from automl_run.engine.wire.messages import (
    Accept,
    Ack,
    Assign,
    Bye,
    Done,
    Drain,
    Failed,
    FromAgent,
    Hello,
    Message,
    Metric,
    Ping,
    Pong,
    Reject,
    Stop,
    Superseded,
    ToAgent,
    Welcome,
)

TRAIN = '''
import itertools, os, signal, subprocess, sys, time

def two(params, report):
    report(0, dice=0.25); report(1, dice=0.5)
    return 0.75

def fails(params, report):
    report(0, dice=0.25)
    raise ValueError("the data are missing")

def until_stop(params, report):
    report(0, dice=0.25, pid=os.getpid())
    while not report(1):
        pass

def tree(params, report):
    code = "import os,signal; os.setsid(); pid=os.fork(); pid or (os.close(1), signal.pause()); print(pid, flush=True); os._exit(0)"
    run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE)
    report(0, detached=int(run.stdout), job=os.getpid())
    signal.pause()

def waits(params, report):
    """Ends when somebody opens the other end."""
    report(0, dice=0.25)
    open(params["fifo"]).read()
    return 0.75

def late(params, report):
    """Hears nothing until somebody opens the other end; tells how often it was not told to stop."""
    report(0, loss=0.25)
    open(params["fifo"]).read()
    for count in itertools.count():
        if report(count, loss=0.25):
            return {"dice": count}
        time.sleep(0.001)
'''

M = TypeVar("M")


class Stage:
    """A run folder, the scheduler's socket, and one agent."""

    def __init__(self, tmp_path: Path, sockets: Path, *options: str) -> None:
        self.run_dir = tmp_path / "run"
        self.run_dir.mkdir()
        (tmp_path / "train_here.py").write_text(TRAIN)
        program = ir.Program(ir.Study(), (), ir.MapNode({}), base_dir=str(tmp_path), variables={"DATA": "x"})
        (self.run_dir / "program.msgpack").write_bytes(program.to_bytes())
        self._sockets = sockets
        self._lines = 0
        self._waiting: list[FromAgent] = []
        self.connection: Connection[FromAgent] | None = None
        self.server = self.listen()
        self.lifeline, end = os.pipe()
        command = [sys.executable, "-m", "automl_run.engine.agent", "--run", str(self.run_dir), "--worker", "W1"]
        command += ["--gpus", "", "--threads", "2", "--lifeline", str(self.lifeline), *options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[self.lifeline], start_new_session=True)
        os.close(self.lifeline)
        self.lifeline = end
        self.pidfd = os.pidfd_open(self.process.pid)

    def listen(self) -> socket.socket:
        self._lines += 1
        path = self._sockets / str(self._lines)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()
        server.settimeout(30.0)
        (self.run_dir / "endpoint.json").write_text(json.dumps({"socket": str(path)}))
        return server

    def accept(self, welcome: bool = True) -> Hello:
        sock, _ = self.server.accept()
        self.connection = Connection(sock, decode_from_agent)
        hello = self.next(Hello)
        if welcome:
            self.send(Welcome(1, 1, "a"))
        return hello

    def cut(self) -> None:
        """As if the scheduler had died."""
        assert self.connection is not None
        self.server.close()
        self.connection.close()
        self._waiting.clear()

    def send(self, message: ToAgent) -> None:
        assert self.connection is not None
        self.connection.send(message)
        while self.connection.wants_write:
            assert select.select([], [self.connection], [], 30.0)[1], "the agent does not read"
            self.connection.flush()

    def next(self, kind: type[M]) -> M:
        """The next message, which must be of this kind."""
        assert self.connection is not None
        while not self._waiting:
            assert select.select([self.connection], [], [], 30.0)[0], f"no {kind.__name__} came"
            self._waiting += self.connection.receive()
            assert self._waiting or not self.connection.eof, f"the agent hung up instead of sending {kind.__name__}"
        message = self._waiting.pop(0)
        assert isinstance(message, kind), message
        return message

    def assign(self, function: str, fence: int = 1, job: str = "W1_1_J1", *, judged: bool = False, **config: ir.Value) -> None:
        target = ir.Spec("Python", {"function": f"train_here:{function}"})
        self.send(Assign(job, fence, target, config, "params.json", {"lr": 0.1}, 5, ("dice",), judged=judged))

    def exit_code(self) -> int:
        return self.process.wait(30.0)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as sockets:
        stage = Stage(tmp_path, Path(sockets))
        yield stage
        os.close(stage.lifeline)
        stage.process.wait(30.0)
        os.close(stage.pidfd)
        stage.server.close()
        if stage.connection is not None:
            stage.connection.close()


def wait_gone(*pids: int) -> None:
    """Until these processes, which may be gone already, have ended."""
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        assert select.select([fd], [], [], 30.0)[0], f"process {pid} lives on"
        os.close(fd)


def test_a_job_from_assign_to_bye(stage: Stage) -> None:
    hello = stage.accept()
    assert (hello.worker, hello.gpus, hello.pid, hello.running) == ("W1", (), stage.process.pid, ())
    stage.assign("two")
    assert stage.next(Accept).job == "W1_1_J1"
    assert stage.next(Metric) == Metric("W1_1_J1", 1, 1, 0, {"dice": 0.25})
    assert stage.next(Metric) == Metric("W1_1_J1", 1, 2, 1, {"dice": 0.5})
    done = stage.next(Done)
    assert (done.seq, done.values, done.stopped) == (3, {"dice": 0.75}, False)
    folder = stage.run_dir / "W1_1_J1"
    assert json.loads((folder / "config" / "params.json").read_text()) == {}
    assert json.loads((folder / "result.json").read_text())["values"] == {"dice": 0.75}
    stage.send(Ping(7))
    assert stage.next(Pong).nonce == 7
    stage.send(Ack("W1_1_J1", 1, 3))
    stage.send(Drain(stop_jobs=True))
    stage.next(Bye)
    assert stage.exit_code() == 0


def test_a_failure_tells_its_cause_and_the_log(stage: Stage) -> None:
    stage.accept()
    stage.assign("fails")
    stage.next(Accept)
    stage.next(Metric)
    failed = stage.next(Failed)
    assert (failed.seq, failed.cause, failed.message, failed.code) == (2, "user_error", "ValueError: the data are missing", 1)
    assert failed.tail.splitlines()[-1] == "ValueError: the data are missing"


def test_stop(stage: Stage) -> None:
    stage.accept()
    stage.assign("until_stop")
    stage.next(Accept)
    stage.next(Metric)
    stage.send(Stop("W1_1_J1", 1, "pruned"))
    assert stage.next(Done).stopped


def test_a_stop_behind_more_than_the_socket_holds(stage: Stage, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    stage.accept()
    stage.assign("late", judged=True, fifo=str(tmp_path / "fifo"))
    stage.next(Accept)
    stage.next(Metric)
    for _ in range(3000):
        stage.send(Ack("W1_1_J1", 1, 1))
    stage.send(Stop("W1_1_J1", 1, "pruned"))
    (tmp_path / "fifo").write_text("")
    while not isinstance(message := stage.next(Message), Done):
        assert isinstance(message, Metric)
    assert message.stopped
    assert message.values["dice"] < 1000, "it was ended by a signal, after its time of grace"


def test_drain_stops_the_job_and_waits_for_its_acknowledgement(stage: Stage) -> None:
    stage.accept()
    stage.assign("until_stop")
    stage.next(Accept)
    stage.next(Metric)
    stage.send(Drain(stop_jobs=True))
    done = stage.next(Done)
    assert done.stopped
    stage.send(Ack("W1_1_J1", 1, done.seq))
    stage.next(Bye)
    assert stage.exit_code() == 0


def test_jobs_run_one_after_the_other(stage: Stage, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    stage.accept()
    stage.assign("waits", job="W1_1_J1", fifo=str(tmp_path / "fifo"))
    stage.assign("two", job="W1_2_J2")
    assert stage.next(Accept).job == "W1_1_J1"
    stage.next(Metric)
    (tmp_path / "fifo").write_text("")
    assert stage.next(Done).job == "W1_1_J1"
    assert stage.next(Accept).job == "W1_2_J2"


def test_a_killed_keeper_is_a_lost_job_without_survivors(stage: Stage) -> None:
    stage.accept()
    stage.assign("tree")
    keeper = stage.next(Accept).pid
    pids = [int(pid) for pid in stage.next(Metric).values.values()]
    os.kill(keeper, signal.SIGKILL)
    failed = stage.next(Failed)
    assert (failed.cause, failed.message, failed.code) == ("lost", "its keeper ended early (-9)", -9)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    stage.send(Ack("W1_1_J1", 1, failed.seq))
    stage.assign("two", fence=2)
    stage.next(Accept)
    assert (stage.run_dir / "W1_1_J1" / "attempt_2" / "job.json").exists()


def test_a_killed_agent_leaves_no_process(stage: Stage) -> None:
    stage.accept()
    stage.assign("tree")
    keeper = stage.next(Accept).pid
    pids = [int(pid) for pid in stage.next(Metric).values.values()]
    stage.process.kill()
    wait_gone(keeper, *pids)


def test_a_closed_lifeline_ends_agent_and_job(stage: Stage) -> None:
    stage.accept()
    stage.assign("tree")
    stage.next(Accept)
    pids = [int(pid) for pid in stage.next(Metric).values.values()]
    os.close(stage.lifeline)
    stage.lifeline = os.open(os.devnull, os.O_RDONLY)
    assert stage.exit_code() == 0
    wait_gone(*pids)


def test_a_superseded_attempt_is_ended_and_forgotten(stage: Stage) -> None:
    stage.accept()
    stage.assign("tree")
    stage.next(Accept)
    pids = [int(pid) for pid in stage.next(Metric).values.values()]
    stage.send(Superseded("W1_1_J1", 1))
    stage.assign("two", fence=2)
    assert stage.next(Accept).fence == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_new_scheduler_hears_everything_that_was_not_acknowledged(stage: Stage, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    stage.accept()
    stage.assign("waits", fifo=str(tmp_path / "fifo"))
    stage.next(Accept)
    metric = stage.next(Metric)
    stage.cut()
    (tmp_path / "fifo").write_text("")
    stage.server = stage.listen()
    assert stage.accept().running == (("W1_1_J1", 1),)
    assert stage.next(Accept).fence == 1
    assert stage.next(Metric) == metric
    assert stage.next(Done).seq == 2
    stage.send(Ack("W1_1_J1", 1, 2))
    stage.cut()
    stage.server = stage.listen()
    assert stage.accept().running == ()


def test_an_agent_without_a_scheduler_finishes_its_job_and_ends(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as sockets:
        stage = Stage(tmp_path, Path(sockets), "--orphan-time", "0.1")
        os.mkfifo(tmp_path / "fifo")
        stage.accept()
        stage.assign("waits", fifo=str(tmp_path / "fifo"))
        stage.next(Accept)
        stage.next(Metric)
        stage.cut()
        (tmp_path / "fifo").write_text("")
        assert stage.exit_code() == 0
        assert json.loads((stage.run_dir / "W1_1_J1" / "result.json").read_text())["values"] == {"dice": 0.75}
        os.close(stage.lifeline)
        os.close(stage.pidfd)


def test_an_attempt_that_ended_is_not_run_again(stage: Stage) -> None:
    stage.accept()
    stage.assign("two")
    stage.next(Accept)
    stage.next(Metric)
    stage.next(Metric)
    done = stage.next(Done)
    stage.send(Ack("W1_1_J1", 1, done.seq))
    stage.assign("two")
    stage.next(Accept)
    assert stage.next(Done).seconds == done.seconds


def test_a_refused_agent_ends(stage: Stage) -> None:
    stage.accept(welcome=False)
    stage.send(Reject("protocol"))
    assert stage.exit_code() == 1


@pytest.mark.parametrize("name", ["../W1_1_J1", "/tmp/x", ""])
def test_a_job_stays_in_the_runs_folder(stage: Stage, name: str) -> None:
    stage.accept()
    stage.assign("two", job=name)
    failed = stage.next(Failed)
    assert (failed.job, failed.cause) == (name, "internal")


def test_sigterm_is_a_drain(stage: Stage) -> None:
    stage.accept()
    stage.assign("until_stop")
    stage.next(Accept)
    stage.next(Metric)
    stage.process.terminate()
    assert stage.next(Done).stopped


def test_a_run_folder_without_a_program_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "automl_run.engine.agent", "--run", str(tmp_path), "--worker", "W1"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30.0)
    assert ended.returncode == 2
    assert "program.msgpack cannot be read" in ended.stderr


def test_a_run_whose_folder_is_gone_has_no_orphans(tmp_path: Path) -> None:
    """Its job would never end, and nobody could find either of them."""
    with tempfile.TemporaryDirectory() as sockets:
        stage = Stage(tmp_path, Path(sockets), "--orphan-time", "0.1")
        stage.accept()
        stage.assign("until_stop")
        stage.next(Accept)
        job = int(stage.next(Metric).values["pid"])
        (tmp_path / "run").rename(tmp_path / "elsewhere")
        stage.cut()
        assert stage.exit_code() == 0
        wait_gone(job)
        os.close(stage.lifeline)
        os.close(stage.pidfd)
