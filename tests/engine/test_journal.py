"""The journal: facts come back as they went in, and nobody else's file or run is touched."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from automl_run.dsl import ir
from automl_run.engine import journal
from automl_run.engine.core import facts
from automl_run.engine.journal import Journal
from automl_run.errors import JournalError

STARTED = facts.RunStarted("r", "d", ir.Program(ir.Study(), (), ir.MapNode({})).to_bytes(), 1.5)
ALL: list[facts.AnyFact] = [
    STARTED,
    facts.EpochStarted(1, 2.0),
    facts.WorkersSet((facts.NamedWorker("W1", (0, 1), 1),)),
    facts.TrialsSet(None),
    facts.Recommended(0, None, (0,)),
    facts.Recommended(1, {"lr": 0.1, "net": 2}, (3, 4)),
    facts.Assigned("W1_1_J1", 1, 0, "W1", 1, 77, 3.0),
    facts.Accepted("W1_1_J1", 1, 12),
    facts.Reported("W1_1_J1", 1, 1, 10, {"dice": 0.5}),
    facts.StopAsked("W1_1_J1", 1, "drain"),
    facts.AttemptEnded("W1_1_J1", 1, 2, "lost", "gone", True, 4.0),
    facts.Ended("W1_1_J1", 2, 1, "done", (0.5,), {"dice": 0.5}, None, "", None, "", 1.0, 5.0),
    facts.Interrupted(6.0),
    facts.Stopping("done", "target", 6.5),
    facts.RunEnded("done", "budget", 7.0),
]


def test_every_kind_of_fact_comes_back(tmp_path: Path) -> None:
    store = Journal.create(tmp_path)
    store.append(ALL[:3])
    store.append(ALL[3:])
    store.close()
    store = Journal.open(tmp_path)
    assert list(store.facts()) == ALL
    store.close()


def test_transient_facts_are_not_stored(tmp_path: Path) -> None:
    store = Journal.create(tmp_path)
    store.append([STARTED, facts.WorkerUp("W1", 1), facts.Asking(), facts.Answered(True, False)])
    assert list(store.facts()) == [STARTED]
    store.close()


def test_every_commit_is_synced_and_exclusive(tmp_path: Path) -> None:
    store = Journal.create(tmp_path)
    pragmas = {name: store._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode", "locking_mode")}
    assert pragmas == {"synchronous": 2, "journal_mode": "wal", "locking_mode": "exclusive"}
    store.append([STARTED])
    assert not (tmp_path / "journal.db-shm").exists()
    store.close()


def test_one_scheduler_a_run(tmp_path: Path) -> None:
    store = Journal.create(tmp_path)
    assert journal.in_use(tmp_path)
    with pytest.raises(JournalError, match="another scheduler"):
        Journal.open(tmp_path)
    store.close()
    assert not journal.in_use(tmp_path)
    Journal.open(tmp_path).close()


def test_a_used_folder_gets_no_second_journal(tmp_path: Path) -> None:
    Journal.create(tmp_path).close()
    with pytest.raises(JournalError, match="exists already"):
        Journal.create(tmp_path)


def test_a_folder_without_a_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no run folder"):
        Journal.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"not a database at all, just text" * 100, None], ids=["text", "other SQLite file"])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / journal.FILE
    if content is not None:
        path.write_bytes(content)
    else:
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE facts (x)")
        db.close()
    with pytest.raises(JournalError, match="no journal of automl-run"):
        Journal.open(tmp_path)
    assert not journal.in_use(tmp_path)


def test_another_version_is_refused(tmp_path: Path) -> None:
    Journal.create(tmp_path).close()
    db = sqlite3.connect(tmp_path / journal.FILE)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(JournalError, match="version 99"):
        Journal.open(tmp_path)


def test_a_damaged_fact_is_named(tmp_path: Path) -> None:
    store = Journal.create(tmp_path)
    store.append([STARTED])
    store._db.execute("INSERT INTO facts (body) VALUES (x'c1')")
    with pytest.raises(JournalError, match="fact 2"):
        list(store.facts())
    store.close()


def test_a_failed_commit_stores_nothing(tmp_path: Path) -> None:
    store = Journal.create(tmp_path)
    store.append([STARTED])
    store._db.execute("CREATE TRIGGER full AFTER INSERT ON facts WHEN NEW.number = 3 BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(JournalError, match="disk full"):
        store.append([facts.EpochStarted(1, 2.0), facts.EpochStarted(2, 2.0)])
    assert list(store.facts()) == [STARTED]
    store.close()


def test_a_journal_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        with pytest.raises(JournalError, match="cannot be made in"):
            Journal.create(tmp_path, [STARTED])
    assert {entry.name for entry in tmp_path.iterdir()} <= journal.LEFTOVERS
    store = Journal.create(tmp_path, [STARTED])
    assert list(store.facts()) == [STARTED]
    store.close()


def test_several_read_a_run_that_nobody_runs(tmp_path: Path) -> None:
    Journal.create(tmp_path, [STARTED]).close()
    first = Journal.read(tmp_path)
    assert list(first.facts()) == [STARTED]
    assert not journal.in_use(tmp_path)
    first.close()
    store = Journal.open(tmp_path)
    with pytest.raises(JournalError, match="another scheduler"):
        Journal.read(tmp_path)
    store.close()


def test_a_run_is_read_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Journal.create(tmp_path, [STARTED]).close()
    monkeypatch.setattr("os.access", lambda path, mode: False)
    store = Journal.read(tmp_path)
    assert list(store.facts()) == [STARTED]
    store.close()
    assert {entry.name for entry in tmp_path.iterdir()} == {"journal.db", "lock"}
    (tmp_path / "journal.db-wal").touch()
    with pytest.raises(JournalError, match="not closed in order"):
        Journal.read(tmp_path)
