"""From text to parameters and configuration: what a program means."""

from __future__ import annotations

import pytest

from automl_run.dsl import ir
from automl_run.dsl.evaluate import infeasible_because, resolve, target_values
from automl_run.dsl.ir import Program, Value
from automl_run.dsl.load import parse
from automl_run.dsl.resolved import to_plain
from automl_run.dsl.validate import problems


def program(text: str) -> Program:
    parsed = parse(text)
    assert problems(parsed) == []
    return parsed


def plain(parsed: Program, point: ir.Point | None = None) -> Value:
    return to_plain(resolve(parsed, point))


def only(text: str) -> ir.Param:
    (param,) = program(text).params
    return param


# -- domains ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "domain", "baseline"),
    [
        ("x ~ 0.0..1.0", ir.Real(0.0, 1.0), 0.5),
        ("x = 0.3 ~ 0.0..1.0", ir.Real(0.0, 1.0), 0.3),
        ("x = 1 ~ 0.0..2.0", ir.Real(0.0, 2.0), 1.0),
        ("x ~ log 1e-4..1e-2", ir.Real(1e-4, 1e-2, "log"), pytest.approx(1e-3)),
        ("x ~ 1..4", ir.Int(1, 4), 2),
        ("x ~ log 1..100", ir.Int(1, 100, "log"), 10),
        ("x ~ 64..160 step 32", ir.Int(64, 160, "linear", ir.Step("add", 32.0)), 128),
        ("x ~ 16..256 step *2", ir.Int(16, 256, "linear", ir.Step("mul", 2.0)), 128),
        ("x ~ 0.0..1.0 step 0.25", ir.Real(0.0, 1.0, "linear", ir.Step("add", 0.25)), 0.5),
        ("x ~ 1 + 1..2 * 3", ir.Int(2, 6), 4),
    ],
)
def test_ranges(text: str, domain: ir.Domain, baseline: Value) -> None:
    param = only(text)
    assert param.domain == domain
    assert param.baseline == (baseline,)
    assert type(param.baseline[0]) is (int if isinstance(domain, ir.Int) else float)


def test_a_choice_takes_its_first_alternative_and_knows_its_order() -> None:
    param = only("x ~ 1 | 2 | 4")
    assert isinstance(param.domain, ir.Choice)
    assert [alt.values for alt in param.domain.alts] == [(1,), (2,), (4,)]
    assert param.domain.ordered
    assert param.baseline == (1,)
    unordered = only('x ~ "b" | "a"').domain
    assert isinstance(unordered, ir.Choice)
    assert not unordered.ordered


def test_lists_and_null_are_alternatives() -> None:
    domain = only("x ~ [1, 2] | null | {a: 1}").domain
    assert isinstance(domain, ir.Choice)
    assert [alt.values[0] for alt in domain.alts] == [[1, 2], None, {"a": 1}]


def test_a_range_among_alternatives_is_a_parameter_of_its_own() -> None:
    parsed = program("x ~ 0.0 | log 1e-6..1e-2")
    choice, inner = parsed.params
    assert choice.id == "x"
    assert inner.active == ir.IsAlt("x", (1,))
    assert inner.targets == ("x",)
    assert plain(parsed, {"x": 0}) == {"x": 0.0}
    point = {"x": 1, inner.id: 1e-3}
    assert plain(parsed, point) == {"x": 1e-3}
    assert target_values(parsed, point) == {"x": 1e-3}


def test_a_baseline_inside_a_range_alternative_chooses_it() -> None:
    parsed = program("x = 1e-4 ~ 0.0 | log 1e-6..1e-2")
    assert plain(parsed) == {"x": 1e-4}


# -- groups -------------------------------------------------------------------------------------------------------------------


def test_grouped_alternatives_are_chosen_together() -> None:
    parsed = program('(a, b) = (false, "p") ~ (true, "p") | (false, "q")')
    (param,) = parsed.params
    assert (param.id, param.targets, param.baseline) == ("(a,b)", ("a", "b"), (False, "p"))
    assert plain(parsed) == {"a": False, "b": "p"}
    assert plain(parsed, {"(a,b)": 1}) == {"a": False, "b": "q"}


