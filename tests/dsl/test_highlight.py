"""Both highlighters take every word for what the grammar takes it for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename

from automl_run.dsl.highlight import BLANK, Kind, kind_of, rules, scan
from automl_run.dsl.highlight_pygments import _TOKENS, AutoMLLexer
from automl_run.dsl.highlight_textmate import _SCOPES, main, textmate
from automl_run.dsl.parser import terminals, words

ROOT = Path(__file__).resolve().parents[2]
GRAMMAR = ROOT / "editors" / "automl.tmLanguage.json"
EXAMPLES = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples").glob("*/*.automl"))}
TEXTS = {
    **EXAMPLES,
    "names that are words elsewhere": 'x = C(step = 1, in = 2, log = 3, let k = 2, when ~ 1..2, "let" = 3)\ny.step = x.log\n',
    "words": "x ~ log 1e-5..1e-2 @lr when m is not A\ny = a if not b and c or d in [1] else e\nz ~ 16..256 step *2\n",
    "statements": (
        'use "a.automl"\nlet (a, b) ~ 1..2\ndef f(i) = C(axis = i)\nrequire (a) <= 1 because "x"\nensure not b\n'
        'minimize -a\nmaximize dice\nstudy "s" { maximize dice, minimize loss }\np += [X()] before ToTensord\n'
    ),
    "numbers": "a = 1\nb = 1_000.5e-3\nc = 12h\nd = 20GiB\ne ~ 0.5..1.5\nf ~ 1..3\ng = -2 ** 2\nh = 1.5mm\n",
    "components": "a = pkg.mod.C(x = A(), f = min(1, 2))\nb = g(1)\nc = cpu(4)\n",
    "values": 'a = true\nb = null\n"any key" = false\nx["k"].@disabled = true\n@rank = 0\nd = {"k": 1, j: 2}\n',
    "comments": '# a "string"\nx = "a # b {VAR} \\" \\u00e4"  # c\n',
}


def expected(text: str) -> list[tuple[int, str, Kind]]:
    """Every word as the grammar reads it, and the comments between them."""
    out: list[tuple[int, str, Kind]] = []
    position = 0
    for token in words(text):
        if token.start_pos is None or token.type == "_NL":
            continue
        out += comments(text, position, token.start_pos)
        out.append((token.start_pos, str(token), kind_of(token.type, str(token))))
        position = token.end_pos or 0
    return out + comments(text, position, len(text))


def comments(text: str, start: int, end: int) -> list[tuple[int, str, Kind]]:
    """Comments, and the commas between statements, which the grammar takes for line ends."""
    gap = re.compile(r"#[^\n]*|,")
    return [(match.start(), match[0], "comment" if match[0] != "," else "punctuation") for match in gap.finditer(text, start, end)]


def textmate_pieces(text: str) -> Iterator[tuple[int, str, str]]:
    """What an editor does: at each place of a line, the earliest match of any pattern, the first listed among equals."""
    patterns = [(entry["name"], re.compile(entry["match"])) for entry in json.loads(GRAMMAR.read_text())["patterns"]]
    offset = 0
    for line in text.splitlines(keepends=True):
        at = 0
        while at < len(line):
            hits = []
            for number, (name, pattern) in enumerate(patterns):
                if match := pattern.search(line, at):
                    hits.append((match.start(), number, name, match))
            if not hits:
                break
            start, _, name, match = min(hits, key=lambda hit: hit[:2])
            yield offset + start, match[0], name
            at = match.end()
        offset += len(line)


@pytest.mark.parametrize("case", sorted(TEXTS))
def test_pygments_agrees_with_the_grammar(case: str) -> None:
    text = TEXTS[case]
    pieces = list(AutoMLLexer().get_tokens_unprocessed(text))
    assert "".join(piece for _, _, piece in pieces) == text
    found = [(start, piece, kind) for start, kind, piece in pieces if piece.strip()]
    assert found == [(start, piece, _TOKENS[kind]) for start, piece, kind in expected(text)]


@pytest.mark.parametrize("case", sorted(TEXTS))
def test_textmate_agrees_with_the_grammar(case: str) -> None:
    text = TEXTS[case]
    found = [(start, piece, name) for start, piece, name in textmate_pieces(text) if piece.strip()]
    assert found == [(start, piece, f"{_SCOPES[kind]}.automl") for start, piece, kind in expected(text)]


def test_the_textmate_grammar_is_up_to_date(tmp_path: Path) -> None:
    assert main([str(tmp_path / "made.json")]) == 0
    assert (tmp_path / "made.json").read_text() == textmate() == GRAMMAR.read_text()


def test_every_terminal_has_a_kind() -> None:
    known = {kind for kind, _ in rules()}
    for name, pattern in terminals().items():
        if name in BLANK:
            continue
        text = "Abc" if name == "CALLEE" else re.sub(r"\\(.)", r"\1", pattern)
        assert kind_of(name, text) in known, name


def test_any_text_is_coloured() -> None:
    for text in ("x = 'a' ; §\t\r\n", '"open', "", "\x00\ufeff", "1.2.3.4..5", "((("):
        assert "".join(piece for _, _, piece in scan(text)) == text


def test_the_lexer_is_registered() -> None:
    assert [each.value for each in entry_points(group="pygments.lexers", name="automl")] == [
        "automl_run.dsl.highlight_pygments:AutoMLLexer"
    ]
    assert isinstance(get_lexer_by_name("automl"), AutoMLLexer)
    assert isinstance(get_lexer_for_filename("a.automl"), AutoMLLexer)
