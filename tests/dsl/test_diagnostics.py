from automl_run.dsl.diagnostics import Diagnostic, Secondary, did_you_mean, nearest, render, render_all
from automl_run.dsl.source import NOWHERE, Source, Span

SOURCE = Source("a.automl", "one\n\ttwo three\n")


def test_render_points_at_the_place() -> None:
    found = Diagnostic("AM001", "wrong", Span("a.automl", 9, 14), "here", "write two")
    assert render(found, {"a.automl": SOURCE}) == (
        "error[AM001]: wrong\n --> a.automl:2:6\n  |\n2 |  two three\n  |      ^^^^^ here\n  = help: write two"
    )


def test_render_shows_other_places() -> None:
    found = Diagnostic("AM018", "twice", Span("a.automl", 5, 8), secondary=(Secondary(Span("a.automl", 0, 3), "first here"),))
    text = render(found, {"a.automl": SOURCE})
    assert "a.automl:1:1" in text
    assert "^^^ first here" in text


def test_a_span_over_several_lines_is_underlined_in_its_first() -> None:
    text = render(Diagnostic("AM001", "wrong", Span("a.automl", 0, 14)), {"a.automl": SOURCE})
    assert text.endswith("1 | one\n  | ^^^")


def test_of_a_line_without_end_only_the_surroundings_are_shown() -> None:
    source = Source("a.json", "x" * 5000 + "HERE" + "y" * 5000)
    *_, line, caret = render(Diagnostic("AM001", "wrong", Span("a.json", 5000, 5004)), {"a.json": source}).splitlines()
    assert len(line) < 200
    assert line[caret.index("^") : caret.rindex("^") + 1] == "HERE"
    assert line.startswith("1 | ...x")
    assert line.endswith("y...")
    start = render(Diagnostic("AM001", "wrong", Span("a.json", 0, 9000)), {"a.json": source}).splitlines()[-1]
    assert len(start) < 200
    assert start.startswith("  | ^^^")


def test_render_without_a_source() -> None:
    assert render(Diagnostic("AM001", "wrong", NOWHERE, severity="warning"), {}) == "warning[AM001]: wrong"
    assert render(Diagnostic("AM001", "wrong", Span("gone", 0, 1)), {}) == "error[AM001]: wrong\n --> gone"


def test_render_all_leaves_a_blank_line_between() -> None:
    one = Diagnostic("AM001", "wrong", NOWHERE)
    assert render_all([one, one], {}) == "error[AM001]: wrong\n\nerror[AM001]: wrong"


def test_nearest() -> None:
    assert nearest("maximise", ["maximize", "minimize"]) == "maximize"
    assert nearest("unet", ["UNet", "SegResNet"]) == "UNet"
    assert nearest("zebra", ["UNet"]) is None


def test_did_you_mean() -> None:
    assert did_you_mean("probabilty", ["probability", "fields"]) == "did you mean `probability`?"
    assert did_you_mean("zebra", ["b", "a"]) == "known here: a, b"
    assert did_you_mean("zebra", [f"name{i}" for i in range(20)]) == ""
