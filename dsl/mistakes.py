"""The mistakes people make, each recognised by the words around the place where the parse failed.

A rule looks at a `Situation` and gives a `Verdict` or None; the first verdict counts. To teach the language a new message,
add a rule and a line in tests/dsl/test_syntax_errors.py.
"""

from __future__ import annotations

from itertools import pairwise

from .diagnostics import Diagnostic, nearest
from .habits import EARLY, LATE, UNITS_MEANT
from .literals import UNITS
from .outline import Word
from .situation import BINDS, CLOSERS, OPENERS, Rule, Situation, Verdict, say, top_level_signs
from .source import Span
from .words import CONTINUES_BEFORE, SIGNS, STATEMENTS, word_set

#: Signs and words that need a value behind them.
_NEEDS_VALUE = SIGNS | word_set("and or not in is if else when step log because before")
#: Of these, the ones that cannot themselves begin a value.
_ONLY_BETWEEN = _NEEDS_VALUE - {"-", "not", "log"}
_DOUBLE_BAR = "`|` separates alternatives, `or` joins conditions"
_NOT_STATEMENTS = {
    "for": "a list is counted out with `[i for i in 1..3]`",
    "when": "a condition stands behind what it governs: `x ~ 1..5 when m is A`",
    "if": "a condition stands behind what it governs: `x ~ 1..5 when m is A`",
    "import": 'a layer below is named with `use "base.automl"`',
    "include": 'a layer below is named with `use "base.automl"`',
    "from": 'a layer below is named with `use "base.automl"`',
    "while": "there are no loops; a list is counted out with `[i for i in 1..3]`",
    "profile": "a second file that begins with `use` does it",
    "search": "a value is searched with `~`: `x ~ 1 | 2`",
    **dict.fromkeys(("assert", "constraint", "constrain", "condition"), "a rule is written `require a * b <= 64`"),
    **dict.fromkeys(("objective", "metric", "goal", "optimize"), "what counts is named with `maximize dice` or `minimize loss`"),
    **dict.fromkeys(("const", "var", "set", "param", "parameter"), "a value needs no word before its name; a shared one has `let`"),
    "return": "a `def` is what stands after its `=`: `def f(x) = x + 1`",
}


def _edition(s: Situation) -> Verdict | None:
    if s.words[0].text == "automl" and s.is_file and "\n" not in s.source.text[s.words[0].start : s.span().start]:
        return say(s, "AM012", "the edition line is `automl 1`, and the first of its file", s.words[0])
    return None


def _value_on_next_line(s: Situation) -> Verdict | None:
    """`x =` and then a line that is a statement of its own."""
    first = s.index if s.word is not None else len(s.words) - 1
    while first > 0 and "\n" not in s.source.text[s.words[first - 1].end : s.words[first].start]:
        first -= 1
    if first == 0 or any(opener < first for opener in s.brackets):
        return None
    before, line = s.words[first - 1], s.words[first:]
    if before.kind != "sign" or before.text not in _NEEDS_VALUE or not _looks_like_statement(line):
        return None
    verdict = say(s, "AM007", f"a value is missing after `{before.text}`", before)
    return Verdict(verdict.diagnostic, ((s.statement.start, before.end),))


def _looks_like_statement(line: list[Word]) -> bool:
    if line[0].kind != "name":
        return False
    if line[0].text in STATEMENTS:
        return True
    for word, following in pairwise(line):
        if following.text in BINDS or following.text == "{":
            return True
        if following.kind in ("name", "string") and word.text != ".":
            return line[-1].text == "{"
        if following.kind not in ("name", "sign") or (following.kind == "sign" and following.text != "."):
            return False
    return False


def _missing_value(s: Situation) -> Verdict | None:
    previous = s.previous
    if previous is None or (s.word is not None and s.text not in _ONLY_BETWEEN | CLOSERS | {","}):
        return None
    if previous.kind == "sign" and previous.text in _NEEDS_VALUE:
        if s.text == previous.text == "|":
            return say(s, "AM015", "there is no `||`", s.word, _DOUBLE_BAR)
        return say(s, "AM007", f"a value is missing after `{previous.text}`", previous)
    if s.index == 1 and s.is_file and previous.text in STATEMENTS and s.text not in BINDS:
        what = {"use": "a file name", "let": "a name", "def": "a name"}.get(previous.text, "a condition or value")
        return say(s, "AM007", f"{what} is missing after `{previous.text}`", previous)
    if s.index > 1 and previous.kind == "name" and previous.text in _NEEDS_VALUE and s.words[s.index - 2].text != ".":
        return say(s, "AM007", f"a value is missing after `{previous.text}`", previous)
    return None


