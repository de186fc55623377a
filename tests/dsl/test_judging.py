"""`ensure`, objectives that are expressions, and what else a study says that no run honours yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_mmar import make_study

from automl_run.dsl import ir
from automl_run.dsl.elaborate.support import metric_names, unsupported
from automl_run.dsl.evaluate import Undefined, scores, unacceptable_because
from automl_run.dsl.load import check, check_text, parse
from automl_run.dsl.validate import problems
from automl_run.errors import InputError


def study(body: str, rest: str = "x ~ 1..3") -> ir.Program:
    return parse(f"study {{\n{body}\n}}\n{rest}")


# -- metrics --------------------------------------------------------------------------------------------------------------


def test_an_objective_is_an_expression_over_metrics() -> None:
    program = study("maximize dice - 0.1 * loss\nminimize seconds")
    first, second = program.study.objectives
    assert (first.metric, first.direction, second) == ("dice - 0.1 * loss", "maximize", ir.Objective("seconds", "minimize"))
    assert scores(program, {"x": 1}, {"dice": 1.0, "loss": 2.5, "seconds": 7.0}) == (0.75, 7.0)
    assert metric_names(program.study) == ("dice", "loss", "seconds")
    with pytest.raises(Undefined, match="`loss` was not reported"):
        scores(program, {"x": 1}, {"dice": 0.9, "seconds": 1.0})


def test_the_digest_is_of_the_meaning_not_the_text() -> None:
    assert study("maximize a+b").digest == study("maximize  a + b").digest != study("maximize a - b").digest
    assert study("maximize a").digest == study('maximize "a"').digest != study("maximize a\nensure a > 1").digest
    assert study("ensure a > 1\nensure b > 1").digest == study("ensure b > 1\nensure a > 1").digest


def test_ensure_is_checked_after_a_trial() -> None:
    program = study('ensure peak_memory <= 20GiB and loss < 1 because "the card"\nensure seconds <= 2h')
    metrics = {"peak_memory": 1e9, "loss": 0.5, "seconds": 60.0}
    assert unacceptable_because(program, {"x": 1}, metrics) is None
    assert unacceptable_because(program, {"x": 1}, {**metrics, "loss": 2.0}) == "the card"
    assert unacceptable_because(program, {"x": 1}, {**metrics, "seconds": 7201.0}) == "`ensure seconds <= 2h` does not hold"
    with pytest.raises(Undefined, match="`loss` was not reported"):
        unacceptable_because(program, {"x": 1}, {"peak_memory": 1.0})


def test_a_dotted_name_reads_the_configuration() -> None:
    program = study("ensure loss < m.k or m is not A", "m ~ A(k ~ 1..3) | B()")
    points = {point.get("m[A].k"): point for point in ({"m": 0, "m[A].k": 2}, {"m": 1})}
    assert unacceptable_because(program, points[2], {"loss": 1.0}) is None
    assert unacceptable_because(program, points[2], {"loss": 3.0}) is not None
    assert unacceptable_because(program, points[None], {"loss": 3.0}) is None  # the parameter it reads is not there
    text = study('ensure loss < 1 or opt.name == "sgd"', 'opt.name ~ "sgd" | "adam"')
    assert unacceptable_because(text, {"opt.name": 0}, {"loss": 3.0}) is None
    assert unacceptable_because(text, {"opt.name": 1}, {"loss": 3.0}) is not None


def test_a_text_is_the_name_of_a_metric() -> None:
    assert study('maximize "val/dice"').study.objectives == (ir.Objective("val/dice", "maximize"),)
    assert scores(study('maximize 2 * "val/dice"'), {"x": 1}, {"val/dice": 0.5}) == (1.0,)


@pytest.mark.parametrize(
    ("body", "code", "help"),
    [
        ("ensure x < 3", "AM404", "another name"),
        ("ensure v < 3", "AM404", ""),
        ("maximize x", "AM404", ""),
        ("maximize dice + x", "AM404", ""),
        ("ensure 3 < 4", "AM404", "`require`"),
        ("ensure loss", "AM104", "compare it"),
        ("ensure loss and 3 < 4", "AM104", ""),
        ("maximize loss < 3", "AM104", "`ensure`"),
        ("maximize -(loss < 3)", "AM104", ""),
        ("ensure seconds <= 20GiB", "AM109", "12h"),
        ("ensure peak_memory + peak_gpu_memory <= 3h", "AM109", "20GiB"),
        ("ensure parameters < 1GB", "AM109", ""),
        ("ensure latency_ms < 50ms", "AM109", "50"),
        ("ensure 2 * seconds < 1min + 1GB", "AM109", ""),
        ("maximize dice / (3 - 3)", None, ""),
        ("maximize dice + 1 / 0", "AM107", ""),
        ("maximize logg(dice)", "AM102", ""),
        ("ensure a.b < 3", "AM404", 'in quotes: "a.b"'),
        ("ensure dice < [1]", None, ""),
        ("maximize dice\nminimize dice", "AM404", ""),
    ],
)
def test_mistakes_about_metrics(body: str, code: str | None, help: str) -> None:
    checked = check_text(f"study {{\n{body}\n}}\nx ~ 1..3\nlet v ~ 1..3")
    assert [found.code for found in checked.diagnostics] == ([] if code is None else [code]), checked.rendered()
    assert help in checked.rendered()


def test_any_objective_of_a_higher_layer_replaces_those_below_and_ensures_add_up() -> None:
    text = "maximize a\nminimize b\nensure c > 1\nx ~ 1..3"
    assert [o.metric for o in parse(text).study.objectives] == ["a", "b"]
    assert len(parse(text + "\nensure d > 1").study.ensures) == 2


# -- study keys ------------------------------------------------------------------------------------------------------------


ALL = """
  maximize dice
  controller = CmaEs(sigma = 0.1)
  pruner = Hyperband(resource = "epochs", min = 5, max = 300, eta = 3)
  budget { trials = 9, gpu_hours = 3.5 }
  repeat { folds = 5, seeds = [0, 1], score = "median" }
  accelerate = true
  stall_time = 30min
  disk_reserve = 20GiB
  phase explore { controller = Sobol(), budget { trials = 64 }, workers = [[0], [1]] }
  phase polish { controller = TPE(batch = 4), pruner = Median(), search = ["lr", net], warm_start = 16 }