def test_one_draw_for_several_targets() -> None:
    parsed = program("t = C((a, b) = (0.1, 0.2) ~ 0.0..1.0)")
    (param,) = parsed.params
    assert param.id == "t.(a,b)"
    assert param.baseline == (0.1, 0.2)
    assert plain(parsed, {"t.(a,b)": 0.5}) == {"t": {"_target_": "C", "a": 0.5, "b": 0.5}}


def test_a_range_in_a_group_is_shared_by_its_targets() -> None:
    parsed = program("(a, b) ~ 0.0 | 0.1..0.5")
    choice, inner = parsed.params
    assert plain(parsed, {choice.id: 1, inner.id: 0.2}) == {"a": 0.2, "b": 0.2}


# -- components ---------------------------------------------------------------------------------------------------------------

NETS = "m ~ UNet(let d ~ 3..5, c = [2 ** i for i in 1..d]) | Seg(w ~ 8 | 16)"


def test_alternatives_own_their_parameters() -> None:
    parsed = program(NETS)
    assert [param.id for param in parsed.params] == ["m", "m[UNet].d", "m[Seg].w"]
    assert [param.targets for param in parsed.params] == [("m",), ("m.d",), ("m.w",)]
    assert [param.active for param in parsed.params] == [None, ir.IsAlt("m", (0,)), ir.IsAlt("m", (1,))]
    assert plain(parsed) == {"m": {"_target_": "UNet", "c": [2, 4, 8, 16]}}
    assert plain(parsed, {"m": 1, "m[Seg].w": 1}) == {"m": {"_target_": "Seg", "w": 16}}


def test_nested_alternatives() -> None:
    parsed = program("m ~ A(b ~ B(k ~ 1..3) | C()) | D()")
    assert [param.id for param in parsed.params] == ["m", "m[A].b", "m[A].b[B].k"]
    assert plain(parsed, {"m": 1}) == {"m": {"_target_": "D"}}
    assert plain(parsed, {"m": 0, "m[A].b": 1}) == {"m": {"_target_": "A", "b": {"_target_": "C"}}}


def test_alternatives_of_one_class_are_numbered_and_is_means_any() -> None:
    parsed = program("m ~ U(a ~ 1..3) | U(b ~ 1..4) | V()\nx ~ 1..2 when m is U")
    assert [param.id for param in parsed.params] == ["m", "m[U[0]].a", "m[U[1]].b", "x"]
    assert parsed.param("x").active == ir.IsAlt("m", (0, 1))


def test_the_baseline_may_be_a_component_that_is_no_alternative() -> None:
    parsed = program("m = Other(z = 1) ~ A() | B(k ~ 1..3)")
    assert plain(parsed) == {"m": {"_target_": "Other", "z": 1}}
    assert plain(parsed, {"m": 0}) == {"m": {"_target_": "A"}}


def test_a_class_name_chooses_the_baseline_alternative() -> None:
    parsed = program("m = B ~ A() | B(k ~ 1..3)")
    assert plain(parsed) == {"m": {"_target_": "B", "k": 2}}


def test_dotted_and_lower_case_classes() -> None:
    parsed = program('a = pkg.mod.Net(k ~ 1..3)\nb = component("myNet", k = 3)')
    assert plain(parsed) == {"a": {"_target_": "pkg.mod.Net", "k": 2}, "b": {"_target_": "myNet", "k": 3}}


def test_list_items_are_named_by_class_and_number() -> None:
    parsed = program("t = [A(p ~ 1..3), B(p ~ 1..3), A(p ~ 1..3), ~ C() | D()]")
    assert [param.id for param in parsed.params] == ["t.A[0].p", "t.B.p", "t.A[1].p", "t[3]"]


