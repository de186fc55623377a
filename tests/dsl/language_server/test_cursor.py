"""What the grammar accepts at a cursor, and what encloses it."""

from __future__ import annotations

import pytest

pytest.importorskip("pygls", reason="the language server needs pygls (automl-run[lsp])")

from automl_run.dsl.language_server.cursor import Cursor, accepted_after, cursor_at


def at(marked: str) -> Cursor:
    offset = marked.rindex("¦")
    return cursor_at(marked[:offset] + marked[offset + 1 :], offset)


def words(marked: str) -> set[str]:
    return {
        name for name in at(marked).accepted if name in {"LOG", "STEP", "WHEN", "BECAUSE", "LET", "USE", "BEFORE", "FOR", "NOT"}
    }


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("x ~ ¦", {"LOG", "NOT"}),
        ("x ~ 1..2 ¦", {"STEP", "WHEN"}),
        ("x ~ 1 | 2 ¦", {"NOT", "WHEN"}),
        ("x = 1 ¦", {"NOT", "WHEN"}),
        ("require a < b ¦", {"BECAUSE", "NOT"}),
        ("x += [A()] ¦", {"BEFORE", "NOT", "WHEN"}),
        ("x = [i ¦", {"FOR", "NOT", "WHEN"}),
        ("x = C(¦", {"LET", "NOT"}),
        ("x = = ¦", set()),
        ("train {\n  ¦", {"LET", "USE"}),
        ("broken = = 1\nx ~ ¦", {"LOG", "NOT"}),
        ("x ~ log ¦", set()),
    ],
)
def test_words_that_are_accepted(marked: str, expected: set[str]) -> None:
    assert words(marked) - ({"NOT"} if "log" in marked else set()) == expected


def test_the_edition_is_offered_at_the_top_only() -> None:
    assert "AUTOML" in at("# a comment\n¦").accepted
    assert "AUTOML" not in at("automl 1\n¦").accepted


def test_what_encloses_the_cursor() -> None:
    found = at('study "a" {\n  budget { tri¦')
    assert found.blocks == ('study "a"', "budget")
    assert (found.partial, found.at_statement) == ("tri", True)
    call = at("x ~ A(1) | my.pkg.U(k ~ 1..3, (a, b) = f(2, c = 1), dep¦").call
    assert call is not None
    assert (call.head, call.given, call.fresh, call.argument) == ("my.pkg.U", ("k", "a", "b"), True, "")
    value = at("x = U(k = 3, depth ~ 1 ¦").call
    assert value is not None
    assert (value.argument, value.fresh) == ("depth", False)


@pytest.mark.parametrize(
    ("marked", "chain"),
    [
        ("train.model.¦", "train.model"),
        ("y = 2 * m.k¦", "m"),
        ('train["my key"].dep¦', 'train["my key"]'),
        ("RandFlipd[1].¦", "RandFlipd[1]"),
        ("x = 1..¦", ""),
        ("x = 0.5.¦", ""),
    ],
)
def test_the_path_before_the_cursor(marked: str, chain: str) -> None:
    assert at(marked).chain == chain


@pytest.mark.parametrize(
    ("marked", "within"), [("x = 1 # a¦", "comment"), ('use "b¦', "string"), ('use "b"¦', "code"), ("# a\n¦", "code")]
)
def test_comments_and_strings(marked: str, within: str) -> None:
    assert at(marked).within == within


def test_every_prefix_of_a_program_is_a_place_to_type_at() -> None:
    text = 'automl 1\nuse "b.json"\nstudy "s" { budget { time = 12h } }\n(a, b) ~ (1, "p") | (2, "q") when m is A\n' * 2
    for offset in range(len(text) + 1):
        cursor_at(text, offset)
    assert accepted_after("x ~ 1 | ") == accepted_after('y = 3\nuse "b"\nx ~ 1 | ')
