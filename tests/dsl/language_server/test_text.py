"""Positions: UTF-16 units, line ends, BOM."""

from __future__ import annotations

import pytest

pytest.importorskip("pygls", reason="the language server needs pygls (automl-run[lsp])")

from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from automl_run.dsl.language_server.text import Lines


def at(line: int, character: int) -> types.Position:
    return types.Position(line, character)


def test_characters_outside_the_basic_plane_count_two() -> None:
    lines = Lines("a🎉b\nñ")
    assert [lines.position(offset) for offset in range(6)] == [at(0, 0), at(0, 1), at(0, 3), at(0, 4), at(1, 0), at(1, 1)]
    assert lines.offset(at(0, 3)) == 2
    assert lines.offset(at(0, 2)) == 1, "the middle of a character is its beginning"


@pytest.mark.parametrize(("encoding", "units"), [("utf-8", 5), ("utf-16", 3), ("utf-32", 2)])
def test_units_follow_the_encoding(encoding: str, units: int) -> None:
    lines = Lines("x🎉=", encoding)
    assert lines.position(2) == at(0, units)
    assert lines.offset(at(0, units)) == 2


def test_line_ends_of_every_kind() -> None:
    lines = Lines("a\r\nbc\rd\ne")
    assert [lines.position(offset) for offset in (3, 6, 8)] == [at(1, 0), at(2, 0), at(3, 0)]
    assert lines.offset(at(0, 99)) == 1, "beyond the end of a line is its end"
    assert lines.offset(at(99, 0)) == 9, "beyond the last line is the end"


def test_form_feeds_and_line_separators_end_no_line() -> None:
    assert Lines("a\x0cb\u2028c\x85d").position(7) == at(0, 7)


def test_a_bom_counts_for_the_editor_only() -> None:
    lines = Lines("\ufeffab\ncd")
    assert lines.text == "ab\ncd"
    assert lines.position(0) == at(0, 1)
    assert lines.position(3) == at(1, 0)
    assert lines.offset(at(0, 0)) == 0
    assert lines.offset(at(0, 2)) == 1


@given(st.text(alphabet=st.sampled_from("ab🎉é\n\r\x0c\u2028"), max_size=30), st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_positions_go_there_and_back(text: str, encoding: str) -> None:
    lines = Lines(text, encoding)
    for offset in range(len(text) + 1):
        if text[offset - 1 : offset + 1] != "\r\n":
            assert lines.offset(lines.position(offset)) == offset
