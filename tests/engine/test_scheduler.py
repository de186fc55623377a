"""Whole studies: with agents as threads for what the scheduler does, with real processes for what survives whom."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from automl_run.dsl import ir
from automl_run.engine import events, files, view
from automl_run.engine.admin.console import read_run
from automl_run.engine.core import facts
from automl_run.engine.events import Event
from automl_run.engine.journal import Journal
from automl_run.engine.run import RunOptions, RunResult, resume_study, run_study
from automl_run.engine.run_folder import RunFolder
from automl_run.engine.testing.in_process import JobFunction, Report, ThreadLauncher
from automl_run.engine.wire import messages as wire
from automl_run.errors import InputError, JobError, JournalError, RunError, RunExistsError

TRAIN = """
import os, signal
from pathlib import Path

def score(params, report):
    return params["lr"]

def nothing(params, report):
    report(1, loss=1.0)

def fails(params, report):
    raise ValueError("no such layer")

def stubborn(params, report):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    report(1, dice=0.0)
    while True:
        signal.pause()

def kills_scheduler(params, report):
    # Once: the scheduler is the parent of the agent; which of the later attempts is the last does not matter.
    flag = Path(__file__).with_name("killed")
    if params["lr"] > 0.7 and not flag.exists():
        flag.touch()
        os.kill(int(Path(__file__).with_name("scheduler.pid").read_text()), signal.SIGKILL)
    return params["lr"]
