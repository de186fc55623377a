"""Comprehensions that build components: over bounds that are names, over bounds that a trial decides, with a condition."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl_run.dsl import ir
from automl_run.dsl.build import Program as Built
from automl_run.dsl.build import between, expr
from automl_run.dsl.columns import Columns
from automl_run.dsl.evaluate import active_ids, is_active, resolve
from automl_run.dsl.format import format_text
from automl_run.dsl.ir import Program, Value
from automl_run.dsl.legacy.convert import Unsayable
from automl_run.dsl.load import Checked, check, check_text, parse
from automl_run.dsl.plan import plan
from automl_run.dsl.provenance import provenance
from automl_run.dsl.resolved import to_plain
from automl_run.dsl.validate import problems

SEARCHED = "let n ~ 1..3\nt = [Conv(k ~ 1..3) for i in 0..n - 1]"


def plain(program: Program, point: ir.Point | None = None) -> dict[str, Value]:
    out = to_plain(resolve(program, point))
    assert isinstance(out, dict)
    return out


def ids(program: Program) -> set[str]:
    return {param.id for param in program.params}


def error(checked: Checked) -> tuple[str, str]:
    """Code and text of the one error."""
    (found,) = [found for found in checked.diagnostics if found.severity == "error"]
    return found.code, checked.rendered()


# -- bounds that are known ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("let n = 3\nt = [C(a = i) for i in 0..n - 1]", "t = [C(a = 0), C(a = 1), C(a = 2)]"),
        ("t = [C(a = i) for i in 0..n]\nn = 1", "t = [C(a = 0), C(a = 1)]\nn = 1"),
        ("s {\n  d = 1\n  t = [C(a = i) for i in 0..d]\n}", "s {\n  d = 1\n  t = [C(a = 0), C(a = 1)]\n}"),
        ("m = N(depth = 2)\nt = [C(a = i) for i in 1..m.depth]", "m = N(depth = 2)\nt = [C(a = 1), C(a = 2)]"),
        ("def half(n) = n // 2\nt = [C(a = i) for i in 1..half(4)]", "t = [C(a = 1), C(a = 2)]"),
        ("def f(n) = [C(a = i) for i in 1..n]\nx = f(1)\ny = f(2)", "x = [C(a = 1)]\ny = [C(a = 1), C(a = 2)]"),
        ("m = N(l = [C(a = i) for i in 1..d], let d = 2)", "m = N(l = [C(a = 1), C(a = 2)])"),
        ("let xs = [1, 2, 4]\nt = [C(a = x, p ~ 0..x) for x in xs]",
         "t = [C(a = 1, p ~ 0..1), C(a = 2, p ~ 0..2), C(a = 4, p ~ 0..4)]"),
        ("let n = 1\nt = [C(a = x) for x in [2 ** i for i in 0..n]]", "t = [C(a = 1), C(a = 2)]"),
        ("let xs = [A(k ~ 1..2), B()]\nt = [W(x = x) for x in xs]",
         "let xs = [A(k ~ 1..2), B()]\nt = [W(x = xs[0]), W(x = xs[1])]"),
        ("let n = 2\nt = [[C(a = i, b = j) for j in 1..i] for i in 1..n]",
         "t = [[C(a = 1, b = 1)], [C(a = 2, b = 1), C(a = 2, b = 2)]]"),
        ("let n = 1\nt ~ [C(k ~ 1..2) for i in 0..n] | [D()]", "t ~ [C(k ~ 1..2), C(k ~ 1..2)] | [D()]"),
        ("let n = 2\nt = [C(a = n) for n in 0..n - 1]", "t = [C(a = 0), C(a = 1)]"),
        ("let n = 0\nt = [C(a = i) for i in 0..n - 1]", "t = []"),
        ("t = [C(a = i) for i in 0..2 if i != 1]", "t = [C(a = 0), C(a = 2)]"),
        ("let odd = 1\nt = [C(a = i) for i in 0..4 if i % 2 == odd]", "t = [C(a = 1), C(a = 3)]"),
        ("t = [A(k ~ 1..2) if i == 0 else B(w ~ 1..2) for i in 0..1]", "t = [A(k ~ 1..2), B(w ~ 1..2)]"),
    ],
)  # fmt: skip
def test_known_bounds_are_the_list_written_out(text: str, written: str) -> None:
    program = parse(f"{text}\np ~ 0.0..1.0")
    assert program.digest == parse(f"{written}\np ~ 0.0..1.0").digest
    assert parse(program.to_automl()).digest == program.digest
    assert parse(format_text(f"automl 1\n{text}\np ~ 0.0..1.0\n")).digest == program.digest


@given(st.integers(-1, 4), st.integers(-1, 5), st.integers(1, 3), st.sampled_from(["let ", ""]), st.booleans())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_known_bounds(lo: int, hi: int, step: int, kind: str, searched: bool) -> None:
    hi = max(hi, lo - 1)
    inside = "a = i, k ~ 1..3" if searched else "a = i"
    text = f"{kind}lo = {lo}\n{kind}hi = {hi}\nt = [C({inside}) for i in lo..hi if i % {step} == 0]\np ~ 0.0..1.0"
    items = [f"C({inside.replace('= i', f'= {i}')})" for i in range(lo, hi + 1) if i % step == 0]
    written = f"{kind}lo = {lo}\n{kind}hi = {hi}\nt = [{', '.join(items)}]\np ~ 0.0..1.0"
    assert parse(text).digest == parse(written).digest


# -- bounds that a trial decides ----------------------------------------------------------------------------------------------


def test_a_searched_bound_makes_items_that_may_be_absent() -> None:
    program = parse(SEARCHED)
    by_hand = parse("let n ~ 1..3\nt = [Conv(k ~ 1..3), Conv(k ~ 1..3) when n >= 2, Conv(k ~ 1..3) when n >= 3]")
    assert program.digest == by_hand.digest
    assert problems(program) == []
    assert active_ids(program, {"n": 1, "t.Conv[0].k": 2}) == ("t.Conv[0].k", "n")
    assert plain(program, {"n": 2, "t.Conv[0].k": 1, "t.Conv[1].k": 3}) == {
        "t": [{"_target_": "Conv", "k": 1}, {"_target_": "Conv", "k": 3}]
    }


CASES = {
    "let n ~ 1..3": "0..n - 1",
    "let n ~ 1 | 3": "1..n",
    "let n ~ -2..2": "0..n",
    "let n ~ 0..2": "0..2 * n if i != n",
    "let n ~ 2..64 step *2": "1..floor(log2(n))",
    "let n ~ 0.0..1.0 step 0.5": "0..int(4 * n)",
    "let n ~ 0.0..3.0": "1..round(n)",
    "let n ~ 1..1000000": "0..min(n, 3)",
    "let lo ~ 0..2\nlet n ~ 1..2": "lo..lo + n",
    "let n ~ [1] | [5, 6, 7]": "n if i > 1",
    "let a ~ 0..1\nlet n ~ 2..3": "[a, 4, n]",
    "let n ~ 1..2\nlet xs ~ [0] | [1, 2]": "xs + [n]",
    "let n ~ 1..3 ": "[j * j for j in 0..n]",
    "let b ~ true | false": "[1, 2 when b, 3]",
    "n = 5 ~ 1..3": "1..n",
}


@pytest.mark.parametrize("head", sorted(CASES))
def test_the_items_of_every_trial_are_those_of_the_list_of_values(head: str) -> None:
    """The same bounds in a list of values are computed trial by trial."""
    bounds = CASES[head]
    text = f"{head}\nt = [C(a = i, k ~ 1..3) for i in {bounds}]"
    values = "v = [1, 3] if not b else [1, 2, 3]" if "when" in bounds else f"v = [i for i in {bounds}]"
    program = parse(f"{text}\n{values}")
    assert problems(program) == []
    for point in (None, *program.sample(40)):
        found = plain(program, point)
        items, wanted = found["t"], found["v"]
        assert isinstance(items, list)
        assert [item["a"] for item in items if isinstance(item, dict)] == wanted
        assert isinstance(wanted, list)
        if point is not None:
            assert sum(id.endswith(".k") for id in point) == len(wanted)
    assert parse(program.to_automl()).digest == program.digest


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2), st.sampled_from(["", " if i != 1", " if i < n", " if on"]))
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_any_searched_bounds(start: int, width: int, shift: int, condition: str) -> None:
    head = f"let n ~ {start}..{start + width + 1}\nlet on ~ true | false"
    bounds = f"1..n + {shift}{condition}"
    program = parse(f"{head}\nt = [C(a = i, k ~ 1..3) for i in {bounds}]\nv = [i for i in {bounds}]")
    assert problems(program) == []
    assert parse(program.to_automl()).digest == program.digest
    for point in program.sample(12):
        found = plain(program, point)
        assert isinstance(found["t"], list)
        assert [item["a"] for item in found["t"] if isinstance(item, dict)] == found["v"]


def test_inside_an_alternative() -> None:
    program = parse("m ~ Net(let d ~ 1..2, layers = [Conv(k ~ 1..3) for i in 1..d]) | B()")
    assert ids(program) == {"m", "m[Net].d", "m[Net].layers.Conv[0].k", "m[Net].layers.Conv[1].k"}
    assert not is_active(program, {"m": 1}, program.param("m[Net].layers.Conv[0].k"))
    assert not is_active(program, {"m": 0, "m[Net].d": 1}, program.param("m[Net].layers.Conv[1].k"))
    assert is_active(program, {"m": 0, "m[Net].d": 2}, program.param("m[Net].layers.Conv[1].k"))


def test_a_bound_that_may_be_absent_counts_nothing_there() -> None:
    program = parse("m ~ A(d ~ 1..2) | B()\nt = [C(k ~ 1..2) for i in 1..m.A.d]")
    assert plain(program, {"m": 1})["t"] == []
    assert len(plain(program, {"m": 0, "m[A].d": 1, "t.C[0].k": 1})["t"]) == 1  # type: ignore[arg-type]


def test_branches_of_an_item_that_may_be_absent() -> None:
    program = parse("let n ~ 1..2\nlet c ~ true | false\nt = [A(k ~ 1..2) if c else B() for i in 1..n]")
    assert plain(program, {"n": 2, "c": 1})["t"] == [{"_target_": "B"}, {"_target_": "B"}]
    assert plain(program, {"n": 1, "c": 0, "t.A[0].k": 2})["t"] == [{"_target_": "A", "k": 2}]
    assert parse(program.to_automl()).digest == program.digest


def test_an_item_that_is_absent_is_not_asked_for_its_branch() -> None:
    program = parse("let xs ~ [1] | [0, 3, 5]\nt = [A() if i == 0 else B(a = i) for i in xs]\nv = xs")
    for point in program.sample(10):
        found = plain(program, point)
        assert isinstance(found["t"], list)
        assert isinstance(found["v"], list)
        assert [item.get("a", 0) for item in found["t"] if isinstance(item, dict)] == found["v"]
    assert parse(program.to_automl()).digest == program.digest


def test_recipes_of_plain_values_stay_a_list_to_compute_with() -> None:
    program = parse("let n ~ 1..3\ndef f(i) = i * 2\nx = [f(i) for i in 1..n]\nrequire sum(x) < 12")
    assert plain(program, {"n": 2})["x"] == [2, 4]
    assert {point["n"] for point in program.sample(30)} == {1, 2}


# -- layers -------------------------------------------------------------------------------------------------------------------

BASE = """automl 1
let n = 2
depth = 1
t = [Flip(axis = i, prob = 0.1) for i in 0..n]
u = [Conv(k ~ 1..3) for i in 0..depth]
p ~ 0.0..1.0
"""


@pytest.fixture
def over(tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "base.automl").write_text(BASE)

    def run(text: str, *sets: tuple[str, str]) -> Checked:
        path = tmp_path / "top.automl"
        path.write_text(f'automl 1\nuse "base.automl"\n{text}\n')
        return check(path, sets=sets)

    return run


def test_a_higher_layer_changes_the_length(over) -> None:  # type: ignore[no-untyped-def]
    assert len(plain(over("").unwrap())["t"]) == 3  # type: ignore[arg-type]
    assert len(plain(over("", ("n", "4")).unwrap())["t"]) == 5  # type: ignore[arg-type]
    assert len(plain(over("n = 0").unwrap())["t"]) == 1  # type: ignore[arg-type]
    searched = over("depth ~ 0..2").unwrap()
    assert {"depth", "u.Conv[0].k", "u.Conv[2].k"} <= ids(searched)
    assert searched.digest == over("", ("depth", "1 ~ 0..2")).unwrap().digest


def test_paths_lead_into_the_list(over) -> None:  # type: ignore[no-untyped-def]
    program = over("n = 3\nt[1].prob = 0.3\nt.Flip[3].prob ~ 0.0..1.0\nu.Conv[1].k = 2").unwrap()
    found = plain(program)["t"]
    assert isinstance(found, list)
    assert [item["prob"] for item in found if isinstance(item, dict)] == [0.1, 0.3, 0.1, 0.1]
    assert ids(program) == {"t.Flip[3].prob", "u.Conv[0].k", "p"}
    assert error(over("t[3].prob = 0.3"))[0] == "AM112"
    assert over("t[3].prob = 0.3", ("n", "3")).program is not None


def test_a_class_that_stands_once_needs_no_index(over) -> None:  # type: ignore[no-untyped-def]
    assert plain(over("n = 0\nt.Flip.prob = 0.3").unwrap())["t"] == [{"_target_": "Flip", "axis": 0, "prob": 0.3}]


def test_appending_and_inserting(over) -> None:  # type: ignore[no-untyped-def]
    program = over("let k ~ 1..2\nt += [Noise(s = i) for i in 1..k] before Flip[1]\nt += [Last()]").unwrap()
    names = [item["_target_"] for item in plain(program, {**program.sample(1)[0], "k": 2})["t"]]  # type: ignore[union-attr, call-overload, index]
    assert names == ["Flip", "Noise", "Noise", "Flip", "Flip", "Last"]


def test_a_condition_on_what_is_appended_joins_that_of_the_items(over) -> None:  # type: ignore[no-untyped-def]
    program = over("let k ~ 1..2\nlet on ~ true | false\nt += [Noise(s ~ 0.0..1.0) for i in 1..k] when on").unwrap()
    lengths = {(point["k"], point["on"]): len(plain(program, point)["t"]) for point in program.sample(60)}  # type: ignore[arg-type]
    assert lengths == {(1, 0): 4, (2, 0): 5, (1, 1): 3, (2, 1): 3}


def test_explain_finds_an_item(over) -> None:  # type: ignore[no-untyped-def]
    found = provenance(over("t[1].prob = 0.3", ("n", "1")), "t.Flip[1].prob")
    assert (found.value, len(found.touches)) == ("0.3", 2)


# -- the rest of the language -------------------------------------------------------------------------------------------------


def test_the_plan_names_the_condition_of_each_item() -> None:
    rows = {row.id: (row.parent, row.condition) for row in plan(parse(SEARCHED)).rows}
    assert rows["t.Conv[0].k"] == (None, None)
    assert rows["t.Conv[2].k"] == ("n", "n >= 3")


def test_columns_say_which_parameters_are_active() -> None:
    program = parse(SEARCHED)
    points = program.sample(50)
    found = Columns(program, points)
    for param in program.params:
        assert found.active(param.id).tolist() == [is_active(program, point, param) for point in points]
    assert found.feasible().all()


def test_a_list_that_changes_its_length_is_nothing_that_clara_says() -> None:
    items = "[Flip(spatial_axis = i) for i in 1..n]"
    with pytest.raises(Unsayable, match="when"):
        parse(f"let n ~ 1..2\nt = {items}").to_legacy()
    fixed = parse(f"let n = 2\nt = {items}\nt2 = A(p ~ 0.0..1.0)")
    assert fixed.to_legacy()["t"] == [{"name": "Flip", "args": {"spatial_axis": axis}} for axis in (1, 2)]


def test_the_builder_makes_the_same_program() -> None:
    built = Built()
    built.let("n", between(1, 3))
    built["t"] = expr("[Conv(k ~ 1..3) for i in 0..n - 1]")
    assert built.program().digest == parse(SEARCHED).digest


# -- mistakes -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("let n = 2.5\nt = [C(a = i) for i in 0..n]", "AM104", "n]"),
        ("let n = 4\nt = [C(a = i) for i in 0..n / 2]", "AM104", "n / 2"),
        ("let n ~ 0.0..3.0\nt = [C(a = i) for i in 0..n]", "AM104", "n]"),
        ("let n ~ 1 | 1.5\nt = [C(a = i) for i in 0..n]", "AM104", "n]"),
        ('let n ~ "a" | "b"\nt = [C(a = i) for i in 0..n - 1]', "AM104", "n - 1"),
        ("let n = true\nt = [C(a = i) for i in n..3]", "AM104", "n.."),
        ("let n = -3\nt = [C(a = i) for i in 0..n]", "AM105", "0..n"),
        ("let n ~ -5..-3\nt = [C(a = i) for i in 0..n]", "AM105", "0..n"),
        ("t = [C(a = i) for i in 3..1]", "AM105", "3..1"),
        ("let n = 200000\nt = [C(a = i) for i in 0..n]", "AM303", "0..n"),
        ("let n ~ 1..200000\nt = [C(a = i) for i in 1..n]", "AM303", "1..n"),
        ("t = [C(a = i) for i in 0..nn]", "AM101", "nn"),
        ("t = [C(a = i) for i in 0..nn]\ny = t[1].a\nz = t.C.a", "AM101", "nn"),
        ("let n = 3\nt = [C(a = i) for i in n]", "AM104", "n]"),
        ("let n ~ 1..3\nt = [C(a = i) for i in n]", "AM104", "n]"),
        ("let n = 3\nt = [C(a = i) for i in 0..n if i]", "AM104", "i]"),
        ("let n = t[0].k\nt = [C(k = 2) for i in 0..n]", "AM121", "0..n"),
        ("t = [C(k = 2) for i in 0..len(t)]", "AM121", "t)"),
        ("let n ~ 1..3\nt = [C(a ~ 0..i) for i in n..3]", "AM120", "n.."),
        ("t = [C(a = i) for i in [~ 1 | 2]]", "AM199", "~ 1 | 2"),
        ("let x ~ 0.0..1.0\nt = [C(a = i) for i in 0..int(x % x)]", "AM199", "int(x % x)"),
        ("let b ~ true | false\nlet xs = [A() when b, B()]\nt = [W(x = x) for x in xs]", "AM199", "xs]"),
        ("let n = 2\nt = [C(a = i) for i in 0..n - 1]\nt[2].b = 1", "AM112", "2].b"),
    ],
)
def test_one_error_at_its_place(text: str, code: str, at: str) -> None:
    checked = check_text(f"{text}\np ~ 0.0..1.0")
    assert error(checked)[0] == code, checked.rendered()
    (found,) = [found for found in checked.diagnostics if found.severity == "error"]
    assert text[found.span.start :].startswith(at), checked.rendered()


def test_the_name_of_a_hidden_place_is_never_suggested() -> None:
    checked = check_text("let n ~ 1..3\nt = [C(a = las) for i in 1..n]")
    code, rendered = error(checked)
    assert code == "AM101"
    assert "` last`" not in rendered
