"""Whose a run is, where it may lie, and what a resume may change of it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from studies import study, threads

from automl_run.cli.main import main
from automl_run.dsl import ir
from automl_run.engine import file_system, identity, owner
from automl_run.engine.admin.console import read_run
from automl_run.engine.admin.results import Results
from automl_run.engine.agent.outcome import Outcome, write_outcome
from automl_run.engine.core import facts
from automl_run.engine.core.apply import replay
from automl_run.engine.enlarge import budget_from, refuse_smaller
from automl_run.engine.file_system import check_place
from automl_run.engine.journal import Journal
from automl_run.engine.launchers.local import AGENTS, living_agents
from automl_run.engine.run import resume_study, run_study
from automl_run.engine.testing.in_process import Report
from automl_run.engine.wire import messages as wire
from automl_run.errors import InputError, JournalError, RunError


def lr_is_score(assign: wire.Assign, report: Report) -> Mapping[str, float]:
    lr = assign.config["lr"]
    assert isinstance(lr, float)
    return {"dice": lr}


def with_study(program: ir.Program, **parts: Any) -> ir.Program:
    return msgspec.structs.replace(program, study=msgspec.structs.replace(program.study, **parts))


# -- owner.json --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on this process is on another host."""

    def move() -> None:
        monkeypatch.setattr(owner, "host", lambda: "elsewhere")
        monkeypatch.setattr(owner, "boot_id", lambda: "another-boot")

    return move


def test_the_owner_is_told_while_the_run_lives(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a"
    seen: list[dict[str, Any]] = []

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        seen.append(json.loads((folder / owner.FILE).read_text()))
        with pytest.raises(JournalError, match=f"another scheduler runs in .*process {os.getpid()} of host"):
            Journal.open(folder)
        return {"dice": 0.5}

    run_study(study(tmp_path, budget=ir.Budget(trials=1)), threads(job))
    (told,) = seen
    assert told == {
        "host": identity.host(),
        "boot_id": identity.boot_id(),
        "pid": os.getpid(),
        "start": identity.start_time(os.getpid()),
        "epoch": 1,
    }
    assert not (folder / owner.FILE).exists()


def test_a_run_of_another_host_is_taken_over_only_by_who_says_so(tmp_path: Path, elsewhere: Callable[[], None]) -> None:
    folder = run_study(study(tmp_path, budget=ir.Budget(trials=2)), threads(lr_is_score)).folder
    owner.Owner(folder, 1)
    assert resume_study(folder, threads(lr_is_score)).exit_code == 0, "of this host: its process is dead, its lock is free"
    owner.Owner(folder, 2)
    elsewhere()
    with pytest.raises(InputError, match=rf"belongs to the host {identity.host()} .*\n?.*--take-over"):
        resume_study(folder, threads(lr_is_score))
    assert resume_study(folder, threads(lr_is_score, take_over=True)).exit_code == 0


def test_a_scheduler_whose_run_was_taken_over_ends(tmp_path: Path, elsewhere: Callable[[], None]) -> None:
    mine = owner.Owner(tmp_path, 1)
    mine.beat(0.0)
    elsewhere()
    theirs = owner.Owner(tmp_path, 2)
    mine.beat(1.0)
    with pytest.raises(RunError, match=r"taken over by process .* of host elsewhere"):
        mine.beat(10.0)
    assert not mine.release()
    theirs.beat(10.0)
    assert owner.read(tmp_path) is not None
    assert theirs.release()
    assert owner.read(tmp_path) is None


def test_a_run_that_is_taken_over_while_it_lives_leaves_the_other_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runs" / "a"
    monkeypatch.setattr(owner, "_BEAT_S", 0.0)
    theirs = owner.Identity("elsewhere", "another-boot", 1, 1, 2)

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        (folder / owner.FILE).write_bytes(msgspec.json.encode(theirs))
        (folder / "endpoint.json").write_text("theirs")
        step = 0
        while not report(step, dice=0.1):
            step += 1
        return {}

    with pytest.raises(RunError, match="taken over by process 1 of host elsewhere"):
        run_study(study(tmp_path), threads(job))
    assert owner.read(folder) == theirs
    assert (folder / "endpoint.json").read_text() == "theirs"


def test_the_file_of_the_owner_is_kept_fresh(tmp_path: Path) -> None:
    mine = owner.Owner(tmp_path, 1)
    os.utime(tmp_path / owner.FILE, (1.0, 1.0))
    mine.beat(0.0)
    assert (tmp_path / owner.FILE).stat().st_mtime > 1.0


def test_an_agents_number_means_nothing_after_a_restart_of_the_host(tmp_path: Path) -> None:
    (tmp_path / AGENTS).mkdir()
    record = {"boot_id": identity.boot_id(), "pid": os.getpid(), "start": identity.start_time(os.getpid())}
    place = tmp_path / AGENTS / "W1.json"
    place.write_text(json.dumps(record))
    (agent,) = living_agents(tmp_path).values()
    agent.close()
    for wrong in ({"boot_id": "x"}, {"start": 1}, {"pid": 2**31}, {"pid": "x"}):
        place.write_text(json.dumps({**record, **wrong}))
        assert living_agents(tmp_path) == {}


# -- where a run may lie -----------------------------------------------------------------------------------------------------------


def mounts(tmp_path: Path, *lines: tuple[str, str]) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text("".join(f"36 35 98:0 / {at} rw,noatime master:1 - {kind} /dev/x rw\n" for at, kind in lines))
    return path


def test_the_file_system_of_a_place(tmp_path: Path) -> None:
    (tmp_path / "home me" / "deep").mkdir(parents=True)
    home = str(tmp_path / "home me").replace(" ", "\\040")
    found = mounts(tmp_path, ("/", "ext4"), (home, "autofs"), (home, "nfs4"), (f"{tmp_path}/home", "xfs"))
    assert file_system.file_system(tmp_path / "home me" / "deep", found) == "nfs4"
    assert file_system.file_system(tmp_path, found) == "ext4"
    assert file_system.file_system(tmp_path, tmp_path / "none") == ""
    assert file_system.file_system(tmp_path) != ""


def test_a_network_file_system_is_warned_of(tmp_path: Path) -> None:
    assert check_place(tmp_path, mounts(tmp_path, ("/", "ext4"))) == []
    (warning,) = check_place(tmp_path, mounts(tmp_path, ("/", "fuse.sshfs")))
    assert "network file system (fuse.sshfs)" in warning
    assert [path.name for path in tmp_path.iterdir()] == ["mountinfo"]


@pytest.mark.parametrize(
    ("name", "fault", "said"),
    [
        ("flock", OSError(37, "No locks available"), "cannot be locked there: No locks available"),
        ("flock", None, "locks exclude nobody"),
        ("fsync", OSError(22, "Invalid argument"), "cannot be made durable there: Invalid argument"),
    ],
)
def test_a_place_without_locks_or_syncs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fault: OSError | None, said: str
) -> None:
    def broken(*_: object) -> None:
        if fault is not None:
            raise fault

    with monkeypatch.context() as patch:
        patch.setattr(fcntl if name == "flock" else os, name, broken)
        with pytest.raises(InputError, match=rf"cannot hold a run: .*{said}; .*--out"):
            run_study(study(tmp_path), threads(lr_is_score))
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_folder_that_is_removed_while_the_run_goes_on_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a"

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        shutil.rmtree(folder, ignore_errors=True)
        return lr_is_score(assign, report)

    with pytest.raises(JournalError, match="was removed, moved or replaced") as raised:
        run_study(study(tmp_path), threads(job))
    assert "resume" not in str(raised.value)