def _incomplete(s: Situation) -> Verdict | None:
    """Forms that begin with a word and want a certain other one."""
    if s.is_file and s.words[0].text == "use" and s.index == 1 and s.word is not None and s.text not in BINDS | {":"}:
        return say(s, "AM009", "`use` is followed by a string", s.word, 'write `use "base.automl"`')
    if any(word.text == "lambda" for word in s.segment):
        return say(
            s, "AM009", "there are no functions inside values", s.word, "`def f(i) = ...` makes one; legacy text is a string"
        )
    words = [word.text for word in s.segment if word.kind == "name"]
    if "if" in words and "else" not in words and "for" not in words and (s.word is None or s.text in CLOSERS | {",", "~", "|"}):
        return say(s, "AM007", "`else` and a value are missing", s.previous, "write `a if condition else b`; a condition is `when`")
    return None


def _comma(s: Situation) -> Verdict | None:
    """`x ~ 1, 2`: directly inside a block the comma ended the statement."""
    if not s.is_file or s.statement.separator is None or s.statement.opens_block() or top_level_signs(s.statement) & BINDS:
        return None
    if s.words[0].text in STATEMENTS or _is_misspelt_statement(s.words):
        return None
    chain = [s.statement]
    while (before := s.outline.before(chain[0])) is not None and chain[0].separator is not None:
        chain.insert(0, before)
        signs = top_level_signs(before)
        if not signs & BINDS:
            continue
        comma = chain[1].separator
        if comma is None:
            return None
        position = next(i for i, each in enumerate(s.outline.statements) if each is s.statement)
        end = s.statement.end
        for following in s.outline.statements[position + 1 :]:
            if following.separator is None or top_level_signs(following) & BINDS:
                break
            end = following.end
        whole, part = before.words[-1], chain[1].words[0]
        is_decimal = whole.end == comma.start and comma.end == part.start and whole.text.isdigit() and part.text.isdigit()
        if is_decimal and ".." in {each.text for each in (*before.words, *chain[1].words)}:
            verdict = say(s, "AM020", "a number has a point, not a comma", comma, f"write `{whole.text}.{part.text}`")
        elif "~" in signs:
            verdict = say(s, "AM002", "alternatives are separated by `|`", comma, "write `a | b | c`")
        else:
            verdict = say(s, "AM023", "several values are a list", comma, "write `[a, b, c]`")
        return Verdict(verdict.diagnostic, ((comma.start, end),))
    return None


def _colon(s: Situation) -> Verdict | None:
    if s.text != ":" or s.bracket not in ("", "call("):
        return None
    following = s.words[s.index + 1].text if s.index + 1 < len(s.words) else ""
    first = s.words[0].text
    if s.index == 1 and first in STATEMENTS:
        return say(s, "AM005", f"no `:` stands after `{first}`", s.word, "leave the `:` out")
    if following in ("int", "float", "str", "bool", "Int", "Float") and not s.brackets:
        return say(s, "AM005", "no type stands beside a value", s.word, f"leave `: {following}` out: `3` is whole, `3.0` is not")
    if not following and first == "def":
        return say(s, "AM005", "a `def` is one value after `=`", s.word, "write `def f(x) = x + 1`")
    if not following and not s.brackets:
        help = f"what is indented below belongs to nothing: write `{s.name()} {{ ... }}`"
        return say(s, "AM005", "bindings use `=`; `:` belongs to dict literals", s.word, help)
    fix = f"{s.name()} {{ ... }}" if following == "{" and s.bracket == "" else f"{s.name()} = ..."
    return say(s, "AM005", "bindings use `=`; `:` belongs to dict literals", s.word, f"write `{fix}`")


def _range_with_equals(s: Situation) -> Verdict | None:
    signs = s.signs()
    after_log = s.previous is not None and s.previous.text == "log" and s.word is not None and s.text not in _ONLY_BETWEEN
    if s.text != ".." and not (after_log and s.bracket != "[") and not (s.text == "step" and ".." not in signs):
        return None
    if "~" not in signs and signs & {"=", "+="}:
        name = s.name()
        help = f"write `{name} ~ ...`, or `{name} = baseline ~ ...`"
        return say(s, "AM001", "`=` fixes a value; a range is searched with `~`", s.word if s.text else s.previous, help)
    if s.text == ".." and s.is_file and not s.brackets and not signs & BINDS:
        return say(s, "AM020", "one point joins the steps of a path", s.word, "write `.`")
    if s.text == ".." and s.bracket == "call(" and s.words[s.brackets[-1] - 1].text == "log":
        log = s.words[s.brackets[-1] - 1]
        return say(s, "AM016", "`log` is the scale of a range, not a function", log, "write `log 1e-5..1e-2`")
    if s.text == ".." and ".." in signs:
        return say(s, "AM001", "a range has two ends", s.word, "a step is written `0.1..0.5 step 0.2`")
    if s.text == "..":
        help = "a range stands after `~` or `|` without brackets, or is counted out: `[i for i in 1..3]`"
        return say(s, "AM001", "a range is searched, it is not a value", s.word, help)
    return None


