"""kill -9 of any process of a real run, at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import proof_run
import psutil
import pytest
from proof_scale import SCALE, count, record

KILLS = count("PROOF_KILLS", quick=3, proof=20, soak=500)
#: Parts run side by side where there are cores.
PARTS = 1 if SCALE == "quick" else 4
PER_RUN = 5
TRIALS = 24


class Killer:
    """Kills processes of one run, of every kind in turn, and starts the scheduler again when it was the victim."""

    def __init__(self, program: Path, folder: Path, seed: int) -> None:
        self._program, self._folder = program, folder
        self._draw = random.Random(seed)
        self.kills: list[str] = []
        self.scheduler = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(proof_run.command(self._program, self._folder), env=proof_run.environment())

    def _victims(self) -> dict[str, list[psutil.Process]]:
        found: dict[str, list[psutil.Process]] = {
            "scheduler": [psutil.Process(self.scheduler.pid)],
            "agent": [],
            "keeper": [],
            "job": [],
        }
        for process in psutil.process_iter(["cmdline", "ppid"]):
            line = process.info["cmdline"] or []
            if str(self._folder) in line and "automl_run.engine.testing.killed.agent" in line:
                found["agent"].append(process)
        agents = {process.pid for process in found["agent"]}
        # A keeper is a fork of its agent, a job a fork of its keeper: all have one command line.
        found["keeper"] = [process for process in found["agent"] if process.info["ppid"] in agents]
        keepers = {process.pid for process in found["keeper"]}
        found["job"] = [process for process in found["keeper"] if process.info["ppid"] in keepers]
        found["keeper"] = [process for process in found["keeper"] if process not in found["job"]]
        found["agent"] = [process for process in found["agent"] if process not in [*found["keeper"], *found["job"]]]
        return found

    def strike(self, kind: str) -> bool:
        """False when there is no such process now."""
        victims = self._victims()[kind]
        if not victims:
            return False
        try:
            os.kill(self._draw.choice(victims).pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.kills.append(kind)
        return True

    def go_on(self) -> int | None:
        """The exit code of a run that has ended; a scheduler that died is started again."""
        code = self.scheduler.poll()
        if code is None or code in (0, 1):
            return code
        self.scheduler = self._start()
        return None


@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_random_the_run_goes_on(tmp_path: Path, part: int) -> None:
    done: list[str] = []
    number = first = 1000 * part
    while len(done) < KILLS // PARTS:
        number += 1
        program = proof_run.write_program(tmp_path, "train:some_time", TRIALS)
        killer = Killer(program, tmp_path / "runs" / str(number), seed=number)
        wanted = min(PER_RUN, KILLS // PARTS - len(done))
        draw = random.Random(1000 + number)
        strike_at = time.monotonic() + draw.uniform(0.5, 1.5)
        until = time.monotonic() + 900
        while (code := killer.go_on()) is None:
            assert time.monotonic() < until, "the run does not end"
            if len(killer.kills) < wanted and time.monotonic() >= strike_at:
                kind = ("scheduler", "agent", "keeper", "job")[(len(done) + len(killer.kills)) % 4]
                if killer.strike(kind):
                    strike_at = time.monotonic() + draw.uniform(0.1, 0.8)
            wait_a_little()
        done += killer.kills
        assert code == 0
        assert proof_run.judged(tmp_path / "runs" / str(number), TRIALS) == []
        assert killer.kills, "nobody was killed"
    record("kill -9 at random", part=part, kills=len(done), runs=number - first, of={kind: done.count(kind) for kind in set(done)})


def wait_a_little() -> None:
    """A look every 20 ms: nothing tells when a process of somebody else's tree is there."""
    signal.sigtimedwait([], 0.02)