def test_a_folder_that_is_moved_while_the_run_goes_on_is_resumed_in_its_new_place(tmp_path: Path) -> None:
    folder, moved = tmp_path / "runs" / "a", tmp_path / "runs" / "b"

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        if folder.exists():
            folder.rename(moved)
        return lr_is_score(assign, report)

    with pytest.raises(JournalError, match="was removed, moved or replaced"):
        run_study(study(tmp_path), threads(job))
    assert not folder.exists()
    result = resume_study(moved, threads(lr_is_score))
    assert [one["state"] for one in result.summary["jobs"]] == ["done"] * 4


# -- results on the disk -----------------------------------------------------------------------------------------------------------


def killed(base: Path, *outcomes: Outcome) -> Path:
    """A run whose scheduler was killed when its first job ran; its agent left `outcomes`."""
    wanted = study(base)
    folder = base / "runs" / "a"
    folder.mkdir(parents=True)
    first: list[facts.AnyFact] = [
        facts.RunStarted("a", "d1", wanted.to_bytes(), 1.0),
        facts.WorkersSet((facts.NamedWorker("W1", (), 1),)),
        facts.EpochStarted(1, 1.0),
        facts.Recommended(0, None, (0,)),
        facts.Assigned("W1_1_J1", 1, 0, "W1", 1, 7, 2.0),
        facts.Accepted("W1_1_J1", 1, 99),
        facts.Reported("W1_1_J1", 1, 1, 0, {"dice": 0.1}),
    ]
    Journal.create(folder, first).close()
    for outcome in outcomes:
        place = folder / outcome.job
        place.mkdir()
        write_outcome(place, outcome)
    return folder


