"""Habits of other languages, and lines whose shape is no statement's: rules like those of `mistakes.py`."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from .diagnostics import Diagnostic
from .literals import UNITS
from .outline import Word
from .situation import BINDS, CLOSERS, OPENERS, Rule, Situation, Verdict, say, top_level_signs
from .source import Span
from .words import SIGNS, STATEMENTS

#: Units as they are written elsewhere.
UNITS_MEANT = {
    **dict.fromkeys(("m", "mins", "minutes"), "min"),
    **dict.fromkeys(("sec", "secs", "seconds"), "s"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("G", "g", "gb"), "GiB"),
}
_ARROWS = {"<-": "=", "=>": "=", "->": "=", "=~": "~", "~=": "~", "-=": "=", "++": "=", "--": "="}
_WORDS = {"by": "step", "every": "step", "where": "when", "unless": "when not", "if": "when"}
_SCALES = frozenset({"log_uniform", "loguniform", "log_uniform_values", "logarithmic", "logscale", "log10", "logspace"})
_TYPES = frozenset({"int", "float", "integer", "real", "uniform", "linear", "range"})
_OPERATORS = SIGNS - BINDS - {"|", ".."}


def _comment(s: Situation) -> Verdict | None:
    """`// ...` and `-- ...`, at the start of a line or behind a value."""
    for number, word in enumerate(s.words[: s.index + 2]):
        following = s.words[number + 1] if number + 1 < len(s.words) else None
        text = s.source.text
        before = text[text.rfind("\n", 0, word.start) + 1 : word.start]
        is_dashes = word.text == "-" and following is not None and following.text == "-" and following.start == word.end
        end = following.end if is_dashes and following is not None else word.end
        if word.text == "/" and following is not None and following.text in ("*", "**") and following.start == word.end:
            diagnostic = Diagnostic("AM009", "comments begin with `#`", Span(s.source.name, word.start, following.end))
            return Verdict(replace(diagnostic, help="write `#`; a comment goes to the end of its line"))
        if word.text != "//" and not is_dashes:
            continue
        rest = text[end : text.find("\n", end) if "\n" in text[end:] else len(text)]
        is_prose = re.match(r"[ \t]*[A-Za-z_]+[ \t]+[A-Za-z_]", rest) is not None
        if not before.strip() or (is_prose and word.text == "//" and "\n" not in text[end : s.at]):
            diagnostic = Diagnostic("AM009", "comments begin with `#`", Span(s.source.name, word.start, end), help="write `#`")
            return Verdict(diagnostic)
    return None


def _prefix(s: Situation) -> Verdict | None:
    """`f"..."`, `r"..."` and `b"..."`."""
    previous, word = s.previous, s.word
    if previous is None or word is None or word.kind != "string" or previous.end != word.start or previous.kind != "name":
        return None
    if previous.text.lower() not in ("f", "r", "b", "u", "rf", "fr"):
        return None
    help = f'leave the `{previous.text}` out; a variable is written `"{{name}}"`'
    return say(s, "AM024", "a string has no letter before it", previous, help)


def _to(s: Situation) -> Verdict | None:
    """`1 to 5`, `1 - > 5`: a range in words."""
    previous, word = s.previous, s.word
    if previous is None or word is None or previous.kind != "number" or word.text not in ("to", "until", "through", ":"):
        return None
    following = s.words[s.index + 1] if s.index + 1 < len(s.words) else None
    if following is None or (following.kind != "number" and following.text != "-") or (word.text == ":" and "~" not in s.signs()):
        return None
    return say(s, "AM024", "a range is written with two points", word, "write `..`")


def _percent(s: Situation) -> Verdict | None:
    """`50%` with nothing behind it in its line."""
    text = s.source.text
    for at, (number, sign) in enumerate(pairwise(s.words[: s.index + 1]), 2):
        if sign.text != "%" or number.kind != "number" or number.end != sign.start:
            continue
        following = s.words[at] if at < len(s.words) else None
        is_last = following is None or "\n" in text[sign.end : following.start]
        if is_last or (following is not None and following.text in CLOSERS | {",", "|", "~", ".."}):
            value = float(number.text.replace("_", "")) / 100
            verdict = say(s, "AM020", "a percentage is written as a fraction", sign, f"write `{value!r}`")
            return Verdict(verdict.diagnostic, ((s.statement.start, sign.end),)) if is_last and following else verdict
    return None


def _guarded_rule(s: Situation) -> Verdict | None:
    """`require m.k < 3 when m is A`"""
    first = s.words[0].text
    if first not in ("require", "ensure") or s.text != "when" or s.word is None or s.brackets or s.previous is None:
        return None
    rule = s.source.text[s.words[1].start : s.previous.end]
    condition = s.source.text[s.word.end : s.words[-1].end].strip()
    help = "say what else may hold: `require m is B or m.k < 3`"
    if len(condition) + len(rule) < 80 and "\n" not in condition + rule and condition and "because" not in condition:
        help = f"write `{first} not ({condition}) or {rule}`"
    return say(s, "AM024", f"`{first}` has no `when`", s.word, f"{help}; what reads an absent parameter holds")


def _arrow(s: Situation) -> Verdict | None:
    """`<-`, `=>`, `=~` and the like."""
    for first, second in pairwise(s.words[max(0, s.index - 1) : s.index + 2]):
        sign = first.text + second.text
        if first.kind == second.kind == "sign" and first.end == second.start and sign in _ARROWS and not s.brackets:
            names = s.words[: s.words.index(first)]
            if not names or any(word.kind not in ("name", "string") and word.text != "." for word in names):
                return None
            span = Span(s.source.name, first.start, second.end)
            return Verdict(Diagnostic("AM005", f"there is no sign `{sign}`", span, help=f"write `{_ARROWS[sign]}`"))
    return None


def _word_of_another(s: Situation) -> Verdict | None:
    """`1..9 by 2`, `1..9 if x`, `logarithmic 1..9`, `12 hours`, `1..9 log`, `1..9 default 2`."""
    previous, word = s.previous, s.word
    if previous is None or word is None or s.statement.words[0].text in ("require", "ensure"):
        return None
    signs = s.signs()
    if previous.kind == "number" and word.kind == "name":
        unit = word.text if word.text in UNITS else UNITS_MEANT.get(word.text)
        if unit is not None and previous.end < word.start:
            return say(s, "AM020", "a unit touches its number", word, f"write `{previous.text}{unit}`")
    if "~" in signs and ".." in signs and word.kind == "name":
        if s.text in _WORDS:
            return say(s, "AM024", f"`{s.text}` is not written here", word, f"write `{_WORDS[s.text]}`")
        if s.text in ("default", "initial", "init", "start", "baseline"):
            return say(s, "AM001", "the value to start from stands before `~`", word, f"write `{s.name()} = baseline ~ ...`")
        if s.text.startswith("log"):
            return say(s, "AM024", "`log` stands before its range", word, "write `log 1e-5..1e-2`")
    if previous.kind == "name" and word.kind == "number" and "~" in signs and ".." not in signs:
        if previous.text.lower() in _SCALES:
            return say(s, "AM024", f"the scale of a range is not called `{previous.text}`", previous, "write `log`")
        if previous.text.lower() in _TYPES:
            help = f"leave the `{previous.text}` out: a range of whole numbers is `1..3`, of others `1.0..3.0`"
            return say(s, "AM024", "no type stands before a range", previous, help)
    return None


def _braces(s: Situation) -> Verdict | None:
    """`{1, 2, 4}` and `{a = 1}`."""
    if s.bracket != "{" or s.word is None:
        return None
    if s.text == "=" and s.previous is not None and s.previous.kind in ("name", "string"):
        return say(s, "AM005", "in `{ }` a `:` stands between key and value", s.word, "write `:`")
    if s.word.kind == "number" and s.previous is s.words[s.brackets[-1]]:
        help = "alternatives are written `~ 1 | 2 | 4`, a list `[1, 2, 4]`"
        return say(s, "AM014", "`{ }` holds keys and their values", s.word, help)
    return None


def _half_range(s: Situation) -> Verdict | None:
    """`1e-4..`, `..5`, `log 1e-4`."""
    previous = s.previous
    if previous is not None and previous.text == ".." and (s.word is None or s.text in CLOSERS | {",", "|", "step", "~", "when"}):
        return say(s, "AM007", "a range has two ends; the second is missing", previous, "write `1e-5..1e-2`, both ends included")
    if s.text == ".." and previous is not None and previous.text in ("~", "|", "=", "log", "(", ","):
        return say(s, "AM007", "a range has two ends; the first is missing", s.word, "write `1e-5..1e-2`, both ends included")
    names = [word.text for word in s.segment]
    if "log" in names and ".." not in names and (s.word is None or s.text in CLOSERS | {",", "|"}) and "~" in names:
        at = len(names) - 1 - names[::-1].index("log")
        if 0 < at < len(names) - 1 and names[at - 1] in ("~", "|"):
            return say(s, "AM007", "`log` is the scale of a range, which has two ends", s.segment[at], "write `log 1e-5..1e-2`")
    return None


def _start(s: Situation) -> Verdict | None:
    """A statement that begins with what cannot begin one."""
    if not s.is_file or s.index != 0 or s.word is None:
        return None
    text = s.source.text
    line = text[text.rfind("\n", 0, s.word.start) + 1 : s.word.start].rstrip()
    if line and line[-1] not in ",{":
        span = Span(s.source.name, s.word.start, s.word.start)
        return Verdict(Diagnostic("AM024", "a new statement begins a line", span, help="write it in the next line"))
    if s.text in BINDS:
        return say(s, "AM007", f"a name is missing before `{s.text}`", s.word)
    if s.text in ("-", "*") and len(s.words) > 1 and s.words[1].kind in ("name", "string"):
        return say(s, "AM010", f"a statement does not begin with `{s.text}`", s.word, "a list is written `[a, b, c]`")
    if s.word.kind in ("number", "sign") and s.text not in OPENERS | CLOSERS:
        shown = s.source.text[s.word.start : s.word.end]
        help = "a statement begins with the name of what it sets or searches: `x = 3`, `x ~ 1 | 2`"
        return say(s, "AM010", f"a statement does not begin with `{shown}`", s.word, help)
    return None


def _target(s: Situation) -> Verdict | None:
    """What stands before `=` or `~` is no name; or there is no such sign at all."""
    if not s.is_file or s.brackets or s.signs() & BINDS or s.words[0].text in STATEMENTS or not s.index:
        return None
    binds = top_level_signs(s.statement) & BINDS
    before = s.words[: s.index]
    names = all(word.kind in ("name", "string") or word.text == "." for word in before)
    if binds and names and (s.text in BINDS or (s.word is not None and s.word.kind in ("name", "string", "number"))):
        shown = " ".join(word.text for word in s.words[: _first_bind(s.words)])
        if s.previous is not None and s.previous.text == ".":
            return say(s, "AM021", "a name is missing after `.`", s.previous)
        help = "a name is one word; words are joined with `_`, places with `.`"
        return say(s, "AM021", f"`{shown[:40]}` is not one name", s.words[0], help)
    if names and s.text in _OPERATORS:
        if binds:
            return say(s, "AM021", f"`{s.text}` cannot stand in a name", s.word, "words are joined with `_`, places with `.`")
        return say(s, "AM025", "this line computes something and sets nothing", s.word, f"write `{s.name()} = ...`")
    return None


def _first_bind(words: list[Word]) -> int:
    return next((number for number, word in enumerate(words) if word.text in BINDS and word.kind == "sign"), len(words))


def _second_sign(s: Situation) -> Verdict | None:
    """A second `~`; a name for a list's item; an index of several values."""
    signs = s.signs()
    if s.text == "~" and "~" in signs:
        return say(s, "AM002", "a search has one `~`; alternatives are separated by `|`", s.word, "write `|`")
    if s.text in ("=", "+=") and s.bracket == "[":
        return say(s, "AM021", "an item of a list has no name", s.word, "arguments stand in `( )`: `C(a = 1)`")
    if s.text == "," and s.bracket == "[":
        opener = s.words[s.brackets[-1]]
        before = s.words[s.brackets[-1] - 1] if s.brackets[-1] else None
        if before is not None and before.kind == "name" and before.end == opener.start:
            help = f"a list for `{before.text}` is written `{before.text} = [...]`"
            return say(s, "AM023", "an index is one value", s.word, help)
    return None


def _in_numbers(s: Situation) -> Verdict | None:
    """`0 .5`, `1_000,5`, `1e` and the like."""
    previous, word = s.previous, s.word
    if previous is None or word is None or s.index < 2:
        return None
    number = s.words[s.index - 2]
    if previous.text == "." and word.kind == "number" and number.kind == "number":
        return say(s, "AM020", "a number has no blanks in it", previous, f"write `{number.text}.{word.text}`")
    return None


#: Before those of `mistakes.py`.
EARLY: tuple[Rule, ...] = (
    _comment,
    _arrow,
    _prefix,
    _to,
    _percent,
    _guarded_rule,
    _word_of_another,
    _half_range,
    _braces,
)
#: After them, when nothing more particular was found.
LATE: tuple[Rule, ...] = (_second_sign, _in_numbers, _target, _start)
