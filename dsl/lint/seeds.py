"""AM912: without a seed of its own, every study draws the same numbers, and nobody sees that a second run repeats the first."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import ast
from ..diagnostics import Diagnostic, Fix
from ..outline import words_of
from ..source import Span
from .subject import Subject, found, study_binds


def no_seed(subject: Subject) -> Iterator[Diagnostic]:
    if any(True for module in subject.modules() for _ in study_binds(module, "seed")):
        return
    for study in subject.studies():
        fix = _with_seed(study, subject)
        yield found(
            "AM912",
            "this study names no seed",
            study.path.span,
            help="write `seed = 0`, which is the default; another number gives other draws",
            fixes=[] if fix is None else [fix],
        )
        return


def _with_seed(study: ast.Section, subject: Subject) -> Fix | None:
    """`seed = 0` at the end of the block. It is what the study means already, so the fix is safe."""
    text = subject.source.text
    tail = list(words_of(text[study.path.span.end : study.span.end]))
    if not tail or tail[-1].text != "}":
        return None
    close = study.path.span.end + tail[-1].start
    line = text.rfind("\n", 0, close) + 1
    if not text[line:close].strip():
        indent = text[line:close] + "  "
        if study.body:
            start = study.body[0].span.start
            indent = text[text.rfind("\n", 0, start) + 1 : start]
        if indent.strip():
            return None
        return Fix(Span(subject.module.file, line, line), f"{indent}seed = 0\n", True)
    if study.body:
        end = study.body[-1].span.end
        return None if re.search(r"[#\n]", text[end:close]) else Fix(Span(subject.module.file, end, end), ", seed = 0", True)
    return None if "\n" in text[study.span.start : close] else Fix(Span(subject.module.file, close, close), "seed = 0 ", True)