def test_an_optional_item() -> None:
    parsed = program("z ~ true | false\nt = [A(), B(p ~ 1..3) when z]")
    assert plain(parsed, {"z": 1}) == {"z": False, "t": [{"_target_": "A"}]}
    assert parsed.param("t.B.p").active == ir.ParamRef("z", 0)


def test_a_component_by_condition() -> None:
    parsed = program("z ~ true | false\nm = A(k ~ 1..3) if z else B(j ~ 1..3)")
    assert [param.id for param in parsed.params] == ["z", "m.k", "m.j"]
    assert plain(parsed, {"z": 1, "m.j": 3}) == {"z": False, "m": {"_target_": "B", "j": 3}}


def test_disabled_components_are_absent_and_their_parameters_inactive() -> None:
    parsed = program("t = [A(@disabled ~ true | false, p ~ 1..3), B()]")
    disabled, inner = parsed.params
    assert disabled.id == "t.A.@disabled"
    assert inner.active == ir.Unary("not", ir.ParamRef("t.A.@disabled", 0))
    assert plain(parsed, {disabled.id: 0}) == {"t": [{"_target_": "B"}]}
    assert program("t = [A(@disabled = true, p ~ 1..3)]").params == ()


# -- conditions and derived values ------------------------------------------------------------------------------------------------


def test_a_guard_makes_a_parameter_conditional_and_the_key_optional() -> None:
    parsed = program("m ~ A() | B()\nx ~ 1..5 when m is A\ny = 7 when m is not A")
    assert parsed.param("x").active == ir.IsAlt("m", (0,))
    assert plain(parsed, {"m": 0, "x": 4}) == {"m": {"_target_": "A"}, "x": 4}
    assert plain(parsed, {"m": 1}) == {"m": {"_target_": "B"}, "y": 7}


def test_exclusive_branches_share_a_path() -> None:
    parsed = program("m ~ A() | B()\nx ~ 1..3 when m is A\nx ~ 5..9 when m is B")
    assert {param.id for param in parsed.params} == {"m", "x", "x[1]"}
    assert plain(parsed, {"m": 1, "x[1]": 6}) == {"m": {"_target_": "B"}, "x": 6}


def test_a_guard_on_a_conditional_parameter_is_false_where_it_is_inactive() -> None:
    parsed = program("m ~ A(k ~ 1..3) | B()\nz ~ 1..3 when m.k > 1")
    assert plain(parsed, {"m": 1}) == {"m": {"_target_": "B"}}
    assert plain(parsed, {"m": 0, "m[A].k": 2, "z": 3}) == {"m": {"_target_": "A", "k": 2}, "z": 3}


def test_a_guard_and_an_argument_of_the_same_component_form_no_cycle() -> None:
    parsed = program("m ~ A(k = x) | B()\nx ~ 1..5 when m is A")
    assert [param.id for param in parsed.params] == ["m", "x"]
    assert plain(parsed, {"m": 0, "x": 5}) == {"m": {"_target_": "A", "k": 5}, "x": 5}


def test_parameters_stand_before_the_conditions_that_read_them() -> None:
    parsed = program("a ~ 1..3 when z > 1\nb ~ 1..3\nz ~ 1..2")
    assert [param.id for param in parsed.params] == ["z", "a", "b"]


def test_derived_values() -> None:
    parsed = program("m ~ A(k ~ 1..3) | B()\nx ~ 1..5\ny = x * 2 if m is A else 1\nn = m.k if m is A else 0\nl = [x, max(x, 2)]")
    assert plain(parsed, {"m": 0, "m[A].k": 3, "x": 4}) == {"m": {"_target_": "A", "k": 3}, "x": 4, "y": 8, "n": 3, "l": [4, 4]}


def test_a_derived_value_may_read_a_searched_off_or_range() -> None:
    parsed = program("x ~ 0.0 | 1.0..2.0\ny = x * 2")
    assert plain(parsed, {"x": 1, "x[1.0..2.0]": 1.5}) == {"x": 1.5, "y": 3.0}


