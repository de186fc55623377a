"""AM915: a GPU in two workers that are not on the same GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from ..diagnostics import Diagnostic
from .subject import Subject, found, study_binds


def shared_gpus(subject: Subject) -> Iterator[Diagnostic]:
    """Workers on the very same GPUs share them on purpose; a half that is shared is a slip of the pen."""
    gpus = [frozenset(worker.gpus) for worker in subject.program.study.workers]
    shared = sorted(set().union(*(a & b for a, b in combinations(gpus, 2) if a != b)))
    for bind in study_binds(subject.module, "workers"):
        if shared:
            ids = ", ".join(str(id) for id in shared)
            message = f"GPU {ids} belongs to several workers, whose jobs share its memory"
            yield found("AM915", message, bind.span, help="give each worker GPUs of its own: `[[0, 1], [2, 3]]`")
        return
