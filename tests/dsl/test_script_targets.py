"""`Python` and `Command` with their named arguments, and the places of a command."""

from __future__ import annotations

import pytest

from automl_run.dsl.build import C, Program, between
from automl_run.dsl.command_template import Place, parts
from automl_run.dsl.ir import Spec, Value
from automl_run.dsl.load import parse
from automl_run.errors import ProgramError

BODY = "x ~ 1..3\nnet ~ A(depth ~ 1..3) | B(width ~ 2 | 4)\n"


def target(text: str) -> Spec | None:
    program = parse(f"study {{ target = {text}, maximize dice }}\n{BODY}")
    assert parse(program.to_automl()).digest == program.digest
    return program.study.target


@pytest.mark.parametrize(
    ("text", "name", "args"),
    [
        ('Command("t {x} ${HOME} {1..3} {{x}} {seed}")', "Command", {"template": "t {x} ${HOME} {1..3} {{x}} {seed}"}),
        ('Command("t {--x} {--d=net.depth} {net.width=}")', "Command", {"template": "t {--x} {--d=net.depth} {net.width=}"}),
        (
            'Command(["t", "{x}"], cwd = "{job_dir}", env = {A: 4, B: "{x}", C: null})',
            "Command",
            {"template": ["t", "{x}"], "cwd": "{job_dir}", "env": {"A": 4, "B": "{x}", "C": None}},
        ),
        ('Command("t", metrics = {dice: "d: ([0-9.]+)"})', "Command", {"template": "t", "metrics": {"dice": "d: ([0-9.]+)"}}),
        ('Python("a:b", cwd = "x", env = {A: true})', "Python", {"function": "a:b", "cwd": "x", "env": {"A": True}}),
    ],
)
def test_named_arguments(text: str, name: str, args: dict[str, Value]) -> None:
    assert target(text) == Spec(name, args)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ('Command("t {xs}")', "AM405", "did you mean `x`?"),
        ('Command(["t", "{xs}"])', "AM405", "did you mean `x`?"),
        ('Command("t {--net.dpeth}")', "AM405", "did you mean `depth`?"),
        ('Command("t {net.dpeth=}")', "AM405", "did you mean `depth`?"),
        ('Command("t {net.depth}")', "AM130", "write `{--net.depth}` or `{net.depth=}`"),
        ('Command("t", env = {D: "{net.depth}"})', "AM130", "`net.depth` is not there in every trial"),
        ('Command("t {--job_dir}")', "AM405", "which is no key of this program"),
        ('Command("t {job_dri}")', "AM405", "did you mean `job_dir`?"),
        ('Command("t", cwd = "{xs}")', "AM405", "did you mean `x`?"),
        ('Command("t", env = {A: "{xs}"})', "AM405", "did you mean `x`?"),
        ('Command("t", cdw = "x")', "AM203", "did you mean `cwd`?"),
        ('Command("t", cwd = "a", cwd = "b")', "AM111", "`cwd` is given twice"),
        ('Command("t", cwd = 3)', "AM405", "`cwd` is the path of a folder"),
        ('Command("t", env = 3)', "AM405", "`env` maps names"),
        ('Command("t", env = {"A B": 3})', "AM405", "no name of a variable"),
        ('Command("t", env = {CUDA_VISIBLE_DEVICES: "0"})', "AM405", "`workers` say which GPUs"),
        ('Command("t", env = {AUTOML_SEED: "0"})', "AM405", "set for each job"),
        ('Command("t", metrics = {})', "AM405", "`metrics` maps names"),
        ('Command("t", metrics = {d: 3})', "AM405", "is a text"),
        ('Command("t", metrics = {d: "d"})', "AM405", "needs one group"),
        ('Command("t", metrics = {d: "(d"})', "AM405", "cannot be read"),
        ("Command([])", "AM405", "the program first"),
        ('Command(["t", 3])', "AM405", "a list of texts"),
        ('Command("t", "u")', "AM405", "takes one text"),
        ("Command()", "AM405", "takes one text"),
        ('Command(" ")', "AM405", "not empty"),
        ('Command("t", cwd ~ "a" | "b")', "AM405", "takes one text"),
        ('Python("a:b", metrics = {d: "(d)"})', "AM203", "has no argument `metrics`"),
        ('Python(["a:b"])', "AM405", "takes one text"),
    ],
)
def test_wrong_arguments(text: str, code: str, words: str) -> None:
    with pytest.raises(ProgramError) as raised:
        target(text)
    assert [found.code for found in raised.value.diagnostics] == [code]
    assert words in str(raised.value)


def test_what_a_command_runs_in_is_part_of_what_it_means() -> None:
    texts = [
        'Command("t")',
        'Command("t", cwd = "a")',
        'Command("t", env = {A: 1})',
        'Command("t", metrics = {d: "(d)"})',
        'Command(["t"])',
    ]
    programs = [parse(f"study {{ target = {text}, maximize dice }}\n{BODY}") for text in texts]
    assert len({program.digest for program in programs}) == len(texts)


def test_the_builder_has_them_too() -> None:
    program = Program()
    with program.study() as study:
        study.target = C("Command", ["t", "{x}"], cwd="sub", env={"A": 1})
        study.maximize("dice")
    program["x"].search(between(1, 3))
    assert program.program().study.target == Spec("Command", {"template": ["t", "{x}"], "cwd": "sub", "env": {"A": 1}})


def test_the_parts_of_a_command() -> None:
    assert list(parts("a {x[0].y} {--a-b} {--a=c.d} {m.x=}{{x}}${x} {} {a,b}")) == [
        "a ",
        Place("value", "x[0].y"),
        " ",
        Place("flag", "a_b", "--a-b"),
        " ",
        Place("flag", "c.d", "--a"),
        " ",
        Place("assign", "m.x", "m.x="),
        "{x}",
        "${x} {} {a,b}",
    ]
