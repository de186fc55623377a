"""What a host does to a run: a stopped process, a full disk, a folder that cannot be written, a foreign journal, two schedulers."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import proof_run
import psutil
import pytest
from proof_scale import SCALE, count, record

from automl_run.engine.admin.console import read_run
from automl_run.engine.run import RunOptions, resume_study
from automl_run.errors import AutoMLError, JournalError

REPEATS = count("PROOF_FAULT_REPEATS", quick=1, proof=1, soak=10)

repeated = pytest.mark.parametrize("repeat", range(REPEATS))


def until_jobs_run(folder: Path, scheduler: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 300
    while not any(folder.glob("W*_*_J*/log.txt")):
        assert scheduler.poll() is None
        assert time.monotonic() < limit
        os.sched_yield()


@pytest.mark.skipif(SCALE == "quick", reason="takes seconds of standing still; `make proof` has it")
@pytest.mark.parametrize("who", ["scheduler", "agent"])
def test_a_stopped_process_goes_on(tmp_path: Path, who: str) -> None:
    """SIGSTOP for longer than the agents' patience with a silent scheduler is not needed to lose nothing."""
    program = proof_run.write_program(tmp_path, "train:some_time", trials=10)
    for repeat in range(REPEATS):
        folder = tmp_path / "runs" / str(repeat)
        with subprocess.Popen(proof_run.command(program, folder), env=proof_run.environment()) as scheduler:
            until_jobs_run(folder, scheduler)
            agents = [
                process
                for process in psutil.Process(scheduler.pid).children()
                if "automl_run.engine.testing.killed.agent" in process.cmdline()
            ]
            pid = scheduler.pid if who == "scheduler" else agents[0].pid
            os.kill(pid, signal.SIGSTOP)
            signal.sigtimedwait([], 3.0)
            os.kill(pid, signal.SIGCONT)
            assert scheduler.wait(600) == 0
        assert proof_run.judged(folder, 10) == []
        assert not [fact for fact in proof_run.stored(folder) if fact["f"] == "AttemptEnded"]
    record("SIGSTOP", who=who, repeats=REPEATS)


@repeated
@pytest.mark.parametrize("limit_kib", [96] if SCALE == "quick" else [48, 64, 96, 128])
def test_a_full_disk_loses_nothing(tmp_path: Path, limit_kib: int, repeat: int) -> None:
    """The scheduler may write files of this size only (EFBIG is what a full disk is to SQLite); with room it goes on."""
    program = proof_run.write_program(tmp_path, "train:quick", trials=40)
    folder = tmp_path / "runs" / "a"
    code = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    code += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_kib * 1024},) * 2);"
    code += "from automl_run.engine.testing.killed.scheduler import main; sys.exit(main(sys.argv[1:]))"
    full = subprocess.run(
        [sys.executable, "-c", code, str(program), str(folder)],
        env=proof_run.environment(),
        timeout=600,
        check=False,
        capture_output=True,
        text=True,
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    assert full.returncode == 3, full.stderr
    assert "Traceback" not in full.stderr
    assert proof_run.processes_of(folder) == []
    before = {fact["job"]: fact["scores"] for fact in proof_run.stored(folder) if fact["f"] == "Ended"}
    assert proof_run.to_the_end(program, folder) == 0
    assert proof_run.judged(folder, 40) == []
    after = {fact["job"]: fact["scores"] for fact in proof_run.stored(folder) if fact["f"] == "Ended"}
    assert before.items() <= after.items()
    record("full disk", limit_kib=limit_kib, ended_before=len(before))


def finished(tmp_path: Path) -> Path:
    program = proof_run.write_program(tmp_path, trials=2)
    folder = tmp_path / "runs" / "a"
    assert proof_run.once(program, folder) == 0
    return folder


@repeated
def test_a_foreign_or_damaged_journal_is_refused_and_left_alone(tmp_path: Path, repeat: int) -> None:
    folder = finished(tmp_path)
    journal = folder / "journal.db"
    whole = journal.read_bytes()
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE facts (number INTEGER PRIMARY KEY, body BLOB)")
    db.close()
    damaged = [
        other.read_bytes(),
        b"no database at all" * 100,
        whole[: len(whole) // 2],
        whole[:4096] + os.urandom(4096) + whole[8192:],
    ]
    for data in damaged:
        journal.write_bytes(data)
        with pytest.raises(JournalError):
            resume_study(folder, RunOptions())
        assert journal.read_bytes() == data
    journal.write_bytes(whole)
    assert resume_study(folder, RunOptions()).exit_code == 0
    record("foreign or damaged journal", files=len(damaged))


@repeated
def test_two_schedulers_on_one_run(tmp_path: Path, repeat: int) -> None:
    program = proof_run.write_program(tmp_path, "train:some_time", trials=40)
    folder = tmp_path / "runs" / "a"
    with subprocess.Popen(proof_run.command(program, folder), env=proof_run.environment()) as first:
        until_jobs_run(folder, first)
        second = subprocess.run(
            proof_run.command(program, folder),
            env=proof_run.environment(),
            timeout=600,
            check=False,
            capture_output=True,
            text=True,
        )
        assert second.returncode == 3
        assert "another scheduler" in second.stderr or "runs" in second.stderr
        assert first.wait(600) == 0
    assert proof_run.judged(folder, 40) == []
    record("two schedulers")


@repeated
@pytest.mark.skipif(shutil.which("unshare") is None or os.getuid() != 0, reason="a read-only mount needs root and unshare")
def test_a_read_only_folder_is_shown_and_refused(tmp_path: Path, repeat: int) -> None:
    """Root may write anywhere, so the folder is mounted read-only, in a namespace of its own."""
    folder = finished(tmp_path)
    code = (
        "import sys; from pathlib import Path; from automl_run.engine.admin.console import read_run\n"
        "from automl_run.engine.run import RunOptions, resume_study\n"
        "from automl_run.errors import AutoMLError\n"
        f"folder = Path({str(folder)!r})\n"
        "assert read_run(folder)['state'] == 'done'\n"
        "try:\n    resume_study(folder, RunOptions())\n"
        "except AutoMLError as error:\n    print('refused:', error)\n"
    )
    script = f'mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} && exec {sys.executable} -c "$CODE"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        env={**os.environ, "CODE": code},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if "mount" in done.stderr and "refused" not in done.stdout and "Traceback" not in done.stderr:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused:")
    assert read_run(folder)["state"] == "done"
    record("read-only folder")


def test_errors_have_one_root() -> None:
    assert issubclass(JournalError, AutoMLError)
