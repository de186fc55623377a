"""The commands of docs/running.md, in its order, against one real run."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from automl_run.cli.main import main
from automl_run.engine.launchers.local import living_agents

PAGE = Path(__file__).resolve().parents[2] / "docs" / "running.md"
TRAIN = """
import os, time
from pathlib import Path

def train(params, report):
    print("training with", params["x"], flush=True)
    with open("started", "w") as started:
        started.write("x")
    step = 0
    while not Path("go").exists():
        step += 1
        if report(step, dice=0.25):
            return {}
        time.sleep(0.05)
    return params["x"]
"""
#: `automl-run` as the leader of the session of its terminal, which is its standard input.
IN_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from automl_run.cli.main import main
sys.exit(main())
"""
PROGRAM = """automl 1
study "night" {
  target = Python("score:train")
  maximize dice
  workers = [cpu(1), cpu(1)]
  budget { trials = 5, time = 1h }
}
x ~ 0.0..1.0
"""


def sections() -> dict[str, list[list[str]]]:
    """Heading -> the words of its commands, without `automl-run`."""
    found: dict[str, list[list[str]]] = {}
    for section in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:]:
        lines = [line for block in re.findall(r"^```sh\n(.*?)^```", section, flags=re.M | re.S) for line in block.splitlines()]
        words = [shlex.split(line) for line in lines]
        assert all(each[0] == "automl-run" for each in words)
        found[section.partition("\n")[0]] = [each[1:] for each in words]
    return found