"""


def program(base: Path, function: str = "train:score", trials: int | None = 6, **study: Any) -> ir.Program:
    (base / "train.py").write_text(TRAIN)
    study = {
        "name": "study",
        "target": ir.Spec("Python", {"function": function}),
        "objectives": (ir.Objective("dice", "maximize"),),
        "controller": ir.Spec("Random"),
        "budget": ir.Budget(trials=trials),
        "workers": (ir.Worker(), ir.Worker()),
        **study,
    }
    lr = ir.Param("lr", ir.Real(0.0, 1.0), ("train.lr",), (0.5,))
    return ir.Program(ir.Study(**study), (lr,), ir.MapNode({"lr": ir.Read("lr")}), digest="d1", base_dir=str(base))


def in_threads(job: JobFunction, **options: Any) -> RunOptions:
    return RunOptions(launcher=lambda folder: ThreadLauncher(folder, job), **options)


def lr_is_score(assign: wire.Assign, report: Report) -> Mapping[str, float]:
    lr = assign.config["lr"]
    assert isinstance(lr, float)
    report(1, dice=lr / 2)
    return {"dice": lr}


def table(result: RunResult) -> list[tuple[int, object, object, object]]:
    return [(job["index"], job["state"], job["score"], job["params"]) for job in result.summary["jobs"]]


def stored(folder: Path, kind: type[facts.Fact]) -> list[Any]:
    store = Journal.open(folder)
    try:
        return [fact for fact in store.facts() if isinstance(fact, kind)]
    finally:
        store.close()


def processes_of(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if str(folder) in command and process.pid != os.getpid():
            found.append(" ".join(command))
    return found


class Recorder:
    def __init__(self, when: Callable[[Event], bool] = lambda _: False, then: Callable[[], None] = lambda: None) -> None:
        self.events: list[Event] = []
        self._when, self._then = when, then

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if self._when(event):
            self._then()

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


# -- with threads ---------------------------------------------------------------------------------------------------------------


def test_a_study_leaves_what_the_run_folder_promises(tmp_path: Path) -> None:
    recorder = Recorder()
    result = run_study(program(tmp_path), in_threads(lr_is_score, run_id="a"), recorder)
    assert result.exit_code == 0
    assert result.folder == tmp_path / "runs" / "a"
    summary = json.loads((result.folder / "summary.json").read_text())
    assert summary == result.summary == read_run(result.folder)
    assert (summary["run_id"], summary["state"], summary["digest"]) == ("a", "done", "d1")
    assert summary["objectives"] == [{"name": "dice", "direction": "maximize"}]
    assert [job["index"] for job in summary["jobs"]] == list(range(6))
    assert summary["jobs"][0]["params"] == {"train.lr": 0.5}
    best = max(summary["jobs"], key=lambda job: job["score"])
    assert summary["best"]["job"] == best["name"]
    assert json.loads((result.folder / "best" / "best.json").read_text()) == summary["best"]
    assert (result.folder / "report.html").is_file()
    assert not (result.folder / "endpoint.json").exists()
    lines = [json.loads(line) for line in (result.folder / "trace.log").read_text().splitlines()]
    assert lines[0]["event"] == "RunStarted"
    assert lines[-1]["event"] == "RunEnded"
    assert len(recorder.of(events.JobEnded)) == 6
    assert sum(event.best for event in recorder.of(events.JobEnded)) >= 1


def test_the_table_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    tables = [
        table(run_study(program(tmp_path, workers=(ir.Worker(),) * n), in_threads(lr_is_score, run_id=f"w{n}"))) for n in (1, 3)
    ]
    assert tables[0] == tables[1]


def test_a_used_run_id_and_bad_input_write_nothing(tmp_path: Path) -> None:
    result = run_study(program(tmp_path), in_threads(lr_is_score, run_id="a"))
    before = sorted(result.folder.rglob("*"))
    with pytest.raises(RunExistsError):
        run_study(program(tmp_path), in_threads(lr_is_score, run_id="a"))
    assert sorted(result.folder.rglob("*")) == before
    bad = [
        program(tmp_path, "train:absent"),
        program(tmp_path, controller=ir.Spec("Rnadom")),
        program(tmp_path, target=None),
        program(tmp_path, target=ir.Spec("Pyton", {})),
    ]
    for wrong in bad:
        with pytest.raises(InputError):
            run_study(wrong, in_threads(lr_is_score, out=tmp_path / "other"))
    assert not (tmp_path / "other").exists()


def test_a_failure_is_a_state_with_a_cause(tmp_path: Path) -> None:
    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        if assign.config["lr"] != 0.5:
            raise JobError("oom_gpu", "no memory")
        return {"dice": 0.1}

    result = run_study(program(tmp_path, trials=3), in_threads(job))
    assert [(job["state"], job["cause"], job["score"]) for job in result.summary["jobs"]] == [
        ("done", None, 0.1),
        ("failed", "oom_gpu", None),
        ("failed", "oom_gpu", None),
    ]
    assert result.exit_code == 0


def test_a_job_that_takes_its_agent_along_is_lost_three_times(tmp_path: Path) -> None:
    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        if assign.config["lr"] == 0.5:
            raise SystemExit
        return {"dice": 0.1}

    result = run_study(program(tmp_path, trials=3), in_threads(job))
    first = result.summary["jobs"][0]
    assert (first["state"], first["cause"], first["attempts"]) == ("failed", "lost", 3)
    assert [job["state"] for job in result.summary["jobs"][1:]] == ["done", "done"]


def test_an_interrupted_study_is_resumed(tmp_path: Path) -> None:
    def endless(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        if assign.config["lr"] == 0.5:
            return {"dice": 0.5}
        step = 0
        while not report(step, dice=0.0):
            step += 1
        return {}

    stop = Recorder(lambda event: isinstance(event, events.MetricReported) and event.step == 3, interrupt)
    before = signal.getsignal(signal.SIGINT)
    first = run_study(program(tmp_path, trials=4), in_threads(endless, run_id="a"), stop)
    assert signal.getsignal(signal.SIGINT) is before
    assert (first.exit_code, first.summary["state"]) == (130, "paused")
    assert read_run(first.folder)["state"] == "paused"
    second = resume_study(first.folder, in_threads(lr_is_score))
    assert (second.exit_code, second.summary["state"]) == (0, "done")
    assert [job["state"] for job in second.summary["jobs"]] == ["done"] * 4
    assert {job["name"] for job in first.summary["jobs"]} <= {job["name"] for job in second.summary["jobs"]}
    direct = run_study(program(tmp_path, trials=4), in_threads(lr_is_score, run_id="b"))
    assert table(second) == table(direct)


def test_an_ended_study_goes_on_with_a_larger_budget(tmp_path: Path) -> None:
    first = run_study(program(tmp_path, trials=2), in_threads(lr_is_score, run_id="a"))
    same = resume_study(first.folder, in_threads(lr_is_score))
    assert table(same) == table(first)
    more = resume_study(first.folder, in_threads(lr_is_score, budget={"study.budget.trials": "5"}))
    assert len(more.summary["jobs"]) == 5
    assert table(more)[:2] == table(first)
    direct = run_study(program(tmp_path, trials=5), in_threads(lr_is_score, run_id="b"))
    assert table(more) == table(direct)


def test_what_a_resume_refuses(tmp_path: Path) -> None:
    first = run_study(program(tmp_path, trials=2), in_threads(lr_is_score, run_id="a"))
    for budget in ({"study.seed": "1"}, {"study.budget.trials": "x"}, {"study.budget.trials": "1"}):
        with pytest.raises(InputError):
            resume_study(first.folder, in_threads(lr_is_score, budget=budget))
    other = ir.Program(ir.Study(), (), ir.MapNode({}), digest="d2")
    with pytest.raises(InputError, match="digest"):
        resume_study(first.folder, in_threads(lr_is_score), program=other)
    with pytest.raises(JournalError):
        resume_study(tmp_path, in_threads(lr_is_score))
    store = Journal.open(first.folder)
    with pytest.raises(JournalError, match="another scheduler"):
        resume_study(first.folder, in_threads(lr_is_score))
    store.close()


def test_a_fixed_order_gives_one_table_for_any_timing(tmp_path: Path) -> None:
    """Resumed or not, and although jobs end in another order each time."""

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        for step in range(assign.seed % 3 * 10):
            report(step, dice=0.0)
        return lr_is_score(assign, report)

    def wanted() -> ir.Program:
        return program(tmp_path, trials=16, order="fixed", controller=ir.Spec("TPE", {"startup": 3}), workers=(ir.Worker(),) * 3)

    tables = [table(run_study(wanted(), in_threads(job, run_id=name))) for name in ("a", "b")]
    stop = Recorder(lambda event: isinstance(event, events.JobEnded) and event.index == 8, interrupt)
    first = run_study(wanted(), in_threads(job, run_id="c"), stop)
    assert first.exit_code == 130
    tables.append(table(resume_study(first.folder, in_threads(job))))
    assert tables[0] == tables[1] == tables[2]


def test_a_living_run_is_shown(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        if not seen and assign.config["lr"] != 0.5:
            seen.append(read_run(tmp_path / "runs" / "a"))
        return {"dice": 0.1}

    run_study(program(tmp_path, trials=3), in_threads(job, run_id="a"))
    assert seen[0]["state"] == "running"
    assert "running" in {job["state"] for job in seen[0]["jobs"]}


def test_an_observer_that_fails_costs_nothing(tmp_path: Path) -> None:
    def broken(event: Event) -> None:
        raise BrokenPipeError

    assert run_study(program(tmp_path), in_threads(lr_is_score), broken).exit_code == 0


def test_strangers_do_not_disturb(tmp_path: Path) -> None:
    import socket

    strangers: list[socket.socket] = []

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        endpoint = json.loads((tmp_path / "runs" / "a" / "endpoint.json").read_text())
        for data in (b"\xff" * 8, b"\0\0\0\x01\xc1", b"GET / HTTP/1.1\r\n\r\n", b""):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(endpoint["socket"])
            sock.send(data)
            strangers.append(sock)
        return {"dice": 0.1}

    result = run_study(program(tmp_path, trials=3), in_threads(job, run_id="a"))
    assert [job["attempts"] for job in result.summary["jobs"]] == [1, 1, 1]
    for sock in strangers:
        sock.close()


def test_a_resume_mends_best_that_a_killed_scheduler_left_behind(tmp_path: Path) -> None:
    result = run_study(program(tmp_path), in_threads(lr_is_score, run_id="a"))
    info = result.folder / "best" / "best.json"
    right = json.loads(info.read_text())
    info.write_text(json.dumps({**right, "job": "W9_9_J9"}))
    (result.folder / right["job"]).mkdir()
    resume_study(result.folder, in_threads(lr_is_score))
    assert json.loads(info.read_text()) == right


def test_only_the_best_models_are_kept(tmp_path: Path) -> None:
    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        folder = tmp_path / "runs" / "a" / assign.job
        for name in (
            "models/model.pt",
            "checkpoints/last.pt",
            "config/params.json",
            "attempt_2/models/model.pt",
            "attempt_2/log.txt",
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        (folder / "log.txt").touch()
        (folder / "result.json").touch()
        (folder / "weights.bin").touch()
        if assign.job.endswith("J3"):
            raise JobError("user_error", "no score")
        return lr_is_score(assign, report)

    def whole() -> set[str]:
        return {path.parent.parent.name for path in result.folder.glob("W*/models/model.pt")}

    result = run_study(program(tmp_path, trials=6, keep=2), in_threads(job, run_id="a"))
    ranked = sorted(result.summary["jobs"], key=lambda job: -(job["score"] or 0.0))
    assert whole() == {job["name"] for job in ranked[:2]}
    assert (result.folder / "best" / "models" / "model.pt").is_file()
    for job_ in ranked[2:]:
        folder = result.folder / job_["name"]
        left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        assert left == ["attempt_2/log.txt", "config/params.json", "log.txt", "result.json"]
    # What a killed scheduler had not removed goes at a resume.
    (result.folder / ranked[-1]["name"] / "models").mkdir()
    (result.folder / ranked[-1]["name"] / "models" / "model.pt").touch()
    resume_study(result.folder, in_threads(job))
    assert whole() == {job["name"] for job in ranked[:2]}


def test_a_deep_run_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 150) / ("e" * 150)
    result = run_study(program(tmp_path, trials=2), in_threads(lr_is_score, out=deep))
    assert result.exit_code == 0


def test_a_view_of_nobody() -> None:
    from automl_run.errors import RunError

    with pytest.raises(RunError):
        view.ask(Path("/nonexistent/view.sock"))


# -- with processes ---------------------------------------------------------------------------------------------------------------


def test_two_hundred_jobs_on_two_workers(tmp_path: Path) -> None:
    result = run_study(program(tmp_path, trials=200), RunOptions(run_id="a"))
    assert result.exit_code == 0
    ended = stored(result.folder, facts.Ended)
    assert len(ended) == 200
    assert {fact.state for fact in ended} == {"done"}
    assert len({fact.job for fact in ended}) == 200
    assert processes_of(result.folder) == []


def test_jobs_that_all_fail_end_the_run(tmp_path: Path) -> None:
    result = run_study(program(tmp_path, "train:fails"), RunOptions())
    assert result.exit_code == 1
    assert "the first 3 jobs failed alike" in result.summary["reason"]
    assert "no such layer" in result.summary["reason"]


def test_a_metric_never_reported_ends_the_run(tmp_path: Path) -> None:
    result = run_study(program(tmp_path, "train:nothing", workers=(ir.Worker(),)), RunOptions())
    assert result.exit_code == 1
    assert len(result.summary["jobs"]) == 1
    assert result.summary["reason"] == "W1_1_J1 never reported `dice`; it reported `loss`"


def test_a_killed_scheduler_is_resumed(tmp_path: Path) -> None:
    """Its agents live on with their jobs, and go on with the next scheduler."""
    wanted = program(tmp_path, "train:kills_scheduler", trials=20)
    (tmp_path / "program").write_bytes(wanted.to_bytes())
    script = f"""
