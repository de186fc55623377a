from automl_run.dsl.source import NOWHERE, Source, Span


def test_positions_count_from_one_and_are_clamped() -> None:
    source = Source("a", "ab\ncd\r\n")
    assert [source.position(offset) for offset in (0, 2, 3, 5, 99, -1)] == [(1, 1), (1, 3), (2, 1), (2, 3), (3, 1), (1, 1)]


def test_lines_come_without_their_ends() -> None:
    source = Source("a", "ab\ncd\r\n")
    assert [source.line(number) for number in (1, 2, 3, 4, 0)] == ["ab", "cd", "", "", ""]


def test_a_span_reaches_to_another() -> None:
    assert Span("a", 2, 4).to(Span("a", 6, 9)) == Span("a", 2, 9)
    assert Span("a", 2, 9).to(Span("a", 3, 4)) == Span("a", 2, 9)
    assert NOWHERE.file == ""
