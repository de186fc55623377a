"""A disk that forgets what was not synced when the power goes, and keeps it when only a process dies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from automl_run.engine.agent.outcome import Outcome
from automl_run.engine.core.facts import AnyFact, Durable, Transient
from automl_run.errors import JournalError

_DECODER = msgspec.msgpack.Decoder(Durable)


@dataclass
class Disk:
    rows: list[bytes] = field(default_factory=list)
    #: how many of `rows` survive the loss of power
    synced: int = 0
    #: folder of an attempt -> its result.json, and whether it was synced
    results: dict[Path, tuple[Outcome, bool]] = field(default_factory=dict)

    def lose_power(self) -> int:
        """How many rows are gone."""
        lost = len(self.rows) - self.synced
        del self.rows[self.synced :]
        self.results = {folder: (outcome, True) for folder, (outcome, synced) in self.results.items() if synced}
        return lost

    def sync(self) -> None:
        self.synced = len(self.rows)

    def facts(self) -> list[Durable]:
        return [_DECODER.decode(row) for row in self.rows]


class SimJournal:
    """The ledger of one scheduler's life. `at_point` is called at each step of a commit, and may not return."""

    def __init__(self, disk: Disk, at_point: Callable[[str], None], is_full: Callable[[], bool]) -> None:
        self._disk, self._at_point, self._is_full = disk, at_point, is_full

    def append(self, facts: Sequence[AnyFact]) -> None:
        rows = [msgspec.msgpack.encode(fact) for fact in facts if not isinstance(fact, Transient)]
        if not rows:
            return
        self._at_point("before commit")
        if self._is_full():
            raise JournalError("the journal cannot be written: the disk is full")
        self._disk.rows += rows
        self._at_point("before sync")
        self._disk.sync()
        self._at_point("after commit")