import os
from pathlib import Path
from automl_run.dsl.ir import Program
from automl_run.engine.run import RunOptions, run_study
here = Path({str(tmp_path)!r})
(here / "scheduler.pid").write_text(str(os.getpid()))
run_study(Program.from_bytes((here / "program").read_bytes()), RunOptions(run_id="a"))
"""
    killed = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    folder = tmp_path / "runs" / "a"
    assert read_run(folder)["state"] == "paused"
    result = resume_study(folder, RunOptions())
    assert (result.exit_code, len(result.summary["jobs"])) == (0, 20)
    ended = stored(folder, facts.Ended)
    assert sorted(fact.job for fact in ended) == sorted({fact.job for fact in ended})
    direct = run_study(program(tmp_path, trials=20), RunOptions(run_id="b"))
    assert table(result) == table(direct)
    assert processes_of(folder) == []
    assert not any((tmp_path / "runs").rglob(files.ENDPOINT))


def test_an_interrupt_ends_all_processes(tmp_path: Path) -> None:
    recorder = Recorder(lambda event: isinstance(event, events.JobEnded) and event.index == 2, interrupt)
    result = run_study(program(tmp_path, trials=500), RunOptions(run_id="a"), recorder)
    assert (result.exit_code, result.summary["state"]) == (130, "paused")
    assert processes_of(result.folder) == []


def test_a_second_interrupt_kills_what_does_not_stop(tmp_path: Path) -> None:
    def twice() -> None:
        interrupt()
        interrupt()

    recorder = Recorder(lambda event: isinstance(event, events.MetricReported) and event.job == "W1_1_J1", twice)
    wanted = program(tmp_path, "train:stubborn", workers=(ir.Worker(),))
    result = run_study(wanted, RunOptions(run_id="a"), recorder)
    assert result.exit_code == 130
    assert processes_of(result.folder) == []


def test_a_full_disk_is_no_traceback_and_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "store_program", full)
        with pytest.raises(RunError, match=r"broke off: .*No space left(.|\n)*automl-run resume .*/a"):
            run_study(program(tmp_path), in_threads(lr_is_score, run_id="a"))
    assert resume_study(tmp_path / "runs" / "a", in_threads(lr_is_score)).exit_code == 0


def test_a_failed_commit_sends_nothing_and_leaves_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = Journal.append

    def full(store: Journal, new: Sequence[facts.AnyFact]) -> None:
        if any(isinstance(fact, facts.Ended) for fact in new):
            raise JournalError("the disk is full")
        append(store, new)

    monkeypatch.setattr(Journal, "append", full)
    recorder = Recorder()
    with pytest.raises(JournalError, match=r"the disk is full\n.*automl-run resume"):
        run_study(program(tmp_path), RunOptions(run_id="a"), recorder)
    assert recorder.of(events.JobEnded) == []
    assert processes_of(tmp_path / "runs" / "a") == []
    monkeypatch.undo()
    result = resume_study(tmp_path / "runs" / "a", RunOptions())
    assert [job["state"] for job in result.summary["jobs"]] == ["done"] * 6


def test_the_scheduler_stays_light(tmp_path: Path) -> None:
    wanted = program(tmp_path, trials=2)
    (tmp_path / "program").write_bytes(wanted.to_bytes())
    script = f"""
