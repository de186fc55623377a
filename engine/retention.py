"""Which job folders stay whole: those of the best recommendations by score, `keep` of them; the others lose their models.

What tells what was tried stays of every job: its configuration, its result and its log.
"""

from __future__ import annotations

import heapq
import os
import shutil
from pathlib import Path
from typing import Final

from .agent.folders import ABOUT, CHECKPOINTS
from .core.state import State, merit

_STAYS: Final = ABOUT | {"config", "configs", "command.txt"}
_ATTEMPT: Final = "attempt_"


class Retention:
    """Told of each recommendation that has ended, whose jobs have ended all. The best so far is always among those that stay."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        #: (merit, index), the worst first; None before the first call
        self._kept: list[tuple[tuple[bool, float, int], int]] | None = None

    def ended(self, state: State, index: int) -> None:
        """Removes the models of this recommendation, or of one that it takes the place of. OSError is left to a later call."""
        if self._kept is None:
            self.restore(state)
        else:
            self._take(state, index)

    def restore(self, state: State) -> None:
        """Brings all folders up to the journal: a scheduler may have been killed in between, or `keep` is new."""
        self._kept = []
        for index in state.recommended:
            if state.recommended[index].verdict is not None:
                self._take(state, index)

    def _take(self, state: State, index: int) -> None:
        keep = state.program.study.keep if state.program else None
        verdict = state.recommended[index].verdict
        if keep is None or verdict is None or self._kept is None:
            return
        out: int | None = index
        if verdict.scores:
            direction = state.objectives[0].direction if state.objectives else "maximize"
            heapq.heappush(self._kept, (merit(verdict, index, direction), index))
            out = heapq.heappop(self._kept)[1] if len(self._kept) > max(keep, 1) else None
        if out is not None:
            for name in state.recommended[out].jobs:
                _strip(self._folder / name)


def forget_checkpoints(folder: Path) -> None:
    """Of a job that is done and never runs again: they are several times as large as its network. OSError is left alone."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def _strip(folder: Path) -> None:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name in _STAYS:
            continue
        if not entry.is_dir(follow_symlinks=False):
            Path(entry.path).unlink(missing_ok=True)
        elif entry.name.startswith(_ATTEMPT):
            _strip(Path(entry.path))
        else:
            shutil.rmtree(entry.path, ignore_errors=True)