def _bar_with_equals(s: Situation) -> Verdict | None:
    if s.text != "|" or "~" in s.signs():
        return None
    following = s.words[s.index + 1 : s.index + 2]
    if following and following[0].text == "|":
        return say(s, "AM015", "there is no `||`", s.word, _DOUBLE_BAR)
    if "=" in s.signs():
        name = s.name()
        help = f"write `{name} ~ ... | ...`"
        return say(s, "AM001", "`=` fixes a value; alternatives are searched with `~`", s.word, help)
    if s.bracket == "[":
        return say(s, "AM001", "alternatives are searched with `~`", s.word, "write `[~ a | b]`")
    return say(s, "AM001", "alternatives stand after `~`", s.word, "write `x ~ a | b`")


def _equals(s: Situation) -> Verdict | None:
    first = s.words[0].text
    if s.text == "==" and s.index and not s.brackets and all(w.kind in ("name", "string") or w.text == "." for w in s.segment):
        return say(s, "AM005", "bindings use `=`; `==` compares", s.word, f"write `{s.name()} = ...`")
    if s.text not in BINDS:
        return None
    if s.is_file and s.index == 1 and first in STATEMENTS:
        message = f"`{first}` is a word of the language and cannot be a key by itself"
        return say(s, "AM021", message, s.words[0], f'write `"{first}" {s.text} ...`')
    if s.text == "=" and "~" in s.signs() and not s.signs() & {"when", "if", "and", "or"} and first not in ("require", "ensure"):
        if s.previous is not None and s.previous.text == "step":
            return say(s, "AM006", "`step` takes no `=`", s.word, "leave the `=` out")
        help = f"write `{s.name()} = baseline ~ ...`"
        return say(s, "AM001", "the value to start from stands before `~`", s.word, help)
    if s.text == "=" and (
        first in ("require", "ensure", "maximize", "minimize") or s.signs() & {"=", "+=", "~", "when", "if", "and", "or"}
    ):
        return say(s, "AM006", "equality is `==`", s.word, "write `a == b`")
    return None


def _with_point(number: str) -> str:
    return number if "e" in number.lower() or "." in number else f"{number}.0"


def _numbers(s: Situation) -> Verdict | None:
    word, previous = s.word, s.previous
    if previous is not None and previous.text == "." and s.index > 1:
        number = s.words[s.index - 2]
        if number.kind == "number" and number.end == previous.start:
            return say(s, "AM020", f"`{number.text}.` is not a number", previous, f"write `{_with_point(number.text)}`")
    if word is None:
        return None
    following = s.words[s.index + 1] if s.index + 1 < len(s.words) else None
    joined = previous is not None and previous.end == word.start
    if s.text == "." and joined and previous is not None and previous.text == "..":
        return say(s, "AM020", "a range has two points", word, "write `1..3`")
    if s.text == "." and joined and previous is not None and previous.kind == "number":
        return say(s, "AM020", f"`{previous.text}.` is not a number", word, f"write `{_with_point(previous.text)}`")
    if s.text == "." and following is not None and following.kind == "number" and following.start == word.end:
        return say(s, "AM020", f"`.{following.text}` is not a number", word, f"write `0.{following.text}`")
    if s.text == "+" and (previous is None or previous.text in _NEEDS_VALUE | {"(", "[", ","}):
        return say(s, "AM020", "a number has no `+` before it", word, "leave the `+` out")
    if word.kind == "name" and joined and previous is not None and previous.kind == "number":
        meant = UNITS_MEANT.get(word.text)
        help = f"did you mean `{meant}`?" if meant else f"known units: {', '.join(UNITS)}"
        return say(s, "AM020", f"`{word.text}` is not a unit", word, help)
    return None


def _line_that_goes_on(s: Situation) -> Verdict | None:
    """A line that begins with `when`, `|` and their like belongs to the one before, here to one that cannot take it."""
    if s.word is None or s.previous is None or s.text not in CONTINUES_BEFORE:
        return None
    if "\n" not in s.source.text[s.previous.end : s.word.start]:
        return None
    help = _NOT_STATEMENTS.get(s.text, "")
    if s.words[-1].text == "{" and help:
        verdict = say(s, "AM010", "there are no conditional blocks", s.word, help)
    else:
        verdict = say(s, "AM009", f"a line that begins with `{s.text}` goes on with the one before", s.word, help)
    regions = [(s.word.start, s.statement.end)]
    if s.statement.closing is not None:
        regions.append((s.statement.closing.start, s.statement.closing.end))
    return Verdict(verdict.diagnostic, tuple(regions))