import sys
from pathlib import Path
from automl_run.dsl.ir import Program
from automl_run.engine.run import RunOptions, run_study
here = Path({str(tmp_path)!r})
run_study(Program.from_bytes((here / "program").read_bytes()), RunOptions())
print([name for name in ("torch", "monai", "train") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_a_worker_with_the_same_gpus_keeps_its_name(tmp_path: Path) -> None:
    first = run_study(program(tmp_path, trials=2), in_threads(lr_is_score, run_id="a"))
    budget = {"study.budget.trials": "8"}
    more = resume_study(
        first.folder, in_threads(lr_is_score, budget=budget, workers=(ir.Worker(), ir.Worker(threads=2), ir.Worker()))
    )
    workers = stored(more.folder, facts.WorkersSet)[-1].workers
    assert [(worker.name, worker.threads) for worker in workers] == [("W1", 1), ("W2", 2), ("W3", 1)]
    names = [job["name"] for job in more.summary["jobs"]]
    assert len(set(names)) == 8


def test_a_trial_that_breaks_an_ensure_is_kept_and_never_best(tmp_path: Path) -> None:
    loss = ir.Metric("loss")
    wanted = program(
        tmp_path,
        trials=8,
        objectives=(ir.Objective("dice - loss", "maximize", ir.Binary("-", ir.Metric("dice"), loss)),),
        ensures=(ir.Ensure(ir.Binary("<", loss, ir.Lit(0.25)), "", "loss < 0.25"),),
    )

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        lr = assign.config["lr"]
        assert isinstance(lr, float)
        assert assign.objectives == ("dice", "loss")
        return {"dice": 2 * lr, "loss": lr / 2}

    result = run_study(wanted, in_threads(job))
    jobs = result.summary["jobs"]
    broken = [one for one in jobs if one["params"]["train.lr"] >= 0.5]
    kept = [one for one in jobs if one["params"]["train.lr"] < 0.5]
    assert broken
    assert kept
    assert {one["state"] for one in broken} == {"infeasible"}
    assert {one["message"] for one in broken} == {"`ensure loss < 0.25` does not hold"}
    assert all(one["score"] == pytest.approx(1.5 * one["params"]["train.lr"]) for one in kept)
    assert result.summary["best"]["job"] == max(kept, key=lambda one: one["score"])["name"]
    assert result.exit_code == 0


def test_the_time_of_a_job_is_a_metric(tmp_path: Path) -> None:
    fast = ir.Ensure(ir.Binary("<", ir.Metric("seconds"), ir.Lit(-1.0)), "too slow")
    result = run_study(program(tmp_path, trials=2, ensures=(fast,)), in_threads(lr_is_score))
    assert [one["message"] for one in result.summary["jobs"]] == ["too slow"] * 2
    assert result.exit_code == 1


def test_a_metric_that_only_ensure_reads_must_be_reported(tmp_path: Path) -> None:
    wanted = program(tmp_path, trials=4, ensures=(ir.Ensure(ir.Binary("<", ir.Metric("memory"), ir.Lit(1.0))),))
    result = run_study(wanted, in_threads(lr_is_score))
    assert "never reported `memory`" in result.summary["reason"]
    assert result.exit_code == 1


def test_an_objective_without_a_value_fails_the_job(tmp_path: Path) -> None:
    expr = ir.Binary("/", ir.Metric("dice"), ir.Metric("zero"))
    wanted = program(tmp_path, trials=2, objectives=(ir.Objective("dice / zero", "maximize", expr),))

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        return {"dice": 1.0, "zero": 0.0}

    result = run_study(wanted, in_threads(job))
    assert {one["state"] for one in result.summary["jobs"]} == {"failed"}
    assert "division by zero" in result.summary["jobs"][0]["message"]
