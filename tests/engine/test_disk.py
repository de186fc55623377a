"""`disk_reserve`, and the ballast that a full disk's last facts need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from small_study import Recorder, in_threads, lr_is_score, small_study

from automl_run.dsl import ir
from automl_run.engine.core import facts
from automl_run.engine.core import inputs as on
from automl_run.engine.core.facts import AnyFact
from automl_run.engine.disk import BALLAST, Ballast, BallastedLedger, DiskReserve
from automl_run.engine.journal import Journal
from automl_run.engine.run import RunOptions, resume_study, run_study
from automl_run.engine.testing.in_process import ThreadLauncher
from automl_run.errors import JournalError

GIB = 2**30


def test_the_reserve_tells_changes_only(tmp_path: Path) -> None:
    free = [20 * GIB]
    reserve = DiskReserve(tmp_path, 10 * GIB, lambda _: free[0])
    assert reserve.check(0.0) is None
    free[0] = 3 * GIB
    assert reserve.check(0.5) is None, "it looks once a second"
    held = reserve.check(1.0)
    assert held is not None
    assert held.reason is not None
    assert held.reason.startswith(f"no job is started: 3 GiB are free on the disk of {tmp_path}, less than disk_reserve = 10 GiB")
    assert reserve.check(2.0) is None
    free[0] = 11 * GIB
    assert reserve.check(3.0) == on.Held(None)


def test_without_a_reserve_nobody_looks(tmp_path: Path) -> None:
    def fails(folder: Path) -> int:
        raise AssertionError

    assert DiskReserve(tmp_path, None, fails).check(0.0) is None


def test_no_job_starts_below_the_reserve_and_the_run_goes_on_with_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([1 * GIB, 1 * GIB])
    monkeypatch.setattr(DiskReserve.__init__, "__defaults__", (lambda _: next(looks, 30 * GIB),))
    monkeypatch.setattr("automl_run.engine.disk._INTERVAL_S", 0.0)
    recorder = Recorder()
    result = run_study(small_study(tmp_path, budget=ir.Budget(trials=2), disk_reserve=20 * GIB), in_threads(lr_is_score), recorder)
    names = [type(event).__name__ for event in recorder.events]
    said = recorder.warnings
    assert [text.partition(":")[0] for text in said] == ["no job is started", "the disk has room again"]
    assert names.index("Warned") < names.index("JobStarted")
    assert result.summary["state"] == "done"


class Ledger:
    def __init__(self, inner: Journal, fails: Callable[[], bool]) -> None:
        self._inner, self._fails = inner, fails

    def append(self, new: Sequence[AnyFact]) -> None:
        if self._fails():
            raise JournalError("the journal cannot be written: database or disk is full")
        self._inner.append(new)


def test_the_ballast_takes_room_and_gives_it_once(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path)
    (path,) = tmp_path.iterdir()
    assert path.stat().st_blocks * 512 >= BALLAST
    assert ballast.drop()
    assert not ballast.drop()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_survived_once(tmp_path: Path) -> None:
    store = Journal.create(tmp_path)
    told: list[str] = []
    full = [True, False, True]
    ledger = BallastedLedger(Ledger(store, lambda: full.pop(0)), Ballast(tmp_path), lambda: told.append("full"))
    ledger.append([facts.Interrupted(1.0)])
    assert told == ["full"]
    assert list(store.facts()) == [facts.Interrupted(1.0)]
    with pytest.raises(JournalError, match="disk is full"):
        ledger.append([facts.Interrupted(2.0)])
    store.close()


def test_a_run_on_a_full_disk_pauses_and_can_be_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, ended = Journal.append, [0]

    def append(self: Journal, new: Sequence[AnyFact]) -> None:
        ended[0] += sum(isinstance(fact, facts.Ended) for fact in new)
        if ended[0] == 2:
            ended[0] = 3
            raise JournalError("the journal cannot be written: database or disk is full")
        real(self, new)

    monkeypatch.setattr(Journal, "append", append)
    recorder = Recorder()
    study = small_study(tmp_path, workers=(ir.Worker(),))
    result = run_study(study, in_threads(lr_is_score), recorder)
    assert (result.summary["state"], result.exit_code) == ("paused", 130)
    said = recorder.warnings
    assert said[0].startswith("the disk is full, the run pauses")
    monkeypatch.undo()
    again = resume_study(result.folder, RunOptions(launcher=lambda folder: ThreadLauncher(folder, lr_is_score)))
    assert again.summary["state"] == "done"
    assert len(again.summary["jobs"]) == 6
    assert not (result.folder / ".ballast").exists()
