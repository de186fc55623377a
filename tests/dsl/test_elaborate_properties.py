"""Whatever is written, a program keeps its invariants and every point of it resolves."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl_run.dsl import ir
from automl_run.dsl.evaluate import active_ids, build_point, infeasible_because, resolve, target_values
from automl_run.dsl.load import check_text
from automl_run.dsl.summary import check_document
from automl_run.dsl.validate import problems

NUMBERS = st.sampled_from(["1", "2", "3", "0.5", "1.5", "true", "null", '"a"', "[1, 2]"])
RANGES = st.sampled_from(["1..4", "0.0..1.0", "log 1e-3..1.0", "2..16 step *2", "0.0..1.0 step 0.25"])
GUARDS = st.sampled_from(["", "", "", " when m is A", " when m is not B", " when b", " when not b", " when n > 2"])


def _component(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    args = st.lists(st.tuples(st.sampled_from("pqrs"), inner), max_size=3, unique_by=lambda arg: arg[0])
    body = args.map(lambda found: ", ".join(f"{name} {text}" for name, text in found))
    return st.builds(lambda cls, text: f"{cls}({text})", st.sampled_from("CDE"), body)


SEARCHES = st.one_of(RANGES.map("~ {}".format), st.lists(NUMBERS, min_size=2, max_size=4).map(lambda v: "~ " + " | ".join(v)))
VALUES = st.one_of(NUMBERS.map("= {}".format), SEARCHES)
NESTED = st.recursive(
    VALUES,
    lambda inner: st.one_of(
        _component(inner).map("= {}".format),
        st.lists(_component(inner), min_size=2, max_size=3).map(lambda found: "~ " + " | ".join(found)),
    ),
    max_leaves=6,
)
STATEMENTS = st.lists(st.tuples(NESTED, GUARDS), max_size=5)
FIXED = "m ~ A(k ~ 1..3) | B(w ~ 0.0 | 0.1..0.5)\nb ~ true | false\nlet n ~ 1..4\n"


@given(STATEMENTS, st.integers(0, 1000))
@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_programs_keep_their_invariants(statements: list[tuple[str, str]], seed: int) -> None:
    text = FIXED + "\n".join(f"x{number} {value}{guard}" for number, (value, guard) in enumerate(statements))
    checked = check_text(text)
    program = checked.program
    assert program is not None, checked.rendered()
    assert problems(program) == []
    assert ir.Program.from_bytes(program.to_bytes()) == program
    assert check_text("\n".join(reversed(text.split("\n")))).unwrap().digest == program.digest
    check_document(checked)
    generator = random.Random(seed)

    def choose(param: ir.Param) -> int | float:
        match param.domain:
            case ir.Choice(alts):
                return generator.randrange(len(alts))
            case ir.Int(lo, hi):
                return generator.randint(lo, hi)
            case ir.Real(lo, hi):
                return generator.uniform(lo, hi)

    for _ in range(5):
        point = build_point(program, choose)
        assert infeasible_because(program, point) is None
        assert set(active_ids(program, point)) == set(point)
        resolve(program, point)
        assert set(target_values(program, point)) == {target for id in point for target in program.param(id).targets}
    resolve(program, None)


@given(st.text(alphabet='xymA()|~=..1203 \n"{}[],+-*when is not let@', max_size=60))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_text_is_a_program_or_a_diagnostic(text: str) -> None:
    checked = check_text(text)
    checked.rendered()
    assert (checked.program is None) == any(found.severity == "error" for found in checked.diagnostics)