def test_a_finished_job_is_read_back_and_not_run_again(tmp_path: Path) -> None:
    reported = {"dice": (0.1, 0.9, 0.4)}
    folder = killed(tmp_path, Outcome("W1_1_J1", 1, values={}, seconds=3.0, reported=reported))
    ran: list[str] = []

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        ran.append(assign.job)
        return {"dice": 0.2}

    result = resume_study(folder, threads(job))
    first = result.summary["jobs"][0]
    assert (first["name"], first["state"], first["score"], first["attempts"]) == ("W1_1_J1", "done", 0.9, 1)
    assert first["seconds"] == 3.0
    assert "W1_1_J1" not in ran
    assert len(ran) == 3
    with_journal = Journal.read(folder)
    ended = [fact.job for fact in with_journal.facts() if isinstance(fact, facts.Ended)]
    with_journal.close()
    assert sorted(ended) == sorted(set(ended))


def test_a_failure_is_read_back_too(tmp_path: Path) -> None:
    folder = killed(tmp_path, Outcome("W1_1_J1", 1, values={}, seconds=3.0, cause="user_error", message="no such layer", code=1))
    first = resume_study(folder, threads(lr_is_score)).summary["jobs"][0]
    assert (first["state"], first["cause"], first["message"]) == ("failed", "user_error", "no such layer")


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome("W1_1_J1", 2, values={"dice": 0.9}, seconds=1.0),
        Outcome("W1_1_J1", 1, values={"dice": 0.9}, seconds=1.0, stopped=True),
        Outcome("W1_1_J1", 1, values={}, seconds=1.0, cause="lost"),
        Outcome("W1_1_J1", 1, values={}, seconds=1.0, cause="preempted"),
    ],
)
def test_what_is_no_end_is_run_again(tmp_path: Path, outcome: Outcome) -> None:
    first = resume_study(killed(tmp_path, outcome), threads(lr_is_score)).summary["jobs"][0]
    assert (first["state"], first["score"], first["attempts"]) == ("done", 0.5, 2)
    assert [span["how"] for span in first["timeline"]] == ["lost", "done"]


def test_an_agent_that_dies_after_its_job_has_ended_costs_nothing(tmp_path: Path) -> None:
    """Its scheduler lives, and has not heard of the end."""
    ran: list[str] = []

    def job(assign: wire.Assign, report: Report) -> Mapping[str, float]:
        ran.append(assign.job)
        if len(ran) == 2:
            place = tmp_path / "runs" / "a" / assign.job
            place.mkdir()
            write_outcome(place, Outcome(assign.job, assign.fence, values={"dice": 0.75}, seconds=2.0))
            raise SystemExit
        return {"dice": 0.5}

    result = run_study(study(tmp_path), threads(job))
    assert len(ran) == len(set(ran)) == 4
    second = next(one for one in result.summary["jobs"] if one["name"] == ran[1])
    assert (second["state"], second["score"], second["attempts"]) == ("done", 0.75, 1)


def test_a_result_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    folder = killed(tmp_path)
    (folder / "W1_1_J1").mkdir()
    (folder / "W1_1_J1" / "result.json").write_text('{"job": "W1_1_J1", "fence": 1')
    store = Journal.read(folder)
    state = replay(store.facts())
    store.close()
    assert Results(folder).of(state, "W1_1_J1") is None
    assert resume_study(folder, threads(lr_is_score)).exit_code == 0


# -- what a resume may change -----------------------------------------------------------------------------------------------------


def test_every_part_of_the_budget_can_be_enlarged(tmp_path: Path) -> None:
    before = study(tmp_path, budget=ir.Budget(trials=4, time_s=60.0, job_time_s=10.0, target=0.5, patience=3, gpu_hours=1.0))
    pairs = {
        "study.budget.trials": "8",
        "budget.time": "2h",
        "budget.job_time": "none",
        "budget.target": "0.9",
        "budget.patience": "4",
        "budget.gpu_hours": "2.5",
    }
    after = budget_from(before, pairs)
    assert after == ir.Budget(trials=8, time_s=7200.0, job_time_s=None, target=0.9, patience=4, gpu_hours=2.5)
    refuse_smaller(before, after)


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("budget.trials", "3", "`trials` was 4, not 3"),
        ("budget.time", "10s", "`time` was 60, not 10"),
        ("budget.gpu_hours", "1.5", "`gpu_hours` was 2, not 1.5"),
        ("budget.gpu_hours", "2h", "`budget.gpu_hours` is a plain number"),
        ("budget.target", "0.4", "`target` was 0.5, not 0.4"),
        ("budget.time", "1 parsec", "budget.time=1 parsec"),
        ("budget.trials", "3 }\n seed = 4 {", "is not one value"),
        ("budget.tials", "3", "not `budget.tials`"),
        ("study.seed", "3", "not `study.seed`"),
    ],
)
def test_what_is_no_larger_budget_is_refused(tmp_path: Path, key: str, text: str, said: str) -> None:
    before = study(tmp_path, budget=ir.Budget(trials=4, time_s=60.0, target=0.5, gpu_hours=2.0))
    with pytest.raises(InputError, match=said):
        refuse_smaller(before, budget_from(before, {key: text}))


