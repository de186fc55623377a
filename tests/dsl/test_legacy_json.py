"""Positioned JSON: equal to the standard library's on what is JSON, one clear diagnostic on what is not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_run.dsl.legacy.json_reader import MAX_BYTES, decode, read_json
from automl_run.dsl.legacy.json_tree import JsonArray, JsonNode, JsonObject, plain
from automl_run.dsl.source import Source

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


def nodes(node: JsonNode) -> list[JsonNode]:
    match node:
        case JsonObject(entries):
            return [node, *(inner for entry in entries for inner in nodes(entry.value))]
        case JsonArray(items):
            return [node, *(inner for item in items for inner in nodes(item))]
        case _:
            return [node]


@settings(max_examples=60, deadline=None)
@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_reads_what_json_reads_and_knows_every_place(value: object, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    root, diagnostics = read_json(Source("f.json", text))
    assert diagnostics == []
    assert root is not None
    assert plain(root) == json.loads(text)
    for node in nodes(root):
        assert json.loads(text[node.span.start : node.span.end]) == plain(node)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_text_is_read_or_diagnosed_once(data: st.DataObject) -> None:
    text = '{"train": {"model": {"name": "UNet", "args": {"a": [1, 2.5e3, -0.1], "b": null}}, "x": [true, "\\u00e9{y}"]}}'
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 3))
        text = (
            text[:at]
            + data.draw(st.sampled_from(["", '"', "{", "]", ",", ":", "x", "0", "\\", "\n", "-", "\x00", "é"]))
            + text[at + cut :]
        )
    root, diagnostics = read_json(Source("f.json", text))
    try:
        expected = json.loads(text)
    except ValueError:
        assert root is None
        assert [diagnostic.code for diagnostic in diagnostics] == ["AM200"]
        assert 0 <= diagnostics[0].span.start <= len(text)
    else:
        assert root is not None
        if not diagnostics:  # a key may stand twice
            assert plain(root) == expected


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("", 0, "empty"),
        ("  \n", 0, "empty"),
        ('{"a": 1', 6, "ends in the middle"),
        ('{"a": 1 "b": 2}', 8, "`,` separates"),
        ('{"a": 1,}', 7, "before a closing bracket"),
        ("[1, 2}", 5, "`}` cannot close `[`"),
        ('{"a" 1}', 5, "followed by `:`"),
        ('{"a": }', 6, "value was expected"),
        ("[, 1]", 1, "nothing before"),
        ("{1: 2}", 1, "double quotes"),
        ("{'a': 1}", 1, "double quotes"),
        ("{a: 1}", 1, "`a` is not JSON"),
        ('{"a": True}', 6, "`True` is not JSON"),
        ('{"a": NaN}', 6, "`NaN` is not a JSON number"),
        ('{"a": -Infinity}', 6, "`-Infinity` is not a JSON number"),
        ('{"a": 01}', 6, "leading zeros"),
        ('{"a": .5}', 6, "does not start with"),
        ('{"a": "b}', 6, "does not end"),
        ('{"a": "b\n"}', 6, "does not end on its line"),
        ('{"a": "\\x"}', 7, "escape"),
        ('{"a": "\t"}', 7, "control character"),
        ("// hello\n{}", 0, "no comments"),
        ("{} {}", 3, "text after the end"),
        ("{} x", 3, "text after the end"),
    ],
)
def test_one_diagnostic_at_the_place(text: str, at: int, words: str) -> None:
    root, diagnostics = read_json(Source("f.json", text))
    assert root is None
    assert [diagnostic.code for diagnostic in diagnostics] == ["AM200"]
    assert words in diagnostics[0].message
    assert diagnostics[0].span.start == at


def test_a_key_that_stands_twice_shows_both_places() -> None:
    _, diagnostics = read_json(Source("f.json", '{"a": {"b": 1, "b": 2}, "c": 0, "c": 1}'))
    assert [diagnostic.code for diagnostic in diagnostics] == ["AM212", "AM212"]
    assert diagnostics[0].span.start == 15
    assert diagnostics[0].secondary[0].span.start == 7


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 65 + "]" * 65, "AM303"),
        ("9" * 30, "AM306"),
        ("9" * 6000, "AM306"),
        ("-9223372036854775809", "AM306"),
        ("1e999", "AM306"),
        ('"' + "x" * 70_000 + '"', "AM305"),
        ('"\\ud800"', "AM305"),
        ('"' + "x" * MAX_BYTES + '"', "AM301"),
    ],
)
def test_limits(text: str, code: str) -> None:
    _, diagnostics = read_json(Source("f.json", text))
    assert [diagnostic.code for diagnostic in diagnostics] == [code]


def test_what_is_at_a_limit_is_read() -> None:
    assert read_json(Source("f.json", "[" * 64 + "]" * 64))[1] == []
    assert read_json(Source("f.json", "[-9223372036854775808, 9223372036854775807, 1e308]"))[1] == []
    assert read_json(Source("f.json", '"' + "[" * 100 + '"'))[1] == []


def test_bytes_become_text() -> None:
    source, diagnostics = decode("f.json", b'\xef\xbb\xbf{"a": "\xc3\xa9"}')
    assert diagnostics == []
    assert source.text == '{"a": "é"}'
    _, diagnostics = decode("f.json", b'{"\xc3\xa9": "\xff"}')
    assert [diagnostic.code for diagnostic in diagnostics] == ["AM307"]
    assert diagnostics[0].span.start == 7
    assert [diagnostic.code for diagnostic in decode("f.json", b" " * (MAX_BYTES + 1))[1]] == ["AM301"]
    root, diagnostics = read_json(Source("f.json", '\ufeff{"a": 1}'))
    assert diagnostics == []
    assert root is not None
    assert plain(root) == {"a": 1}


def test_grammar_has_no_conflicts() -> None:
    from importlib.resources import files

    from lark import Lark

    grammar = files("automl_run.grammars").joinpath("legacy_json.lark").read_text(encoding="utf-8")
    Lark(grammar, parser="lalr", lexer="contextual", strict=True)
