"""Syntax mistakes -> the first edit that mends them, by code. `mends.py` proves it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .diagnostics import Diagnostic
from .outline import Outline, Word
from .situation import CLOSERS, OPENERS

#: start, end, what to write there, whether it is safe
Edit = tuple[int, int, str, bool]

_SIGNS = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    "\u2026": "..",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2260": "!=",
    "\u00d7": "*",
    "\u00b7": "*",
}
_OPEN_QUOTES = {"'": "'", "`": "`", "\u2018": "\u2019", "\u201c": "\u201d", "\u201d": "\u201d", "\u2019": "\u2019"}
_CLOSER = {"(": ")", "[": "]", "{": "}"}
_WRITE = re.compile(r"(?:did you mean|write) `([^`]+)`\??")


def first_edits(text: str, found: Outline, diagnostic: Diagnostic) -> list[Edit]:
    """[] where it is not plain what was meant."""
    rule = _RULES.get(diagnostic.code)
    at = next((i for i, word in enumerate(found.words) if word.end > diagnostic.span.start), len(found.words))
    return rule(text, found.words, at, diagnostic) if rule is not None else []


def _segment_sign(words: Sequence[Word], at: int, sign: str) -> Word | None:
    """The first `sign` of the argument, item or statement that word `at` stands in, before it."""
    depth = 0
    for word in reversed(words[:at]):
        if word.text in CLOSERS:
            depth += 1
        elif word.text in OPENERS:
            if depth == 0:
                return None
            depth -= 1
        elif depth == 0 and word.text == ",":
            return None
        elif depth == 0 and word.text == sign and word.kind == "sign":
            return word
    return None


def _search(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM001"""
    word = words[at] if at < len(words) else None
    if "stands before `~`" in diagnostic.message:
        return []
    if "fixes a value" in diagnostic.message:
        sign = _segment_sign(words, at, "=")
        return [(sign.start, sign.end, "~", True)] if sign is not None else []
    if word is None:
        return []
    if diagnostic.message == "a range has two ends":
        return [(word.start, word.end, " step ", True)]
    if "[~ a | b]" in diagnostic.help:
        opener = _opener(words, at)
        return [(opener.end, opener.end, "~ ", True)] if opener is not None else []
    if "without brackets" in diagnostic.help:
        opener, closer = _opener(words, at), _closer(words, at)
        before = next((w.text for w in reversed(words) if opener is not None and w.end <= opener.start), "")
        if opener is not None and closer is not None and opener.text == "(" and before in ("~", "|"):
            return [(opener.start, opener.end, "", True), (closer.start, closer.end, "", True)]
    return []


def _opener(words: Sequence[Word], at: int) -> Word | None:
    depth = 0
    for word in reversed(words[:at]):
        if word.text in CLOSERS:
            depth += 1
        elif word.text in OPENERS and word.kind == "sign":
            if depth == 0:
                return word
            depth -= 1
    return None


def _closer(words: Sequence[Word], at: int) -> Word | None:
    depth = 0
    for word in words[at:]:
        if word.text in OPENERS:
            depth += 1
        elif word.text in CLOSERS and word.kind == "sign":
            if depth == 0:
                return word
            depth -= 1
    return None