def test_a_limit_where_there_was_none_is_for_what_is_to_come(tmp_path: Path) -> None:
    before = study(tmp_path, budget=ir.Budget())
    after = ir.Budget(trials=5, time_s=60.0, job_time_s=1.0, target=0.5, patience=2)
    refuse_smaller(before, after, trials=5, seconds=60.0)
    with pytest.raises(InputError, match=r"`trials` cannot be 5: .* past it \(6\)"):
        refuse_smaller(before, after, trials=6)
    with pytest.raises(InputError, match="`time` cannot be 60"):
        refuse_smaller(before, after, seconds=61.0)
    with pytest.raises(InputError, match="`gpu_hours` cannot be 3"):
        refuse_smaller(before, ir.Budget(gpu_hours=3.0), gpu_hours=3.5)


def test_a_target_to_be_minimized_is_enlarged_downwards(tmp_path: Path) -> None:
    before = with_study(study(tmp_path, budget=ir.Budget(target=0.5)), objectives=(ir.Objective("loss", "minimize"),))
    refuse_smaller(before, ir.Budget(target=0.4))
    with pytest.raises(InputError, match="target"):
        refuse_smaller(before, ir.Budget(target=0.6))


def test_a_run_of_another_host_is_taken_over_by_its_run_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train_taken.py").write_text("def trial(params):\n    return params['x']\n")
    program = tmp_path / "taken.automl"
    text = """automl 1
study { target = Python("train_taken:trial"), maximize dice, budget { trials = TRIALS }, workers = [cpu(1)] }
x ~ 0.0..1.0
""".replace(", ", "\n  ")
    program.write_text(text.replace("TRIALS", "1"))
    assert main([str(program), "--run-id", "a", "--take-over"]) == 0, "where there is no run, it is a new one"
    folder = tmp_path / "runs" / "a"
    owner = {"host": "elsewhere", "boot_id": "b", "pid": 1, "start": 1, "epoch": 1}
    (folder / "owner.json").write_text(json.dumps(owner))
    program.write_text(text.replace("TRIALS", "2"))
    assert main([str(program), "--run-id", "a"]) == 2
    assert main(["resume", str(folder)]) == 2
    assert main([str(program), "--take-over"]) == 2
    assert "name it with --run-id" in capsys.readouterr().err
    assert main([str(program), "--run-id", "a", "--take-over"]) == 0
    assert [job["state"] for job in read_run(folder)["jobs"]] == ["done"] * 2


def test_a_resume_takes_workers_and_budget_of_a_changed_program(tmp_path: Path) -> None:
    before = study(tmp_path, budget=ir.Budget(trials=2))
    folder = run_study(before, threads(lr_is_score)).folder
    changed = with_study(before, budget=ir.Budget(trials=5), workers=(ir.Worker(), ir.Worker()), name="other")
    result = resume_study(folder, threads(lr_is_score), program=changed)
    assert len(result.summary["jobs"]) == 5
    assert [worker["name"] for worker in result.summary["workers"]] == ["W1", "W2"]
    with pytest.raises(InputError, match="`trials` was 5, not 2"):
        resume_study(folder, threads(lr_is_score), program=before)


@pytest.mark.parametrize("change", [{"seed": 3}, {"keep": 1}, {"stall_time_s": 9.0}])
def test_any_other_change_is_refused_with_the_difference(tmp_path: Path, change: dict[str, Any]) -> None:
    before = study(tmp_path, budget=ir.Budget(trials=2))
    folder = run_study(before, threads(lr_is_score)).folder
    with pytest.raises(InputError, match=rf"not the one of (.|\n)*[~+] {next(iter(change))}"):
        resume_study(folder, threads(lr_is_score), program=with_study(before, **change))
