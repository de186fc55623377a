"""Statements -> lines.

What fits on a line stays on one. Else a search is broken before its `~` and `|`, brackets one element a line, and at last a
line before `when`, `if`, `else`, `or` and `and`. Every choice depends only on the words, on the comments among them and on
the commas that end a list; the lines it makes have the same ones, so formatting them again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .format_tokens import Comment, Group, Node, Statement, Word, first_word, flat, joined, last_word
from .words import word_set

WIDTH = 100
_STEP = 2
_SHORT_BLOCK = 3

#: Where a statement may go on in the next line, loosest first. The first is the search, with rules of its own.
_LEVELS = tuple(word_set(words) for words in ("TILDE VBAR", "WHEN", "IF ELSE", "OR", "AND"))


@dataclass(eq=False, slots=True)
class Line:
    """`above`: comments in lines of their own, indented by `above_indent`; `blank`: an empty line between them and `text`."""

    indent: int
    text: str
    above: list[Comment] = field(default_factory=list)
    above_indent: int = 0
    trailing: str = ""
    blank: bool = False

    def fits(self) -> bool:
        return self.indent + len(self.text) <= WIDTH

    def no_blanks(self) -> None:
        self.blank = False
        for comment in self.above:
            comment.blank_before = False

    def no_blank_above(self) -> None:
        if self.above:
            self.above[0].blank_before = False
        else:
            self.blank = False


def lay_out(statements: Sequence[Statement], end: Sequence[Comment]) -> str:
    """The text of a whole file."""
    lines = _Layout().body(statements, 0)
    last = Line(0, "", list(end))
    if not lines:
        last.no_blank_above()
    out: list[str] = []
    for line in [*lines, last]:
        for comment in line.above:
            out += (
                ["", " " * line.above_indent + comment.text] if comment.blank_before else [" " * line.above_indent + comment.text]
            )
        if line is not last:
            out += [""] if line.blank else []
            out.append(" " * line.indent + line.text + (f"  {line.trailing}" if line.trailing else ""))
    return "".join(f"{text}\n" for text in out)


def _line(found: Sequence[Word], indent: int, suffix: str = "") -> Line:
    """`found` on one line; comments from its middle go above it."""
    first, last = found[0], found[-1]
    above = list(first.above)
    for before, word in pairwise(found):
        if before.trailing:
            above.append(Comment(before.trailing, False))
        above += [Comment(comment.text, False) for comment in word.above]
    # What stands above a closing bracket stands inside it.
    above_indent = indent + _STEP if first.kind in ("RPAR", "RSQB", "RBRACE") else indent
    return Line(indent, joined(found) + suffix, above, above_indent, last.trailing, first.blank_before)


class _Layout:
    def __init__(self) -> None:
        self._elements: dict[tuple[int, int], list[Line]] = {}

    # -- statements ---------------------------------------------------------------------------------------------------------

    def body(self, statements: Sequence[Statement], indent: int) -> list[Line]:
        out: list[Line] = []
        for statement in statements:
            lines = self.statement(statement, indent)
            if not out:
                lines[0].no_blank_above()
            out += lines
        return out

    def statement(self, statement: Statement, indent: int) -> list[Line]:
        if statement.body is None or statement.close is None:
            return self.unit(statement.nodes, indent, "", 0)
        header = list(flat(statement.nodes))
        short = _on_one_line(statement)
        if short is not None and indent + len(short) <= WIDTH:
            line = _line(header, indent)
            line.text, line.trailing = short, statement.close.trailing
            return [line]
        inner = self.body(statement.body, indent + _STEP)
        close = _line([statement.close], indent)
        close.blank = False
        if not inner:
            close.no_blank_above()
        return [_line(header, indent), *inner, close]

    # -- one statement, element or part of either ------------------------------------------------------------------------------

    def unit(self, nodes: Sequence[Node], indent: int, suffix: str, level: int) -> list[Line]:
        """`nodes` on as many lines as it takes; `level`: the loosest place where it may still be broken."""
        forced = _is_forced(nodes, level)
        if not forced and not _must_break(nodes):
            line = _line(list(flat(nodes)), indent, suffix)
            if line.fits():
                return [line]
        if level == 0 and _is_search(nodes):
            return self.search(nodes, indent, suffix)
        levels = [each for each in range(max(level, 1), len(_LEVELS)) if len(_split(nodes, each)) > 1]
        lines, fits = self.bracketed(nodes, indent, suffix)
        if not levels or (fits and not forced):
            return lines
        parts = _split(nodes, levels[0])
        return self.parts(parts, indent, suffix, levels[0] + 1)

    def parts(self, parts: Sequence[Sequence[Node]], indent: int, suffix: str, level: int) -> list[Line]:
        """Each part on lines of its own, all but the first further to the right."""
        out: list[Line] = []
        for number, part in enumerate(parts):
            tail = suffix if number == len(parts) - 1 else ""
            lines = self.unit(part, indent + _STEP if number else indent, tail, level)
            if number:
                lines[0].no_blanks()
            out += lines
        return out

    def search(self, nodes: Sequence[Node], indent: int, suffix: str) -> list[Line]:
        """`head ~ a | b`: in two lines, or one for each alternative, or with the brackets of a single one opened."""
        head, *alternatives = _split(nodes, 0)
        if head and not _is_search_forced(nodes):
            single = len(alternatives) == 1 and first_word(alternatives[0]).kind == "TILDE"
            has_value = any(isinstance(node, Word) and node.kind in ("EQUAL", "ADDTO") for node in head)
            opened = None
            if single and not _is_forced(head, 1):
                lines, fits = self.bracketed(nodes, indent, suffix)
                opened = lines if fits else None
            if opened is not None and not has_value:
                return opened
            domain = [node for part in alternatives for node in part]
            line = _line(list(flat(domain)), indent + _STEP, suffix)
            if first_word(domain).kind == "TILDE" and line.fits() and not _must_break(domain) and not _is_forced(domain, 1):
                line.no_blanks()
                return [*self.unit(head, indent, "", 1), line]
            if opened is not None:
                return opened
        if head:
            return self.parts([head, *alternatives], indent, suffix, 1)
        out: list[Line] = []
        for number, part in enumerate(alternatives):
            lines = self.unit(part, indent, suffix if number == len(alternatives) - 1 else "", 1)
            if number:
                lines[0].no_blanks()
            out += lines
        return out

    # -- brackets -------------------------------------------------------------------------------------------------------------

    def bracketed(self, nodes: Sequence[Node], indent: int, suffix: str) -> tuple[list[Line], bool]:
        """`nodes` with as many of their groups opened as it takes, the longest first; and whether that was enough."""
        opened = {id(node) for node in nodes if isinstance(node, Group) and node.must_break}
        # Behind `~` and `|` a value begins further to the right, and so does what is in its brackets.
        base = indent + _STEP if first_word(nodes).kind in _LEVELS[0] else indent
        while True:
            runs = _runs(nodes, opened)
            lines = [_line(run.words, base if n else indent, "" if run.opens else suffix) for n, run in enumerate(runs)]
            long = next((run for line, run in zip(lines, runs, strict=True) if not line.fits() and run.closed), None)
            if long is None:
                break
            opened.add(id(max(long.closed, key=lambda group: group.width)))
        out: list[Line] = []
        for number, (line, run) in enumerate(zip(lines, runs, strict=True)):
            if number:
                line.blank = False
            out.append(line)
            if run.opens is not None:
                out += self.elements(run.opens, base + _STEP)
                if not run.opens.elements:
                    lines[number + 1].no_blank_above()
        return out, all(line.fits() for line in lines)

    def elements(self, group: Group, indent: int) -> list[Line]:
        """One element a line. Kept, since a group is looked at again when its surroundings are broken otherwise."""
        key = (id(group), indent)
        if key not in self._elements:
            out: list[Line] = []
            for element in group.elements:
                lines = self.unit(element, indent, ",", 0)
                if not out:
                    lines[0].no_blank_above()
                out += lines
            self._elements[key] = out
        return self._elements[key]


@dataclass(eq=False, slots=True)
class _Run:
    """The words of one line around opened groups. `closed`: the groups in it that could be opened; `opens`: the one at its end."""

    words: list[Word]
    closed: list[Group] = field(default_factory=list)
    opens: Group | None = None


def _runs(nodes: Sequence[Node], opened: set[int]) -> list[_Run]:
    runs = [_Run([])]
    for node in nodes:
        run = runs[-1]
        if isinstance(node, Word):
            run.words.append(node)
        elif id(node) in opened:
            run.words.append(node.open)
            run.opens = node
            runs.append(_Run([node.close]))
        else:
            run.words += flat([node])
            if node.elements:
                run.closed.append(node)
    return runs


# -- what a text asks for ------------------------------------------------------------------------------------------------------


def _on_one_line(statement: Statement) -> str | None:
    """A block of a few settings that was written on one line, as that line."""
    if statement.body is None:
        return None if _must_break(statement.nodes) or _comments_in(statement.nodes) else joined(list(flat(statement.nodes)))
    if not statement.on_one_line or len(statement.body) > _SHORT_BLOCK or statement.close is None or statement.close.above:
        return None
    if _must_break(statement.nodes) or last_word(statement.nodes).trailing:
        return None
    inner = [_on_one_line(each) for each in statement.body]
    texts = [text for text in inner if text is not None]
    if len(texts) < len(inner):
        return None
    return f"{joined(list(flat(statement.nodes)))} {', '.join(texts)}{' ' if texts else ''}}}"


def _comments_in(nodes: Sequence[Node]) -> bool:
    return any(word.has_comment for word in flat(nodes))


def _must_break(nodes: Sequence[Node]) -> bool:
    return any(isinstance(node, Group) and node.must_break for node in nodes)


def _split(nodes: Sequence[Node], level: int) -> list[list[Node]]:
    """`nodes` cut before the words of a level, outside all brackets. Only a search begins with an empty part."""
    parts: list[list[Node]] = [[]]
    depth = 0
    for node in nodes:
        if isinstance(node, Word):
            if depth == 0 and node.kind in _LEVELS[level] and (parts[-1] or level == 0):
                parts.append([])
            depth += (node.kind in ("LPAR", "LSQB")) - (node.kind in ("RPAR", "RSQB"))
        parts[-1].append(node)
    return parts


def _is_search(nodes: Sequence[Node]) -> bool:
    return len(_split(nodes, 0)) > 1


def _is_forced(nodes: Sequence[Node], level: int) -> bool:
    """Whether a comment stands where the text can be broken, so that it is broken there."""
    if level == 0 and _is_search(nodes) and _is_search_forced(nodes):
        return True
    for each in range(max(level, 1), len(_LEVELS)):
        parts = _split(nodes, each)
        for before, part in pairwise(parts):
            if last_word(before).trailing or first_word(part).above:
                return True
    return False


def _is_search_forced(nodes: Sequence[Node]) -> bool:
    """A comment behind the head, or anywhere among the alternatives but inside their brackets and at the very end."""
    head, *alternatives = _split(nodes, 0)
    if head and last_word(head).trailing:
        return True
    last = last_word(nodes)
    if not head:
        # Its comments go above the line of the first alternative, which is where they are found the next time.
        first, *alternatives = alternatives
        if alternatives and last_word(first).trailing:
            return True
    for node in (node for part in alternatives for node in part):
        open, close = (node, node) if isinstance(node, Word) else (node.open, node.close)
        if open.above or (close.trailing and close is not last):
            return True
    return False
