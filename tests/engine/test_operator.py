"""What an operator does to a study: in the pure core, and over the socket of a run with agents as threads."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from core_run import Run, program, sent
from studies import study, threads

from automl_run.dsl import ir
from automl_run.engine.admin import console
from automl_run.engine.admin.console import read_run
from automl_run.engine.admin.operate import operate
from automl_run.engine.admin.requests import Abort, AnyRequest, ResumeWorker, Show, Stop, Suspend
from automl_run.engine.core import facts
from automl_run.engine.core import inputs as on
from automl_run.engine.core.apply import replay
from automl_run.engine.core.state import durable
from automl_run.engine.run import resume_study, run_study
from automl_run.engine.testing.in_process import Report
from automl_run.engine.wire import messages as wire
from automl_run.engine.wire.server import listen, private_folder
from automl_run.errors import RunError

TWO = ("W1", "W2")


def two(**study: object) -> Run:
    run = Run(program(budget=ir.Budget(trials=6), baseline=False, **study), workers=TWO)
    run.up("W1")
    run.up("W2")
    run.answer(2)
    assert {run.state.jobs[name].worker for name in run.state.running} == set(TWO)
    return run


# -- the core -------------------------------------------------------------------------------------------------------------------


def test_a_suspended_worker_ends_its_job_and_gets_no_other() -> None:
    run = two()
    run(on.Suspend("W2"))
    run.done(1, dice=0.5)
    run.answer(1)
    assert [run.state.jobs[name].worker for name in run.state.running] == ["W1"]
    run(on.ResumeWorker("W2"))
    run.answer(1)
    assert {run.state.jobs[name].worker for name in run.state.running} == set(TWO)
    worker = run.state.worker("W2")
    assert worker is not None
    assert worker.suspensions == ((run.now, run.now),)


def test_a_suspension_is_durable() -> None:
    run = two()
    run(on.Suspend("W2"))
    assert replay(run.journal) == durable(run.state)
    run.begin()
    worker = run.state.worker("W2")
    assert worker is not None
    assert worker.suspended_at == run.now


def test_wishes_twice_or_about_nobody_change_nothing() -> None:
    run = two()
    run(on.Suspend("W2"))
    before = len(run.journal)
    run(on.Suspend("W2"), on.Suspend("W9"), on.ResumeWorker("W1"), on.ResumeWorker("W9"), on.AbortJob("W9_1_J1"))
    assert len(run.journal) == before


def test_an_aborted_job_is_stopped_with_what_it_reached() -> None:
    run = two()
    name, fence, worker = run.job(0)
    run.metric(0, dice=0.25)
    commands = run(on.AbortJob(name))
    assert sent(commands, wire.Stop) == [wire.Stop(name, fence, "operator")]
    assert run(on.AbortJob(name)) == []
    run(on.Received(worker, wire.Done(name, fence, run.seq(name), {}, 1.0, True)))
    job = run.state.jobs[name]
    assert (job.state, job.cause, job.scores) == ("stopped", "operator", (0.25,))


def test_an_aborted_job_is_not_run_again_by_the_next_scheduler() -> None:
    run = two()
    name, _, _ = run.job(0)
    run(on.AbortJob(name))
    run.begin()
    assert run.ends() == {name: "stopped"}
    assert run.state.retry != (name,)


def test_a_job_that_waits_to_be_tried_again_can_be_aborted() -> None:
    run = two()
    name, _, _ = run.job(0)
    run(on.Suspend("W1"), on.Suspend("W2"))
    run.failed("gpu_error", 0)
    assert run.state.retry == (name,)
    run(on.AbortJob(name))
    assert run.ends() == {name: "stopped"}
    assert not run.state.retry


@pytest.mark.parametrize(
    ("request_", "said", "refused"),
    [
        (Suspend("W9"), "no worker `W9`; workers: W1, W2", True),
        (Suspend("W1"), "W1 gets no more jobs; W1_1_J1 goes on to its end", False),
        (ResumeWorker("W1"), "W1 is not suspended", False),
        (Abort("W1"), "W1_1_J1 is stopped", False),
        (Abort("W1_1_J1"), "W1_1_J1 is stopped", False),
        (Abort("W3_1_J9"), "no worker or job `W3_1_J9`; jobs that run: W1_1_J1, W2_1_J2", True),
    ],
)
def test_what_an_operator_is_told(request_: Suspend | ResumeWorker | Abort, said: str, refused: bool) -> None:
    answer, _ = operate(two().state, request_)
    assert (answer.said, answer.refused) == (said, refused)


def test_an_enlarged_budget_is_durable() -> None:
    run = two()
    budget = ir.Budget(trials=9, time_s=100.0)
    workers = tuple(facts.NamedWorker(name, (), 1) for name in TWO)
    run(on.Began(workers, None, frozenset(), budget))
    assert run.state.program is not None
    assert run.state.program.study.budget == budget
    assert run.state.trials == 9
    assert replay(run.journal) == durable(run.state)


# -- over the socket --------------------------------------------------------------------------------------------------------------


def test_a_living_run_obeys(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a"
    said: list[str] = []

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        if assign.config["lr"] == 0.5:
            said.append(console.operate(folder, Suspend("W1")))
            workers = read_run(folder)["workers"]
            said.append(workers[0]["state"])
            said.append(console.operate(folder, ResumeWorker("W1")))
            with pytest.raises(RunError, match="no worker `W7`"):
                console.operate(folder, Suspend("W7"))
            said.append(console.operate(folder, Abort(assign.job)))
            step = 0
            while not report(step, dice=0.125):
                step += 1
            return {}
        return {"dice": 0.75}

    result = run_study(study(tmp_path), threads(job))
    assert said == ["W1 gets no more jobs; W1_1_J1 goes on to its end", "suspended", "W1 gets jobs again", "W1_1_J1 is stopped"]
    first, *rest = result.summary["jobs"]
    assert first["state"] in ("stopped", "done")
    assert [one["state"] for one in rest] == ["done"] * 3
    (worker,) = result.summary["workers"]
    assert (worker["name"], worker["jobs"], worker["state"]) == ("W1", 4, "off")
    assert [span["job"] for span in worker["timeline"]] == [one["name"] for one in result.summary["jobs"]]
    assert all(span["end"] >= span["start"] for span in worker["timeline"])
    assert [span for one in result.summary["jobs"] for span in one["timeline"]] == worker["timeline"]
    assert len(worker["suspensions"]) == 1


def test_a_stopped_run_is_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a"

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        if assign.config["lr"] == 0.5:
            console.operate(folder, Stop())
            step = 0
            while not report(step, dice=0.1):
                step += 1
        return {"dice": 0.1}

    assert run_study(study(tmp_path), threads(job)).exit_code == 130
    with pytest.raises(RunError, match="no scheduler has the run"):
        console.operate(folder, Suspend("W1"))
    assert console.stop(folder) == [f"nothing of the run in {folder} is alive"]
    again = resume_study(folder, threads(lambda assign, report: {"dice": 0.2}))
    assert [one["state"] for one in again.summary["jobs"]] == ["done"] * 4


def test_a_stop_removes_the_sockets_of_a_scheduler_that_was_killed(tmp_path: Path) -> None:
    folder = run_study(study(tmp_path), threads(lambda assign, report: {"dice": 0.1})).folder
    place = private_folder()
    endpoint = {"socket": str(place / "agents.sock"), "view": str(place / "view.sock"), "epoch": 1}
    (folder / "endpoint.json").write_text(json.dumps(endpoint))
    with listen(place / "view.sock"):
        console.stop(folder)
    assert not place.exists()
    assert not (folder / "endpoint.json").exists()


def test_strangers_at_the_second_socket_do_not_disturb(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a"
    answers: list[dict[str, Any]] = []
    silent: list[socket.socket] = []

    def say(data: bytes) -> None:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(5.0)
        sock.connect(json.loads((folder / "endpoint.json").read_text())["view"])
        if not data:
            silent.append(sock)
            return
        with sock:
            parts = []
            try:
                sock.sendall(data)
                while part := sock.recv(65536):
                    parts.append(part)
            except ConnectionError:
                # Hung up on in the middle of what was too long.
                parts = [b'{"refused": true}']
            answers.append(json.loads(b"".join(parts)))

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        if assign.config["lr"] == 0.5:
            for data in (b"", b"GET / HTTP/1.1\r\n\r\n", b'{"ask":"Nothing"}\n', b'{"ask":"Suspend"}\n', b"[" * 5000, b"\xff\n"):
                say(data)
            for data in (b'{"ask":"Show","more":1}\n', b'{"ask":"Abort","what":"../x"}\n'):
                say(data)
            for _ in range(40):
                say(b"")
            assert console.ask(folder, Show())["state"] == "running"
        return {"dice": 0.5}

    result = run_study(study(tmp_path), threads(job))
    assert [one["state"] for one in result.summary["jobs"]] == ["done"] * 4
    assert len(answers) == 7
    assert all(answer["refused"] for answer in answers)
    for sock in silent:
        sock.close()


def test_another_users_process_is_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel tells it: the number of the peer's user."""
    import os

    from automl_run.engine.wire import server

    listener = server.listen(tmp_path / "s")
    listener.setblocking(True)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    mine = socket.socket(socket.AF_UNIX)
    connecting = threading.Thread(target=mine.connect, args=(str(tmp_path / "s"),))
    connecting.start()
    taken = server.accept_own(listener)
    connecting.join()
    uid = Path("/proc/self").stat().st_uid
    assert (taken is None) == (uid not in (0, 12345))
    if taken is not None:
        taken.close()
    mine.close()
    listener.close()


@pytest.mark.parametrize("request_", [Show(), Suspend("W1"), ResumeWorker("W1"), Abort("x"), Stop(True)])
def test_requests_survive_the_wire(request_: AnyRequest) -> None:
    import msgspec

    from automl_run.engine.admin.requests import parse

    assert parse(msgspec.json.encode(request_)) == request_