def _bar_for_comma(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM002, directly in a block"""
    word = words[at]
    if word.text == "~":
        return [(word.start, word.end, "|", True)]
    line_end = text.find("\n", word.end)
    line = text[text.rfind("\n", 0, word.start) + 1 : len(text) if line_end < 0 else line_end]
    is_decimal = ".." in line and re.match(r"[0-9]", text[word.end :]) is not None
    return [(word.start, word.end, " |", True)] if word.text == "," and not is_decimal else []


def _unclosed(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM003"""
    word = words[at]
    if word.kind == "open_string":
        content = word.text.rstrip()
        inner = content.rstrip(")]},; ")
        closers = content[len(inner) :]
        cut = word.start + (len(inner) if closers and len(inner) > 1 else len(content))
        return [(cut, cut, '"', False)]
    if diagnostic.message == "a section opens with `{`":
        return [(diagnostic.span.end, diagnostic.span.end, " {", False)]
    if word.text not in _CLOSER:
        return []
    last, opened = word, [word.text]
    for following in words[at + 1 :]:
        on_new_line = "\n" in text[last.end : following.start]
        if on_new_line and _indent(text, following.start) <= _indent(text, word.start) and following.text not in ("|", "~"):
            break
        if following.text in OPENERS:
            opened.append(following.text)
        elif following.text in CLOSERS and (len(opened) == 1 or _CLOSER[opened.pop()] != following.text):
            return []
        last = following
    closer = "".join(_CLOSER[opener] for opener in reversed(opened))
    if last.text == ",":
        return [(last.start, last.end, closer, False)]
    if word.text == "{" and "\n" in text[word.end : last.end]:
        closer = "\n" + " " * _indent(text, word.start) + closer
    return [(last.end, last.end, closer, False)]


def _indent(text: str, offset: int) -> int:
    line = text[text.rfind("\n", 0, offset) + 1 :]
    return len(line) - len(line.lstrip(" \t"))


def _closing(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM004"""
    match = _WRITE.fullmatch(diagnostic.help)
    return [(diagnostic.span.start, diagnostic.span.end, match[1] if match else "", False)]


def _written(diagnostic: Diagnostic) -> str | None:
    match = _WRITE.fullmatch(diagnostic.help)
    return match[1] if match else None


def _equals(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM005"""
    word, following = words[at], words[at + 1] if at + 1 < len(words) else None
    if word.text == "==":
        return [(word.start, word.end, "=", True)]
    if diagnostic.message.startswith(("there is no sign", "in `{ }`")):
        return [(diagnostic.span.start, diagnostic.span.end, written, True)] if (written := _written(diagnostic)) else []
    if diagnostic.help == "leave the `:` out":
        return [(word.start, word.end, "", True)]
    if diagnostic.help.startswith("leave `: ") and following is not None:
        start = len(text[: word.start].rstrip(" "))
        return [(start, following.end, "", True)]
    if following is None or "\n" in text[word.end : following.start]:
        return []
    end = following.start
    if following.text == "=":
        return [(word.start, word.end, " " if text[word.start - 1] not in " \t" else "", True)]
    start = word.start - 1 if word.start and text[word.start - 1] == " " else word.start
    return [(start, end, " " if following.text == "{" and diagnostic.help.endswith("{ ... }`") else " = ", True)]


def _compare(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM006. In `x = y = 3` two keys may have been meant."""
    if diagnostic.message == "`step` takes no `=`":
        return [(diagnostic.span.start, diagnostic.span.end, " ", True)]
    given = _segment_sign(words, at, "=")
    between = [word.text for word in words[:at] if given is not None and word.start > given.end]
    plain = given is None or any(word in ("if", "when", "and", "or", "not") for word in between)
    return [(diagnostic.span.start, diagnostic.span.end, "==", plain)]


def _strange(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM008"""
    word = words[at]
    char, start, end = word.text, word.start, word.end
    following = text[end : end + 1]
    if char in _OPEN_QUOTES:
        line_end = text.find("\n", start)
        line = text[end : len(text) if line_end < 0 else line_end]
        close = line.find(_OPEN_QUOTES[char])
        if close < 0 or '"' in line[:close] or "\\" in line[:close]:
            return []
        return [(start, end + close + 1, f'"{line[:close]}"', True)]
    if char in _SIGNS and re.search(r"~[ \t]*(?:log[ \t]+)?[0-9.eE-]+[ \t]*\Z", text[max(0, start - 40) : start]):
        return [(len(text[:start].rstrip()), end + len(text[end:]) - len(text[end:].lstrip(" ")), "..", False)]
    if char in _SIGNS:
        return [(start, end, _SIGNS[char], True)]
    if char == "\r":
        return [(start, end, "\n", True)]
    if char.isspace() or char in "\u200b\u2060\ufeff":
        return [(start, end, " " if char.isspace() else "", True)]
    if char == ";":
        rest = re.match(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z|[ \t]*\})", text[end:])
        return [(start, end, "", True)] if rest else []
    if char == "&" and following == "&":
        before, after = text[start - 1 : start] != " ", text[end + 1 : end + 2] != " "
        return [(start, end + 1, f"{' ' * before}and{' ' * after}", True)]
    if char == "!" and re.match(r"[A-Za-z_(]", following):
        return [(start, end, "not ", True)]
    if char == "$" and (match := re.match(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}|([A-Za-z_][A-Za-z0-9_.]*)", text[end:])):
        return [(start, end + match.end(), match[1] or match[2], False)]
    if char == "^":
        return [(start, end, "**", False)]
    if char == "\\" and re.match(r"[ \t]*\r?\n", text[end:]):
        return [(start, end, "", True)]
    return []


def _spelled(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """A help line that says which word to write in place of the marked one."""
    match = _WRITE.fullmatch(diagnostic.help)
    if match is None or "..." in match[1] or " " in match[1]:
        return []
    return [(diagnostic.span.start, diagnostic.span.end, match[1], diagnostic.help.startswith("write"))]


def _unexpected(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM009"""
    if text.startswith("/*", diagnostic.span.start):
        return []
    if diagnostic.message == "`use` is followed by a string":
        match = re.match(r"[A-Za-z0-9_./-]+", text[diagnostic.span.start :])
        return [(diagnostic.span.start, diagnostic.span.start + match.end(), f'"{match[0]}"', True)] if match else []
    if diagnostic.message == "comments begin with `#`":
        return [(diagnostic.span.start, diagnostic.span.end, "#", True)]
    if diagnostic.message == "`{` stands in the line of its section" and at:
        return [(words[at - 1].end, diagnostic.span.start, " ", True)]
    return []


def _statement(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM010"""
    if diagnostic.help.startswith("a layer below is named"):
        return [(diagnostic.span.start, diagnostic.span.end, "use", True)]
    return _spelled(text, words, at, diagnostic)


def _edition(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM012"""
    end = text.find("\n", diagnostic.span.start)
    line = text[diagnostic.span.start : len(text) if end < 0 else end]
    match = re.match(r"automl[ \t]*[:=]?[ \t]*[\"']?v?1(?:\.0+)*[\"']?[ \t]*(?=#|\r?$)", line)
    return [(diagnostic.span.start, diagnostic.span.start + match.end(), "automl 1", True)] if match else []


def _doubled(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM015 `||`"""
    for first, second in zip(words[max(0, at - 1) :], words[at:], strict=False):
        if first.text == second.text == "|" and first.end == second.start:
            return [(first.start, second.end, "|", True)]
    return []


def _log_call(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM016 `log(1e-5..1e-2)`"""
    if at + 1 >= len(words) or (closer := _closer(words, at + 2)) is None:
        return []
    return [(words[at + 1].start, words[at + 1].end, " ", True), (closer.start, closer.end, "", True)]


def _hash(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM017"""
    start = diagnostic.span.start
    line = text[text.rfind("\n", 0, start) + 1 : start]
    instance = re.match(r"#([A-Za-z0-9_]+)(?=[ \t]*[.=~\[])", text[start:])
    if instance and not re.search(r"[=~]", line):
        return [(start, start + instance.end(), f'["{instance[1]}"]', True)]
    return [] if re.match(r"#[A-Za-z0-9_]", text[start:]) else [(start, start, "  ", True)]


def _number(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM020"""
    start, end = diagnostic.span.start, diagnostic.span.end
    match = _WRITE.fullmatch(diagnostic.help)
    if match is None:
        return [(start, end, "", True)] if "leave the `+`" in diagnostic.help else []
    written = match[1]
    if diagnostic.message == "a range has two points":
        return [(start, end, "", True)]
    if diagnostic.message.startswith("`.") and diagnostic.message.endswith("is not a number"):
        return [(start, start, "0", True)]
    if diagnostic.message.endswith(".` is not a number"):
        return [(end, end, "0", True)] if written.endswith(".0") else [(start, end, "", True)]
    if diagnostic.message == "a unit touches its number" and at:
        return [(words[at - 1].start, end, written, True)]
    if diagnostic.message == "a percentage is written as a fraction":
        number = words[at - 1]
        return [(number.start, end, written, True)]
    if diagnostic.message == "a number has no blanks in it":
        return [(words[at - 1].start, words[at + 1].end, written, True)] if at + 1 < len(words) else []
    return [(start, end, written, written == ".")]


def _word_as_key(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM021"""
    if "cannot be a key" not in diagnostic.message:
        return []
    return [(diagnostic.span.start, diagnostic.span.end, f'"{words[at].text}"', True)]


def _list(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM023"""
    if diagnostic.message == "an index is one value":
        opener = _opener(words, at)
        return [(opener.start, opener.start, " = ", False)] if opener is not None else []
    sign = _segment_sign_over_lines(words, at)
    if sign is None:
        return []
    last = words[at]
    for word in words[at + 1 :]:
        if "\n" in text[last.end : word.start] or word.text in ("}", "=", "~", "when"):
            break
        last = word
    first = words[next(i for i, word in enumerate(words) if word is sign) + 1]
    return [(first.start, first.start, "[", True), (last.end, last.end, "]", True)]


def _segment_sign_over_lines(words: Sequence[Word], at: int) -> Word | None:
    return next((word for word in reversed(words[:at]) if word.text == "=" and word.kind == "sign"), None)


def _side_by_side(text: str, words: Sequence[Word], at: int, diagnostic: Diagnostic) -> list[Edit]:
    """AM024"""
    match = _WRITE.fullmatch(diagnostic.help)
    if match is not None and match[1] == "..":
        word = words[at]
        before = word.start - 1 if text[word.start - 1] == " " else word.start
        after = word.end + 1 if text[word.end : word.end + 1] == " " else word.end
        return [(before, after, "..", True)]
    if diagnostic.message == "a new statement begins a line":
        indent = _indent(text, diagnostic.span.start)
        start = len(text[: diagnostic.span.start].rstrip())
        return [(start, diagnostic.span.start, "\n" + " " * indent, True)]
    if "leave the" in diagnostic.help:
        following = words[at + 1].start if "before a range" in diagnostic.message and at + 1 < len(words) else diagnostic.span.end
        return [(diagnostic.span.start, following, "", True)]
    if match is not None and match[1] in ("step", "when", "when not", "log"):
        return [(diagnostic.span.start, diagnostic.span.end, match[1], True)]
    if "a `,`" in diagnostic.message:
        return [(diagnostic.span.start, diagnostic.span.start, ",", True)]
    return []


_RULES: dict[str, Callable[[str, Sequence[Word], int, Diagnostic], list[Edit]]] = {
    "AM001": _search,
    "AM002": _bar_for_comma,
    "AM003": _unclosed,
    "AM004": _closing,
    "AM005": _equals,
    "AM006": _compare,
    "AM008": _strange,
    "AM009": _unexpected,
    "AM010": _statement,
    "AM012": _edition,
    "AM015": _doubled,
    "AM016": _log_call,
    "AM017": _hash,
    "AM020": _number,
    "AM021": _word_as_key,
    "AM023": _list,
    "AM024": _side_by_side,
}