def _block(s: Situation) -> Verdict | None:
    """`when m is A { ... }`, and a brace in a line of its own."""
    if s.text == "{" and s.signs() & {"when", "if"}:
        help = "a condition stands behind what it governs: `x ~ 1..5 when m is A`"
        return say(s, "AM010", "there are no conditional blocks", s.word, help)
    position = next(i for i, each in enumerate(s.outline.statements) if each is s.statement)
    rest = s.outline.statements[position + 1 :]
    if s.word is None and rest and rest[0].words[0].text == "{" and not top_level_signs(s.statement) & BINDS:
        brace = rest[0].words[0]
        verdict = say(s, "AM009", "`{` stands in the line of its section", brace, "write `name {`")
        return Verdict(verdict.diagnostic, ((s.statement.start, s.statement.end), (rest[0].start, rest[0].end)))
    return None


def _is_misspelt_statement(words: list[Word]) -> bool:
    """`maximise dice`: two names, and the first nearly begins a statement."""
    return len(words) > 1 and words[0].kind == words[1].kind == "name" and nearest(words[0].text, STATEMENTS) is not None


def _unknown_statement(s: Situation) -> Verdict | None:
    first = s.words[0]
    if not s.is_file or first.kind != "name" or first.text in STATEMENTS or len(s.words) < 2:
        return None
    second = s.words[1]
    begins_value = second.kind in ("name", "string", "number") or second.text in ("(", "-")
    if not begins_value or s.brackets:
        return None
    best = nearest(first.text, STATEMENTS)
    binds = BINDS & top_level_signs(s.statement)
    if first.text not in _NOT_STATEMENTS and (binds & {"~", "+="} or (binds and best is None and second.text != "(")):
        return None
    if second.text == "in" and second.kind == "name" and len(s.words) > 2:
        return say(s, "AM010", "`in` is no statement", second, f"a value is searched with `~`: `{first.text} ~ 1 | 2 | 4`")
    is_call = second.text == "("
    if best is None and is_call and first.text not in _NOT_STATEMENTS:
        return say(s, "AM010", "a call alone sets nothing", first, f"write `name = {first.text}(...)`")
    is_label = s.word is None and all(word.kind in ("name", "string") or word.text == "." for word in s.words)
    if is_label and best is None and first.text not in _NOT_STATEMENTS and second.kind in ("name", "string"):
        shown = " ".join(s.source.text[s.statement.start : s.statement.end].split())
        help = f"a section is written `{shown} {{ ... }}`, a value `{first.text} = ...`"
    elif first.text in _NOT_STATEMENTS:
        help = _NOT_STATEMENTS[first.text]
    elif best is not None:
        help = f"did you mean `{best}`?"
    else:
        help = (
            f"a statement sets a value (`x = 3`), searches one (`x ~ 1 | 2`), opens a section (`name {{`) or begins with {_list()}"
        )
    return say(s, "AM010", f"unknown statement `{first.text}`", first, help)


def _list() -> str:
    return f"{', '.join(f'`{word}`' for word in STATEMENTS[:-1])} or `{STATEMENTS[-1]}`"


def _no_sign(s: Situation) -> Verdict | None:
    """A path, and nothing that says what to do with it."""
    if not s.is_file or s.word is not None or s.brackets or top_level_signs(s.statement) - {"."}:
        return None
    if all(word.kind in ("name", "string") or word.text == "." for word in s.words):
        name = s.name()
        return say(s, "AM025", f"nothing is said about `{name}`", s.words[-1], f"write `{name} = ...` or `{name} ~ ...`")
    return None


def _no_comma(s: Situation) -> Verdict | None:
    """Two values side by side."""
    previous, word = s.previous, s.word
    if previous is None or word is None or not (s.brackets or s.signs() & BINDS or s.words[0].text in ("require", "ensure")):
        return None
    ends = previous.kind in ("number", "string", "name") or previous.text in CLOSERS
    begins = word.kind in ("number", "string", "name") or word.text in OPENERS
    if not ends or not begins or previous.text in _NEEDS_VALUE or word.text in _NEEDS_VALUE:
        return None
    span = Span(s.source.name, previous.end, min(previous.end + 1, len(s.source.text)))
    missing = "a `,` or an operator" if s.brackets else "an operator"
    return Verdict(Diagnostic("AM024", f"{missing} is missing before `{word.text}`", span))


#: In order: the first that knows the mistake names it.
RULES: tuple[Rule, ...] = (
    *EARLY,
    _line_that_goes_on,
    _block,
    _edition,
    _value_on_next_line,
    _incomplete,
    _colon,
    _equals,
    _numbers,
    _missing_value,
    _range_with_equals,
    _bar_with_equals,
    _comma,
    _unknown_statement,
    _no_sign,
    *LATE,
    _no_comma,
)