def test_constants_are_folded() -> None:
    parsed = program("n = 3\nc = [2 ** i for i in 0..n - 1]\nt = null if n > 2 else 1")
    assert plain(parsed) == {"n": 3, "c": [1, 2, 4], "t": None}
    assert parsed.config.entries["c"] == ir.Const([1, 2, 4])


def test_require() -> None:
    parsed = program('a ~ 1..4\nm ~ A(k ~ 1..3) | B()\nrequire a * 2 <= 6 because "memory"\nrequire m.k > 1')
    assert infeasible_because(parsed, {"a": 4, "m": 1}) == "memory"
    assert infeasible_because(parsed, {"a": 3, "m": 1}) is None
    assert infeasible_because(parsed, {"a": 3, "m": 0, "m[A].k": 1}) == "`require m.k > 1` does not hold"


def test_a_require_that_always_holds_is_dropped() -> None:
    assert program("n = 3\nrequire n > 2").requires == ()


def test_units_become_base_units() -> None:
    assert plain(program("a = 1.5min\nb = 2KiB\nc = 3mm\nx ~ 1s..2min")) == {"a": 90, "b": 2048, "c": 3, "x": 60}


# -- lets, defs, sections ---------------------------------------------------------------------------------------------------------


def test_a_let_is_shared_and_no_key() -> None:
    parsed = program("let v ~ 0.0..1.0\na = v\nb = v * 2")
    (param,) = parsed.params
    assert (param.id, param.targets) == ("v", ("v",))
    assert plain(parsed, {"v": 0.25}) == {"a": 0.25, "b": 0.5}


def test_a_tuple_let_and_its_readers() -> None:
    parsed = program("let (v, w) ~ (true, false) | (false, true)\nt = [A(@disabled = v), B(@disabled = w)]")
    assert plain(parsed, {"(v,w)": 0}) == {"t": [{"_target_": "B", "@disabled": False}]}
    assert plain(parsed, {"(v,w)": 1}) == {"t": [{"_target_": "A", "@disabled": False}]}


def test_a_reader_may_keep_a_baseline_of_its_own() -> None:
    parsed = program("let v = 0.5 ~ 0.0..1.0\na = 0.1 ~ v\nb = v")
    assert plain(parsed) == {"a": 0.1, "b": 0.5}
    assert plain(parsed, {"v": 0.9}) == {"a": 0.9, "b": 0.9}


def test_a_component_valued_let_shares_its_parameters() -> None:
    parsed = program("let n ~ A(k ~ 1..3) | B()\nx = n\ny = C(inner = n)")
    assert [param.id for param in parsed.params] == ["n", "n[A].k"]
    inner: Value = {"_target_": "A", "k": 3}
    assert plain(parsed, {"n": 0, "n[A].k": 3}) == {"x": inner, "y": {"_target_": "C", "inner": inner}}


def test_a_let_that_nobody_reads_is_still_searched() -> None:
    assert [param.id for param in program("let v ~ 1..3\nx ~ 1..3").params] == ["x", "v"]


def test_a_def_stamps_a_fresh_parameter_at_each_use() -> None:
    parsed = program("def P = 0.0..1.0\ndef f(i) = C(axis = i, p ~ P)\nt = [f(0), f(i = 2)]\nq ~ P")
    assert [param.id for param in parsed.params] == ["t.C[0].p", "t.C[1].p", "q"]
    assert plain(parsed, {"t.C[0].p": 0.1, "t.C[1].p": 0.2, "q": 0.3}) == {
        "t": [{"_target_": "C", "axis": 0, "p": 0.1}, {"_target_": "C", "axis": 2, "p": 0.2}],
        "q": 0.3,
    }


def test_a_def_of_several_alternatives_is_spliced() -> None:
    domain = only("def S = 1 | 2\nx ~ S | 4").domain
    assert isinstance(domain, ir.Choice)
    assert [alt.values for alt in domain.alts] == [(1,), (2,), (4,)]


