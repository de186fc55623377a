"""From the place where a parse failed to what the author probably meant.

The parser's states say little about that: one mistake fails in many of them. So the words of the statement at fault are
looked at instead, by the rules of `mistakes.py`; what none of them knows becomes "unexpected ..., expected ...".
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace

import lark

from .diagnostics import Diagnostic, Secondary
from .expected import expectation
from .outline import BracketProblem, Outline, Statement, Word, indent_of, outline, words_of
from .situation import Situation
from .source import Source, Span
from .words import STATEMENTS

_CLOSER = {"(": ")", "[": "]", "{": "}"}
_QUOTES = 'strings use double quotes: "..."'
_STRANGE = {
    **dict.fromkeys("'\u2018\u2019\u201c\u201d`", _QUOTES),
    ";": "a statement ends with its line, or at a comma inside { }",
    "&": "both conditions: `and`",
    "!": "the opposite: `not`",
    "^": "a power is `**`",
    "\\": "a statement goes on inside brackets, after an operator, and in a line that begins with `|` or `~`",
    "\u2026": "a range is written `1..3`",
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "write a plain `-`"),
    "\u2264": "write `<=`",
    "\u2265": "write `>=`",
    "\u2260": "write `!=`",
    "\u00d7": "write `*`",
    "\u00b7": "write `*`",
    "$": 'a value is read by its name, `base.lr`; a variable is written in a string: "{NAME}"',
    "?": "one of two values is `a if condition else b`",
    "\u2208": "a value is searched with `~`",
    "\u223c": "a value is searched with `~`",
    "@": "an attribute is written `@name`, without a blank",
    "\r": "end lines with LF or CR LF",
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """A diagnostic, and the parts of the text to leave out of the next round. `context`: what else its mend has to look at."""

    diagnostic: Diagnostic
    regions: tuple[tuple[int, int], ...]
    context: tuple[tuple[int, int], ...] = ()


def find_before_parsing(source: Source) -> Mistake | None:
    """The first mistake in the words themselves: a strange character, an open string, a bracket without its partner."""
    found = outline(source.text)
    mistake = _before_parsing(source, found)
    if mistake is None:
        return None
    from .mends import proposed  # only a file with mistakes needs it

    return replace(mistake, diagnostic=proposed(source, found, mistake.diagnostic))


def _before_parsing(source: Source, found: Outline) -> Mistake | None:
    bracket = found.problems[0] if found.problems else None
    word = _bad_word(source, found)
    if word is not None and (bracket is None or word.span.start <= bracket.word.start or _explains(source, found, word, bracket)):
        line_end = source.text.find("\n", word.span.start)
        rest = (word.span.start, len(source.text) if line_end < 0 else line_end)
        return Mistake(word, _region(source.text, found, word.span.start), (rest,) if word.code == "AM017" else ())
    if bracket is not None:
        return _bracket_mistake(source, found, bracket)
    return None


def explain(source: Source, error: lark.UnexpectedInput, start: str) -> Mistake:
    """What is wrong where the parser stopped. `start` is the entry point of the grammar."""
    at = error.pos_in_stream if isinstance(error, lark.UnexpectedCharacters) else None
    if isinstance(error, lark.UnexpectedToken):
        at = error.token.start_pos
        if error.token.type == "$END":
            at = None
    found = outline(source.text)
    if at is None:
        at = len(source.text.rstrip())
    statement = found.statement_at(at)
    if statement is None:
        span = Span(source.name, 0, 0)
        return Mistake(Diagnostic("AM007", "there is nothing here", span), ((0, len(source.text)),))
    situation = Situation(source, found, statement, at, start == "start")
    from .mends import proposed
    from .mistakes import RULES

    for rule in RULES:
        verdict = rule(situation)
        if verdict is not None:
            context = _of_statement(found.statement_at(verdict.diagnostic.span.start) or statement) if verdict.regions else ()
            return Mistake(proposed(source, found, verdict.diagnostic), verdict.regions or _of_statement(statement), context)
    expected = expectation(error)
    shown = f"`{situation.word.text}`" if situation.word else "end of line" if situation.is_file else "end of text"
    message = f"unexpected {shown}" + (f", expected {expected}" if expected else "")
    return Mistake(Diagnostic("AM009", message, situation.span()), _of_statement(statement))


# -- words ------------------------------------------------------------------------------------------------------------------


def _bad_word(source: Source, found: Outline) -> Diagnostic | None:
    touching = _touching_hash(source)
    for word in found.words:
        if touching is not None and touching.span.start < word.start:
            return touching
        if word.kind == "open_string":
            span = Span(source.name, word.start, word.start + 1)
            return Diagnostic("AM003", "this string is never closed", span, "opened here", 'add `"` in the same line')
        if word.kind == "strange":
            return _strange(source, word)
    return touching


def _strange(source: Source, word: Word) -> Diagnostic:
    char = word.text
    shown = char if char.isprintable() and not char.isspace() else f"U+{ord(char):04X} {unicodedata.name(char, 'CONTROL')}"
    help = _STRANGE.get(char, "")
    if not help and (char.isalpha() or char.isdigit()):
        help = "names are made of the letters a to z and A to Z, digits and `_`; any text may stand in a string"
    elif not help and char.isspace():
        help = "write a plain blank"
    return Diagnostic("AM008", f"unexpected character `{shown}`", Span(source.name, word.start, word.end), help=help)


def _touching_hash(source: Source) -> Diagnostic | None:
    """`Scale#Mine`, the name of an instance in a legacy file, must not become a silent comment."""
    before: Word | None = None
    previous: Word | None = None
    for word in words_of(source.text):
        is_unit = before is not None and previous is not None and before.kind == "number" and before.end == previous.start
        if (
            word.kind == "comment"
            and previous is not None
            and previous.kind == "name"
            and previous.end == word.start
            and not is_unit
        ):
            instance = word.text[1:].split()[0].split(".")[0] if word.text[1:].split() else ""
            span = Span(source.name, word.start, word.start + 1)
            help = f'the instance is addressed `["{instance}"]`; ' if instance and not word.text[1].isspace() else ""
            return Diagnostic("AM017", "`#` touches a name", span, help=f"{help}a comment needs a blank before it")
        before, previous = previous, word
    return None


# -- brackets ---------------------------------------------------------------------------------------------------------------


def _explains(source: Source, found: Outline, word: Diagnostic, bracket: BracketProblem) -> bool:
    """Whether a bracket is open only because its partner stands in a string that is not closed, or the like."""
    start, end = found.paragraph(source.text, bracket.statement_start)
    return bracket.kind == "unclosed" and start <= word.span.start < end


def _section_without_brace(source: Source, found: Outline, closer: Word) -> Statement | None:
    """The statement whose missing `{` would be closed by `closer`."""
    indent = indent_of(source.text, closer.start)
    for statement in reversed(found.statements):
        is_label = all(word.kind in ("name", "string") or word.text == "." for word in statement.words)
        if statement.words[0].text in (*STATEMENTS, "automl"):
            continue
        if statement.start < closer.start and is_label and indent_of(source.text, statement.start) == indent:
            return statement
    return None


def _bracket_mistake(source: Source, found: Outline, problem: BracketProblem) -> Mistake:
    word = problem.word
    span = Span(source.name, word.start, word.end)
    if problem.kind == "unclosed":
        closer = _CLOSER[word.text]
        diagnostic = Diagnostic("AM003", f"this `{word.text}` is never closed", span, "opened here", f"add `{closer}`")
    elif problem.opener is not None:
        opener = problem.opener
        also = (Secondary(Span(source.name, opener.start, opener.end), "opened here"),)
        message = f"`{word.text}` cannot close `{opener.text}`"
        diagnostic = Diagnostic("AM004", message, span, help=f"write `{_CLOSER[opener.text]}`", secondary=also)
    elif word.text == "}" and (section := _section_without_brace(source, found, word)) is not None:
        last = section.words[-1]
        shown = " ".join(source.text[section.start : section.end].split())
        at = Span(source.name, last.start, last.end)
        also = (Secondary(span, "closed here"),)
        diagnostic = Diagnostic("AM003", "a section opens with `{`", at, help=f"write `{shown} {{`", secondary=also)
        return Mistake(diagnostic, ((section.start, section.end), (word.start, word.end)))
    else:
        diagnostic = Diagnostic("AM004", f"this `{word.text}` closes nothing", span, help="remove it, or open it before")
        if problem.statement_start == word.start:
            return Mistake(diagnostic, ((word.start, word.end),))
    if problem.kind == "unclosed" and word.text == "{" and any(each.end == word.end for each in found.statements):
        return Mistake(diagnostic, ((problem.statement_start, word.end),))  # a block: its body stays
    return Mistake(diagnostic, (found.paragraph(source.text, problem.statement_start),))


def _region(text: str, found: Outline, offset: int) -> tuple[tuple[int, int], ...]:
    statement = found.statement_at(offset)
    if statement is None:
        return ((offset, offset + 1),)
    return (found.paragraph(text, statement.start),) if found.problems else _of_statement(statement)


def _of_statement(statement: Statement) -> tuple[tuple[int, int], ...]:
    regions = [(statement.start, statement.end)]
    if statement.closing is not None:
        regions.append((statement.closing.start, statement.closing.end))
    return tuple(regions)
