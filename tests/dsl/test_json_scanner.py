"""The quick JSON reader and the grammar's give the same trees, or the quick one leaves the text alone."""

from __future__ import annotations

import gc
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_run.dsl.collector import uncollected
from automl_run.dsl.legacy.json_reader import _read_slowly, read_json
from automl_run.dsl.legacy.json_scanner import NotUnderstood, scan
from automl_run.dsl.source import Source

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_json_has_one_tree(value: object, indent: int | None, ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii)
    source = Source("a.json", text)
    assert read_json(source) == _read_slowly(source, text)


@given(VALUES, st.data())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_damaged_json_is_left_to_the_grammar(value: object, data: st.DataObject) -> None:
    text = json.dumps(value)
    at = data.draw(st.integers(0, len(text)))
    text = (
        text[:at] + data.draw(st.text(alphabet='{}[]",:\\ 01e.-tn\n', max_size=3)) + text[data.draw(st.integers(at, len(text))) :]
    )
    source = Source("a.json", text)
    assert read_json(source) == _read_slowly(source, text)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1,]", "[1 2]", "01", "+1", ".5", "1.", "nullx", "NaN", '{"a": 1, "a": 2}', '{"a" 1}', "{1: 2}", "1e999", "9" * 30,
     '"\\ud800"', '"\t"', '"too long"', "[1]]", "// no"],
)  # fmt: skip
def test_what_needs_a_word_is_not_understood(text: str) -> None:
    with pytest.raises(NotUnderstood):
        scan(text, "a.json", 4)


def test_the_collector_is_back_after_reading() -> None:
    @uncollected
    def fail() -> None:
        assert not gc.isenabled()
        raise KeyError

    assert gc.isenabled()
    with pytest.raises(KeyError):
        fail()
    assert gc.isenabled()
    gc.disable()
    try:
        assert uncollected(gc.isenabled)() is False
        assert not gc.isenabled()
    finally:
        gc.enable()