class Place:
    """The folder of a user, whose jobs train until `go` is there, and say when they have begun."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "score.py").write_text(TRAIN)
        (path / "search.automl").write_text(PROGRAM)
        os.mkfifo(path / "started")
        # Held open for both, so that no job waits for a reader.
        self._started = os.open(path / "started", os.O_RDWR)
        self._begun: list[subprocess.Popen[str]] = []

    def close(self) -> None:
        for process in self._begun:
            with process:
                process.kill()
        os.close(self._started)

    def run(self, words: list[str], code: int = 0) -> str:
        """What it prints, run in this process: there are many of them."""
        out, err = io.TextIOWrapper(io.BytesIO(), write_through=True), io.StringIO()
        with contextlib.chdir(self.path), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            found = main(words)
        said = out.buffer.getvalue().decode() + err.getvalue()
        assert found == code, f"{words}\n{said}"
        return said

    def start(self, words: list[str]) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "automl_run", *words]
        # Not a pipe: nobody would read it meanwhile.
        with (self.path / f"output.{len(self._begun)}").open("w") as output:
            process = subprocess.Popen(command, cwd=self.path, stdout=output, stderr=subprocess.STDOUT, text=True)
        self._begun.append(process)
        return process

    def said_by(self, process: subprocess.Popen[str]) -> str:
        """All that it printed, after its end."""
        process.wait(timeout=60)
        return (self.path / f"output.{self._begun.index(process)}").read_text()

    def jobs_begin(self, count: int) -> None:
        for _ in range(count):
            ready, _, _ = select.select([self._started], [], [], 60.0)
            assert ready, "no job began within a minute"
            os.read(self._started, 1)

    def processes(self) -> list[str]:
        found = []
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if str(self.path / "runs" / "night") in command:
                found.append(" ".join(command))
        return found


@contextlib.contextmanager
def place_in(path: Path) -> Iterator[Place]:
    place = Place(path)
    try:
        yield place
    finally:
        (path / "go").touch()
        place.close()


def test_the_commands_of_the_page(tmp_path: Path) -> None:
    page = sections()
    with place_in(tmp_path) as place:
        (begin,) = page.pop("Start")
        run = place.start(begin)
        place.jobs_begin(2)
        followed = None
        said: dict[str, str] = {}
        for words in page.pop("Look"):
            if "-f" in words:
                followed = place.start(words)
            else:
                said[" ".join(words)] = place.run(words)
        assert re.search(r"W1 +\| cpu +\| busy +\| 1 \(W1_1_J1\)", said["workers night"])
        logged = said["logs night W1"]
        for _ in range(50):  # the keeper writes the log a moment after the job has spoken
            logged = logged or place.run(["logs", "night", "W1"])
        assert "training with 0.5" in logged
        assert "START" in said["summary night"]
        shown = json.loads(said["show night --json"])
        assert [span["how"] for job in shown["jobs"] for span in job["timeline"]] == ["running", "running"]
        assert [worker["name"] for worker in json.loads(said["workers night W1 --json"])["workers"]] == ["W1"]
        for words in page.pop("Steer"):
            said[words[0]] = place.run(words)
        assert followed is not None
        assert "training with 0.5" in place.said_by(followed)
        assert said["abort"] == "W1_1_J1 is stopped\n"
        run.wait(timeout=60)
        assert run.returncode == 130
        assert place.processes() == []

        again = page.pop("Go on")
        gone = page.pop("When the scheduler is gone")
        killed = place.start(again[0])
        place.jobs_begin(2)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait(timeout=60)
        assert place.processes() != [], "agents and their jobs outlive it"
        assert "off" in place.run(["workers", "night"])
        assert "no scheduler has the run" in place.run(["suspend", "night", "W1"], code=1)
        for words in gone:
            assert place.run(words).count("which had no scheduler, was ended") == 2
        assert place.processes() == []

        (tmp_path / "go").touch()
        (tmp_path / "search.automl").write_text(PROGRAM.replace("trials = 5, time = 1h", "trials = 7, time = 13h"))
        for words in again:
            place.run(words)
        for words in page.pop("Several hosts, one disk"):
            place.run(words)
        ended = json.loads(place.run(["show", "night", "--json"]))
        assert [job["index"] for job in ended["jobs"]] == list(range(7))
        assert [job["state"] for job in ended["jobs"]].count("done") == 6
        assert [job["state"] for job in ended["jobs"]].count("stopped") == 1
        assert not any(page.values())
        assert place.processes() == []


def test_a_scheduler_that_does_not_answer_is_ended(tmp_path: Path) -> None:
    with place_in(tmp_path) as place:
        run = place.start(["search.automl", "--run-id", "night"])
        place.jobs_begin(2)
        os.kill(run.pid, signal.SIGSTOP)
        said = place.run(["stop", "night"])
        assert "does not answer" in said
        assert f"the scheduler (process {run.pid}) has ended" in said
        assert place.processes() == []
        run.wait(timeout=60)


def test_a_night_in_which_everything_happens(tmp_path: Path) -> None:
    """The terminal is closed, the scheduler and an agent are killed, and the run is resumed with another number of workers."""
    with place_in(tmp_path) as place:
        ours, terminal = pty.openpty()
        command = [sys.executable, "-c", IN_TERMINAL, "search.automl", "--run-id", "night"]
        run = subprocess.Popen(command, cwd=tmp_path, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
        os.close(terminal)
        place.jobs_begin(2)
        os.close(ours)
        folder = tmp_path / "runs" / "night"
        place.run(["abort", "night", "W1"])
        place.jobs_begin(1)
        assert run.poll() is None, "a closed terminal costs the table, not the run"
        os.kill(run.pid, signal.SIGKILL)
        run.wait(timeout=60)
        agents = living_agents(folder)
        agents["W1"].signal(signal.SIGKILL)
        for agent in agents.values():
            agent.close()
        (tmp_path / "go").touch()
        place.run(["resume", "night", "--workers", "0:0:0"])
        jobs = json.loads(place.run(["show", "night", "--json"]))["jobs"]
        assert [job["index"] for job in jobs] == list(range(5))
        assert sorted(job["state"] for job in jobs) == ["done"] * 4 + ["stopped"]
        assert len({job["name"] for job in jobs}) == 5
        assert place.processes() == []


def test_what_ended_without_anyone_to_hear_it_is_not_run_again(tmp_path: Path) -> None:
    """The scheduler is killed, the jobs end, and then their agents are killed."""
    with place_in(tmp_path) as place:
        run = place.start(["search.automl", "--run-id", "night"])
        place.jobs_begin(2)
        os.kill(run.pid, signal.SIGKILL)
        run.wait(timeout=60)
        (tmp_path / "go").touch()
        folder = tmp_path / "runs" / "night"
        results = [folder / job / "result.json" for job in ("W1_1_J1", "W2_1_J2")]
        until = time.monotonic() + 60.0
        while not all(result.exists() for result in results):
            assert time.monotonic() < until, "the jobs did not end"
            select.select([], [], [], 0.02)
        for agent in living_agents(folder).values():
            agent.signal(signal.SIGKILL)
            agent.close()
        place.run(["resume", "night"])
        jobs = json.loads(place.run(["show", "night", "--json"]))["jobs"]
        assert [(job["state"], job["attempts"]) for job in jobs] == [("done", 1)] * 5
        for result in results:
            assert (result.parent / "log.txt").read_text().count("training with") == 1
        assert jobs[0]["score"] == 0.5
        assert place.processes() == []


def test_a_run_is_killed_at_once(tmp_path: Path) -> None:
    with place_in(tmp_path) as place:
        run = place.start(["search.automl", "--run-id", "night"])
        place.jobs_begin(2)
        os.kill(run.pid, signal.SIGKILL)
        run.wait(timeout=60)
        assert place.run(["stop", "night", "--now"]).count("was killed") == 2
        assert place.processes() == []
        assert place.run(["stop", "night"]).startswith("nothing of the run")


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with place_in(tmp_path) as place:
        (tmp_path / "go").touch()
        place.run(["search.automl", "--run-id", "night"])
        for words, code, text in (
            (["workers", "night", "W7"], 2, "no worker `W7`; workers: W1, W2"),
            (["logs", "night", "W7"], 2, "no job `W7`"),
            (["abort", "night", "W1"], 1, "no scheduler has the run"),
            (["suspend", "night"], 2, "WORKER"),
            (["resume", "night", "--set", "study.seed=3"], 2, "study.seed"),
            (["resume", "night", "--set", "study.budget.trials=2"], 2, "`trials` was 5, not 2"),
        ):
            assert text in place.run(words, code=code)
        (tmp_path / "search.automl").write_text(PROGRAM.replace("0.0..1.0", "0.0..2.0"))
        assert "~ x domain" in place.run(["resume", "night", "search.automl"], code=2)
        assert place.run(["list_workers", "night"]) == place.run(["workers", "night"])
