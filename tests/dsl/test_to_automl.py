"""A program written as one text means the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl_run.dsl import ir
from automl_run.dsl.load import check, check_text, parse
from automl_run.dsl.to_automl import text_of_program, to_automl
from automl_run.dsl.to_automl_exprs import Unwritable

ROOT = Path(__file__).resolve().parents[2]
CLARA = ROOT.parent / "shared" / "data" / "clara-4.1" / "config"
DESIGN = ROOT.parent / "shared" / "design" / "language" / "examples"


def again(program: ir.Program) -> ir.Program:
    """The program that its own text means."""
    text = program.to_automl()
    return parse(text, variables=program.variables)


TEXTS = [
    "x ~ 1..3",
    "x = 2.5 ~ 0.0..10.0",
    "x = 7 ~ 1 | 2 | 3",
    "x ~ log 1e-5..1e-2\ny ~ 16..256 step *2\nz ~ 64..160 step 32\nw ~ 0.0..1.0 step 0.25",
    "x ~ 0.0 | log 1e-6..1e-2",
    "x = 0.2 ~ 0.0 | 0.1..0.5\ny = x * 2",
    "x ~ [1, 2] | [3]\ny ~ {a: 1} | null",
    '(a, b) ~ (1, "p") | (2, "q")\n(c, d) = (1.0, 0.5) ~ 0.0..1.0',
    "m = C(a = 1, (b, c) ~ (1, 2) | (3, 4), @disabled ~ true | false)",
    "m = B(w = 1) ~ A(k ~ 1..3) | B(w ~ 8 | 16)",
    "m = B ~ A(k ~ 1..3) | B(w ~ 8 | 16)",
    "m = Z(q = 1) ~ A(k ~ 1..3) | B()",
    "m ~ U(let d ~ 3..5, c = [2 ** i for i in 1..d]) | U(let d ~ 1..2, c = [d])\n"
    "y = 1 when m is U[1]\nz = m.U[0].d if m is U[0] else 0",
    "l = [~ A() | B(), C() when x, 0.5 ~ 0.0..1.0, ~ 1 | 2]\nx ~ true | false",
    "m ~ A() | B()\nx ~ 1..5 when m is A\ny = x * 2 if m is A else 1",
    "m ~ A(k ~ 1..3) | B()\nx = 1 when m is A and m.k > 2\nx = 2 when not (m is A and m.k > 2)",
    "m ~ A() | B() | C()\nx ~ 1..3 when m is A\nx ~ 5..9 when m is B\nx = 4 when m is C",
    "b ~ true | false\nm = A(k ~ 1..2) if b else B(j ~ 3..4) if b == false else D()",
    "let v ~ 0.0..1.0\na = v\nb = C(p = v, q = v * 2)\nlet (s, t) ~ (1, 2) | (3, 4)\nc = s + t",
    "let n ~ A(k ~ 1..2) | B()\nx = n\ny = n\nz = 1 when n is A",
    "let n = A(k ~ 1..2)\nx = n\ny = [n, n]",
    "x = A(k ~ 1..2)\ny = x",
    "let l = [1, x]\nx ~ 1..3\ny = l\nz = len(l)",
    "train { let roi ~ 32..96 step 32\n size = [roi, roi]\n net = U(k = roi * 2) }\ny = train.size",
    "s { a ~ 1..2, t { b ~ 1..3, c = a } }\nd = s.t.b",
    's["my-key"].x ~ 1..2\n"use" = 3\nt = {"a b": C("c-d" = 1, x ~ 1 | 2)}',
    'c = component("Scale#Mine", a ~ 1..2)\nl = [component("low", k ~ 1..2), component("S#a", k ~ 1..2), pkg.mod.C(k ~ 1..2)]',
    "l = [A(k ~ 1..2), A(k ~ 1..2), B(k ~ 1..2)]\ny = l.A[1].k + l.B.k",
    "def D = log 1e-6..1e-2\ndef f(i) = C(axis = i, p ~ D)\nl = [f(0), f(1)]",
    'a ~ 1..4\nb ~ 1..4\nrequire a * b <= 8 because "memory"\nrequire a == 1 or b in [1, 2] if a > 2 else true',
    "x = C(@disabled = b, k ~ 1..3)\nb ~ true | false\ny = x.k when not b",
    'study "s" { target = Python("a:b")\n maximize dice\n minimize "a b"\n budget { trials = 7, time = 90min, patience = 3 }\n'
    ' controller = TPE(startup = 4)\n workers = [[0], [1, 2]]\n seed = 3\n baseline = false\n keep = 2\n out = "o" }\nx ~ 1..3',
    "x ~ 1..3 @net\nlet v ~ 1..2 @lr\ny = v",
    "x = null ~ 1 | 2\ny = {}\nz = []\nw = {a: {}}",
    "x ~ -3..-1\ny ~ -1.5..2.0\nz = -x ** 2",
    "x ~ true | false\ny = 1 if not x else 2\nz = 1 when not x\nz = 2 when x",
    "x ~ A(k ~ B(j ~ 1..2) | C()) | D()\ny = x.A.k.B.j if x is A and x.A.k is B else 0",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_text_of_a_program_means_the_program(text: str) -> None:
    program = parse(text)
    assert again(program).digest == program.digest
    assert again(again(program)).to_automl() == program.to_automl()


LAYERS = [
    ("x = 3\nm ~ A() | B()", "x = 5 when m is A"),
    ("x = 3\nm ~ A() | B()", "x ~ 1..9 when m is A"),
    ("x ~ 1..3\nb ~ true | false", "x = 9 when b"),
    ("l = [A(p = 0.5), T()]\nb ~ true | false", "l += [X(), Y(k ~ 1..2)] before T\nl.A.p ~ 0.0..1.0"),
    ("m = A(p = 0.1)\nb ~ true | false", "m = B(q ~ 1..2) when b"),
    ("m = A(p = 0.1, q = 2)\nb ~ true | false", "m.p = 0.5 when b\nm.q ~ 1..4 when b"),
    ("(a, b) = (1, 2)\nc ~ true | false", "(a, b) ~ (1, 2) | (3, 4) when c"),
    ("(a, b) ~ (1, 2) | (3, 4)", "a = 5"),
    ("l = [0.5, 1]", "l[0] ~ 0.0..1.0"),
]


@pytest.mark.parametrize(("below", "above"), LAYERS)
def test_layers_are_resolved(tmp_path: Path, below: str, above: str) -> None:
    (tmp_path / "base.automl").write_text(f"automl 1\n{below}\n")
    (tmp_path / "top.automl").write_text(f'automl 1\nuse "base.automl"\n{above}\n')
    program = check(tmp_path / "top.automl").unwrap()
    text = program.to_automl()
    assert "use" not in text
    assert parse(text).digest == program.digest


NUMBERS = st.sampled_from(["1", "2", "0.5", "1.5", "true", "null", '"a"', "[1, 2]", "n", "n * 2", "v"])
RANGES = st.sampled_from(["1..4", "0.0..1.0", "log 1e-3..1.0", "2..16 step *2", "0.0..1.0 step 0.25", "0.0 | 0.1..0.5"])
GUARDS = st.sampled_from(["", "", "", " when m is A", " when m is not B", " when b", " when not b", " when n > 2"])
CONSTANTS = st.sampled_from(["1", "2", "3", "0.5", "1.5", "true", "null", '"a"', "[1, 2]"])


def _component(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    args = st.lists(st.tuples(st.sampled_from(["p", "q", '"r s"']), inner), max_size=3, unique_by=lambda arg: arg[0])
    body = args.map(lambda found: ", ".join(f"{name} {text}" for name, text in found))
    return st.builds(lambda cls, text: f"{cls}({text})", st.sampled_from("CDE"), body)


SEARCHES = st.one_of(RANGES.map("~ {}".format), st.lists(CONSTANTS, min_size=2, max_size=4).map(lambda v: "~ " + " | ".join(v)))
VALUES = st.one_of(NUMBERS.map("= {}".format), SEARCHES)
NESTED = st.recursive(
    VALUES,
    lambda inner: st.one_of(
        _component(inner).map("= {}".format),
        st.lists(_component(inner), min_size=2, max_size=3).map(lambda found: "~ " + " | ".join(found)),
        st.lists(st.one_of(_component(inner), NUMBERS), max_size=3).map(lambda found: f"= [{', '.join(found)}]"),
    ),
    max_leaves=6,
)
FIXED = "m ~ A(k ~ 1..3) | B(w ~ 0.0 | 0.1..0.5)\nb ~ true | false\nlet n ~ 1..4\nlet v = 2 ~ 1 | 2 | 3\n"


@given(st.lists(st.tuples(NESTED, GUARDS), max_size=5), st.sampled_from(["", "s {\n{}\n}"]))
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_generated_programs(statements: list[tuple[str, str]], around: str) -> None:
    lines = [f"x{number} {value}{guard}" for number, (value, guard) in enumerate(statements)]
    body = "\n".join(lines)
    text = FIXED + (around.replace("{}", body) if around and lines else body)
    program = parse(text)
    assert again(program).digest == program.digest


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="{}"), min_size=1, max_size=6)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(WORDS, JSON, min_size=1, max_size=4), WORDS, WORDS)
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_any_json_can_be_written(config: dict[str, object], key: str, attribute: str) -> None:
    item = {"domain": "net", "type": "float", "args": "k", "targets": [0.0, 1.0]}
    component = {"name": "Net", "args": {"k": 0.25, key: config}, "search": [item], attribute: 3}
    checked = check_text(json.dumps({**config, "net": component}), name="a.json")
    if checked.program is not None:
        assert again(checked.program).digest == checked.program.digest


@pytest.mark.skipif(not CLARA.is_dir(), reason=f"the configs of Clara Train 4.1 are not at {CLARA}")
@pytest.mark.parametrize("name", sorted(path.name for path in CLARA.glob("trn_*.json")))
def test_clara_configs(name: str) -> None:
    program = check(CLARA / name).unwrap()
    assert again(program).digest == program.digest


EXAMPLES = sorted({*ROOT.glob("examples/*/*.automl"), *DESIGN.glob("*.automl")})


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples(path: Path) -> None:
    checked = check(path)
    if checked.program is None:
        pytest.skip("does not elaborate")
    assert again(checked.program).digest == checked.program.digest


def test_what_no_text_says_is_refused() -> None:
    program = parse("x ~ 1..3")
    lost = ir.Param("y.z[0]", ir.Int(1, 2), ("y.z[0]",), (1,))
    with pytest.raises(Unwritable):
        to_automl(ir.Program(program.study, (*program.params, lost), program.config))


def test_text_for_people_is_the_file_as_written(tmp_path: Path) -> None:
    text = "automl 1\n# why\nx ~ 1..3\n"
    (tmp_path / "a.automl").write_text(text)
    (tmp_path / "b.automl").write_text('automl 1\nuse "a.automl"\nx = 2\n')
    assert text_of_program(check(tmp_path / "a.automl").unwrap()) == text
    resolved = text_of_program(check(tmp_path / "b.automl").unwrap())
    assert resolved is not None
    assert "use" not in resolved
    overridden = text_of_program(check(tmp_path / "a.automl", sets=[("x", "3")]).unwrap())
    assert overridden is not None
    assert "# why" not in overridden