def test_a_comprehension_that_builds_components_is_written_out() -> None:
    parsed = program("t = [C(axis = i, p ~ 0.0..1.0) for i in 0..1]")
    assert [param.id for param in parsed.params] == ["t.C[0].p", "t.C[1].p"]


def test_names_are_sought_innermost_first() -> None:
    parsed = program("lr = 1\ntrain {\n  lr = 2\n  opt = Adam(lr = lr)\n  sub { x = lr }\n}\nopt = Adam(lr = lr)")
    assert plain(parsed) == {
        "lr": 1,
        "train": {"lr": 2, "opt": {"_target_": "Adam", "lr": 2}, "sub": {"x": 2}},
        "opt": {"_target_": "Adam", "lr": 1},
    }


def test_a_section_let_is_local_to_it() -> None:
    parsed = program("let v = 1\ns {\n  let v = 2\n  x = v\n}\ny = v")
    assert plain(parsed) == {"s": {"x": 2}, "y": 1}


def test_declaration_order_never_matters() -> None:
    first = program("t.A.p ~ 1..3\nt = [A(q = z)]\nz ~ 1..2\nt += [B()]")
    second = program("z ~ 1..2\nt = [A(q = z)]\nt += [B()]\nt.A.p ~ 1..3")
    assert first.digest == second.digest


def test_keys_stand_in_the_order_of_the_text() -> None:
    parsed = program("x.y.z ~ 1..3\na ~ 1..4\nx.b ~ 1..5")
    assert [param.id for param in parsed.params] == ["x.y.z", "x.b", "a"]


def test_any_key_can_be_written() -> None:
    parsed = program('x["my-key"] ~ 1..3\nx["a.b"] = 2')
    assert [param.id for param in parsed.params] == ['x["my-key"]']
    assert plain(parsed, {'x["my-key"]': 1}) == {"x": {"my-key": 1, "a.b": 2}}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("learning_rate ~ 1..3", "lr"),
        ("train.model = U(d ~ 1..3)", "net"),
        ("train.optimizer = U(momentum ~ 0.0..1.0)", "lr"),
        ("train.pre_transforms = [F(prob ~ 0.0..1.0)]", "transform"),
        ("batch ~ 1..3", "other"),
        ("batch ~ 1..3 @mine", "mine"),
    ],
)
def test_labels(text: str, label: str) -> None:
    assert only(text).label == label


def test_the_program_survives_its_own_bytes() -> None:
    parsed = program(NETS + "\nx = 3 when m is UNet\nrequire m.d > 3")
    assert Program.from_bytes(parsed.to_bytes()) == parsed


@pytest.mark.parametrize("path", ["m.d", "m.UNet.d", "m[UNet].d"])
def test_a_path_into_an_alternative(path: str) -> None:
    parsed = program(NETS + f"\nrequire {path} > 3")
    assert infeasible_because(parsed, {"m": 0, "m[UNet].d": 3}) is not None
    assert infeasible_because(parsed, {"m": 1, "m[Seg].w": 0}) is None


def test_disabled_can_be_read() -> None:
    parsed = program("a = A(@disabled ~ true | false)\nb = B()\nx = a.@disabled\ny = b.@disabled")
    assert plain(parsed, {"a.@disabled": 0}) == {"b": {"_target_": "B"}, "x": True, "y": False}


def test_alternatives_of_one_class_are_told_apart_by_index() -> None:
    parsed = program("u ~ U(a = 1) | U(a = 2)\nfirst = u is U[0]\nany = u is U")
    assert plain(parsed, {"u": 0}) == {"u": {"_target_": "U", "a": 1}, "first": True, "any": True}
    assert plain(parsed, {"u": 1}) == {"u": {"_target_": "U", "a": 2}, "first": False, "any": True}


def test_a_component_is_enabled_unless_it_says_otherwise() -> None:
    parsed = program("x = A()\nx.@disabled ~ true | false")
    assert parsed.params[0].baseline == (False,)
    assert plain(parsed) == {"x": {"_target_": "A", "@disabled": False}}
