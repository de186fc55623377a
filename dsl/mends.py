"""The edit that mends a syntax error, where it is plain what was meant.

A first edit is found from the words around the mistake. Then the statement is read again: what is still wrong with it is mended
as well, and only a statement that parses in the end gives fixes. So no fix trades one syntax error for another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .diagnostics import Diagnostic, Fix
from .mend_words import first_edits
from .outline import Outline
from .source import Source, Span

_MOST_EDITS = 24
#: Longer statements are not read again: they may be a whole file.
_LONGEST = 4_000

Region = tuple[int, int]
#: A text -> its first mistake with the edits that would mend it (offsets of that text), or None if it parses.
NextMistake = Callable[[str], "tuple[Diagnostic, tuple[Fix, ...]] | None"]


def proposed(source: Source, found: Outline, diagnostic: Diagnostic) -> Diagnostic:
    """`diagnostic` with the first edits towards its mend, not yet proved."""
    edits = first_edits(source.text, found, diagnostic)
    fixes = tuple(Fix(Span(source.name, start, end), text, safe) for start, end, text, safe in edits)
    return replace(diagnostic, fixes=fixes) if fixes else diagnostic


def proved(source: Source, diagnostic: Diagnostic, regions: Sequence[Region], look: NextMistake) -> Diagnostic:
    """`diagnostic` with all edits that its statement (the `regions`) needs, or without fixes where these are not known."""
    if not diagnostic.fixes:
        return diagnostic
    draft = _Draft.of(source.text, regions, diagnostic.fixes)
    fixes = draft.here(diagnostic.fixes) if draft is not None else None
    made: list[Fix] = []
    while draft is not None and fixes and len(made) < _MOST_EDITS:
        edits = [draft.edit(fix) for fix in sorted(fixes, key=lambda fix: fix.span.start, reverse=True)]
        if None in edits:
            break
        made += [edit for edit in edits if edit is not None]
        following = look(draft.text)
        if following is None:
            return replace(diagnostic, fixes=tuple(sorted(made, key=lambda fix: fix.span.start)))
        fixes = following[1]
    return replace(diagnostic, fixes=())


@dataclass(slots=True)
class _Draft:
    """Part of a text while it is mended. `origin`: where each of its characters stood, -1 for new ones."""

    file: str
    text: str
    origin: list[int]

    @classmethod
    def of(cls, text: str, regions: Sequence[Region], fixes: Sequence[Fix]) -> _Draft | None:
        spans = sorted([*regions, *((fix.span.start, fix.span.end) for fix in fixes)])
        joined: list[list[int]] = []
        for start, end in spans:
            if joined and start <= joined[-1][1] + 1:
                joined[-1][1] = max(joined[-1][1], end)
            else:
                joined.append([start, end])
        if sum(end - start for start, end in joined) > _LONGEST:
            return None
        origin = [at for start, end in joined for at in (*range(start, end), end)]
        chars = [text[at] if at < end else "\n" for start, end in joined for at in (*range(start, end), end)]
        return cls(fixes[0].span.file, "".join(chars), origin)

    def here(self, fixes: Sequence[Fix]) -> tuple[Fix, ...]:
        """Edits of the whole text as edits of the draft."""
        at = {origin: number for number, origin in reversed(list(enumerate(self.origin)))}
        out: list[Fix] = []
        for fix in fixes:
            if fix.span.start not in at or fix.span.end not in at:
                return ()
            out.append(replace(fix, span=Span(self.file, at[fix.span.start], at[fix.span.end])))
        return tuple(out)

    def edit(self, fix: Fix) -> Fix | None:
        """Makes an edit of the draft; the same edit of the whole text, None if it would change what was just put in."""
        start, end = fix.span.start, fix.span.end
        places = self.origin[start:end]
        begin = self._place(start)
        if begin is None or places != list(range(begin, begin + len(places))):
            return None
        self.text = self.text[:start] + fix.replacement + self.text[end:]
        self.origin[start:end] = [-1] * len(fix.replacement)
        return replace(fix, span=Span(self.file, begin, begin + len(places)))

    def _place(self, at: int) -> int | None:
        if at < len(self.origin) and self.origin[at] >= 0:
            return self.origin[at]
        if 0 < at <= len(self.origin) and self.origin[at - 1] >= 0:
            return self.origin[at - 1] + 1
        return None