"""


def test_the_whole_table() -> None:
    program = study(ALL, "learning_rate ~ 0.1..1.0\nmodel.depth ~ 1..3")
    found = program.study
    assert found.controller == ir.Spec("CmaEs", {"sigma": 0.1})
    assert found.pruner == ir.Spec("Hyperband", {"resource": "epochs", "min": 5, "max": 300, "eta": 3})
    assert (found.budget.trials, found.budget.gpu_hours) == (9, 3.5)
    assert found.repeat == ir.Repeat(5, (0, 1), "median")
    assert (found.accelerate, found.stall_time_s, found.disk_reserve) == (True, 1800.0, 20 * 1024**3)
    assert found.phases == (
        ir.Phase("explore", ir.Spec("Sobol"), None, (ir.Worker((0,)), ir.Worker((1,))), ir.Budget(trials=64)),
        ir.Phase("polish", ir.Spec("TPE", {"batch": 4}), ir.Spec("Median"), search=("lr", "net"), warm_start=16),
    )
    assert list(problems(program)) == []
    assert ir.Program.from_bytes(program.to_bytes()) == program
    assert parse(program.to_automl()).study == found


def test_what_no_run_honours_is_a_warning_at_its_place() -> None:
    checked = check_text(f"study {{{ALL}}}\nlr ~ 0.1..1.0\nmodel.depth ~ 1..3")
    found = [(item.code, item.severity) for item in checked.diagnostics]
    assert found == [("AM199", "warning")] * 2
    text = checked.rendered()
    for said in ("phase explore", "phase polish"):
        assert said in text
    assert checked.program is not None
    assert len(unsupported(checked.program)) == 2


RUN = (
    *(f"controller = {name}()" for name in ("Sobol", "GP", "CmaEs", "NSGA2")),
    "controller = CmaEs(sigma = 0.1, population = 8)",
    "budget { gpu_hours = 2 }",
    "pruner = Median()",
)


def test_defaults_are_supported() -> None:
    for body in ("accelerate = true", "controller = TPE(startup = 3)", "seed = 3", "ensure a > 1", "maximize a + b", *RUN):
        assert unsupported(study(body)) == []


@pytest.mark.parametrize(
    ("body", "search", "said"),
    [
        ("controller = NSGA2(population = 20)", "", "first 20 at random, and the budget is 20 trials"),
        ("controller = NSGA2(), budget { trials = 12 }", "", "write `NSGA2(population = 2)`"),
        ("controller = NSGA2(population = 19)", "", None),
        ("controller = NSGA2(population = 19)", "lr = 2.0 ~ 0.1..1.0", "it never learns"),
        ("controller = NSGA2(), budget { time = 2h }", "", None),
        ("controller = CmaEs()", "let net ~ A() | B()", "so it is drawn at random"),
        ("controller = CmaEs()", "let net ~ A() | B(k ~ 1..3)", None),
        ("controller = CmaEs()", "let n ~ 1 | 2 | 4", None),
        ("budget { gpu_hours = 3 }, workers = [cpu(2), cpu(2)]", "", "no worker has one"),
        ("budget { gpu_hours = 3 }, workers = [[0], cpu(2)]", "", None),
        ("budget { gpu_hours = 3 }", "", None),
    ],
)
def test_what_does_nothing_is_a_warning(body: str, search: str, said: str | None) -> None:
    checked = check_text(f"automl 1\nstudy {{ maximize dice, {body} }}\n{search or 'lr ~ 0.1..1.0'}")
    found = [item for item in checked.diagnostics if item.code == "AM408"]
    assert checked.program is not None
    assert len(found) == (said is not None), checked.rendered()
    assert all(item.severity == "warning" for item in found)
    assert said is None or said in checked.rendered()


def test_a_controller_of_one_objective_refuses_two() -> None:
    checked = check_text("study {\nmaximize dice\nminimize seconds\ncontroller = CmaEs()\n}\nlr ~ 0.1..1.0")
    (found,) = [item for item in checked.diagnostics if item.severity == "error"]
    assert (found.code, found.message) == ("AM402", "`CmaEs` searches for one objective, and the study has 2")
    assert "`NSGA2()`" in found.help


@pytest.mark.parametrize(("limit", "trials"), [("gpu_hours = 2", None), ("patience = 3", 20), ("gpu_hours = 2, trials = 7", 7)])
def test_gpu_hours_are_a_limit_as_time_is(limit: str, trials: int | None) -> None:
    assert study(f"budget {{ {limit} }}").study.budget.trials == trials


@pytest.mark.parametrize("body", ["controller = PBT()", "pruner = my.Pruner()", "phase a { controller = Grid() }"])
def test_a_run_refuses_them_before_it_writes(body: str) -> None:
    from automl_run.engine.run import RunOptions, run_study

    with pytest.raises(InputError, match="is not supported yet"):
        run_study(study(body), RunOptions())


def test_an_mmar_reports_epochs_and_no_steps(tmp_path: Path) -> None:
    file = make_study(tmp_path, more="")
    text = file.read_text()
    for resource, codes in (("steps", ["AM402"]), ("epochs", []), ("reports", [])):
        file.write_text(text.replace("controller", f'pruner = ASHA(resource = "{resource}")\n  controller'))
        found = [item.code for item in check(file).diagnostics if item.severity == "error"]
        assert found == codes
    assert parse("study { pruner = null }\nx ~ 1..3").study.pruner is None


def test_a_class_of_ones_own_is_data() -> None:
    program = study('controller = my.pkg.Own(width = 3, name = "a")\npruner = my.Pruner()')
    assert program.study.controller == ir.Spec("my.pkg.Own", {"width": 3, "name": "a"})
    assert program.study.pruner == ir.Spec("my.Pruner")


def test_a_dotted_phase_key() -> None:
    program = study("phase a { controller = Grid() }")
    assert program.study.phases[0].controller == ir.Spec("Grid")
    dotted = parse("study.phase.a.controller = Grid()\nstudy.phase.a.budget.trials = 3\nx ~ 1..3").study.phases
    assert dotted == (ir.Phase("a", ir.Spec("Grid"), budget=ir.Budget(trials=3)),)


@pytest.mark.parametrize(
    ("body", "trials"),
    [
        ("phase a { budget { trials = 3 } }", None),
        ("phase a { controller = Grid() }", None),
        ("phase a { controller = Sobol() }", 20),
        ("phase a { budget { trials = 3 } }\nphase b { controller = GP() }", 20),
    ],
)
def test_a_study_with_phases_ends(body: str, trials: int | None) -> None:
    assert study(body).study.budget.trials == trials


@pytest.mark.parametrize(
    ("body", "code", "help"),
    [
        ("phase { controller = Grid() }", "AM402", "phase explore { ... }"),
        ("phase a { }\nphase a { }", "AM111", ""),
        ("phase a { contoller = Grid() }", "AM401", "did you mean `controller`?"),
        ("phase a { seed = 3 }", "AM401", ""),
        ("phase a { budget { trails = 3 } }", "AM401", "did you mean `trials`?"),
        ("phase a { controller = Sobl() }", "AM403", "did you mean `Sobol`?"),
        ("phase a { search = lr }", "AM402", "search = ["),
        ('phase a { search = ["nett"] }', "AM402", ""),
        ("phase a { warm_start = 4 }", "AM402", "first phase"),
        ("phase a { maximize x }", "AM402", ""),
        ("phase = 3", "AM402", "phase explore"),
        ("pruner = Medain()", "AM403", "did you mean `Median`?"),
        ("pruner = Median(start = 3)", "AM203", "did you mean `startup`?"),
        ("pruner = Hyperband(min = 5, max = 5)", "AM402", "max = 300"),
        ("pruner = ASHA(eta = 1)", "AM402", ""),
        ("pruner = 3", "AM402", ""),
        ('pruner = ASHA(resource = "epoch")', "AM402", "did you mean `epochs`?"),
        ('pruner = ASHA(resource = "seconds")', "AM402", '"epochs", "steps", "reports"'),
        ("repeat { fold = 5 }", "AM401", "did you mean `folds`?"),
        ("repeat { folds = 1 }", "AM402", "from 2"),
        ("repeat { folds = 500, seeds = [0, 1, 2] }", "AM402", "1500 jobs for each point are more than 1000"),
        ('repeat { score = "min" }', "AM402", "folds = 5"),
        ('repeat { folds = 2, score = "max" }', "AM402", ""),
        ("repeat { seeds = 3 }", "AM402", ""),
        ("repeat { seeds = [1, 1] }", "AM402", "twice"),
        ("repeat = 5", "AM402", "repeat {"),
        ("repeat x { folds = 2 }", "AM402", "takes no name"),
        ("stall_time = 30", "AM402", "30min"),
        ("disk_reserve = 3h", "AM402", "20GiB"),
        ("accelerate = 1", "AM402", ""),
        ("budget { gpu_hours = 0 }", "AM402", ""),
        ("budgets { trials = 3 }", "AM401", "did you mean `budget`?"),
        ("controller { TPE() }", "AM", ""),
    ],
)
def test_mistakes(body: str, code: str, help: str) -> None:
    checked = check_text(f"study {{\n{body}\n}}\nx ~ 1..3")
    found = [item.code for item in checked.diagnostics if item.severity == "error"]
    assert len(found) == 1, checked.rendered()
    assert found[0].startswith(code), checked.rendered()
    assert help in checked.rendered()
