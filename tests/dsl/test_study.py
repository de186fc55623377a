"""The `study` section."""

from __future__ import annotations

import pytest

from automl_run.dsl.ir import Budget, Objective, Spec, Study, Worker
from automl_run.dsl.load import check_text, parse


def study(body: str) -> Study:
    return parse(f"study {{\n{body}\n}}\nx ~ 1..3").study


def test_all_keys() -> None:
    found = parse(
        """
        study "demo" {
          target = Python("pkg.mod:fn")
          maximize dice
          minimize loss
          budget { trials = 40, time = 12h, job_time = 30min, target = 0.9, patience = 5 }
          controller = TPE(startup = 24)
          workers = [[0], [1, 2]]
          seed = 7
          order = "arrival"
          baseline = false
          keep = 3
        }
        x ~ 1..3
        """
    ).study
    assert found == Study(
        name="demo",
        target=Spec("Python", {"function": "pkg.mod:fn"}),
        objectives=(Objective("dice", "maximize"), Objective("loss", "minimize")),
        controller=Spec("TPE", {"startup": 24}),
        budget=Budget(40, 43200.0, 1800.0, 0.9, 5),
        workers=(Worker((0,)), Worker((1, 2))),
        seed=7,
        baseline=False,
        keep=3,
    )


def test_defaults() -> None:
    found = parse("x ~ 1..3").study
    assert found == Study(budget=Budget(trials=20))


@pytest.mark.parametrize(
    ("body", "trials"),
    [
        ("controller = Random()", 20),
        ("controller = TPE()", 20),
        ("controller = Grid()", None),
        ("controller = Reinforcement(max_rounds = 3)", None),
        ("budget { time = 1h }", None),
        ("budget { target = 0.9 }", None),
        ("budget { trials = 3 }", 3),
        ("budget { patience = 3 }", 20),
    ],
)
def test_default_number_of_trials(body: str, trials: int | None) -> None:
    assert study(body).budget.trials == trials


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        ("[[0], [1, 2]]", (Worker((0,)), Worker((1, 2)))),
        ("[cpu(4), cpu(2)]", (Worker((), 4), Worker((), 2))),
        ("[[g] for g in 0..2]", (Worker((0,)), Worker((1,)), Worker((2,)))),
        ("[[g, g + 1] for g in [0, 2]]", (Worker((0, 1)), Worker((2, 3)))),
        ("[cpu(2) for i in 0..1]", (Worker((), 2), Worker((), 2))),
        ("auto", ()),
    ],
)
def test_workers(workers: str, expected: tuple[Worker, ...]) -> None:
    assert study(f"workers = {workers}").workers == expected


@pytest.mark.parametrize("target", ['Command("python t.py --lr {x} {x.depth} ${HOME} {1..3}")', 'Python("a.b:C.method")'])
def test_targets(target: str) -> None:
    assert study(f"target = {target}\nmaximize dice").target is not None


def test_clara_name_of_the_controller() -> None:
    assert study("controller = ReinforcementController(max_rounds = 2)").controller == Spec("Reinforcement", {"max_rounds": 2})


def test_dotted_keys_and_parentheses_may_be_left_out() -> None:
    found = parse("study.seed = 5\nstudy.budget.trials = 3\nstudy.controller = Grid\nx ~ 1..3").study
    assert (found.seed, found.budget.trials, found.controller) == (5, 3, Spec("Grid"))


def test_objectives_outside_the_section() -> None:
    assert parse("maximize dice\nx ~ 1..3").study.objectives == (Objective("dice", "maximize"),)


@pytest.mark.parametrize(
    ("body", "code", "help"),
    [
        ("trails = 3", "AM401", "budget { trials = ... }"),
        ("controler = Grid()", "AM401", "did you mean `controller`?"),
        ("budget { trails = 3 }", "AM401", "did you mean `trials`?"),
        ("controller = TEP()", "AM403", "did you mean `TPE`?"),
        ("controller = Foo()", "AM403", "Reinforcement"),
        ("controller = PBT()", "AM199", "a run refuses this"),
        ("controller = Sobol(n = 3)", "AM203", "takes no arguments"),
        ("controller = CmaEs(sigma = 0)", "AM402", "above 0"),
        ("controller = CmaEs(population = 3)", "AM402", "whole number from 4"),
        ("controller = NSGA2(population = 1)", "AM402", "whole number from 2"),
        ("budget { gpu_hours = 2h }", "AM108", "write `2`"),
        ("controller = TPE(start = 3)", "AM203", "did you mean `startup`?"),
        ("controller = TPE(startup = 0)", "AM402", ""),
        ("controller = TPE(3)", "AM115", ""),
        ("workers = [[0], [0, 0]]", "AM402", ""),
        ("workers = [[-1]]", "AM402", ""),
        ("workers = []", "AM402", "cpu(4)"),
        ("workers = [cpu(0)]", "AM402", ""),
        ("workers = [cpu, cpu]", "AM101", "`cpu(1)`"),
        ("repeat { }", "AM402", "repeat { folds = 5 }"),
        ('repeat { score = "median" }', "AM402", "repeat { folds = 5 }"),
        ('repeat { folds = 2, score = "max" }', "AM402", ""),
        ('minimize loss\nrepeat { folds = 2, score = "min" }', "AM409", '`score = "worst"`'),
        ("budget { time = 3 }", "AM402", "12h"),
        ("budget { time = 3GiB }", "AM402", ""),
        ("budget { trials = 0 }", "AM402", ""),
        ("budget { trials = 2.5 }", "AM402", ""),
        ("budget = 3", "AM402", ""),
        ("seed = -1", "AM402", ""),
        ("seed ~ 1..3", "AM402", ""),
        ('order = "random"', "AM402", ""),
        ('target = Python("a:b")', "AM404", "maximize NAME"),
        ('target = Pyhton("a:b")\nmaximize d', "AM405", "did you mean `Python`?"),
        ('target = Python("a.b")\nmaximize d', "AM405", "module:function"),
        ('target = Bundle("d")\nmaximize d', "AM305", ""),
        ("target = Command(3)\nmaximize d", "AM405", ""),
        ('target = Command("t.py {xs}")\nmaximize d', "AM405", "did you mean `x`?"),
        ("maximize a.b", "AM404", 'stands in quotes: "a.b"'),
        ("maximize a > 1", "AM104", "`ensure`"),
        ("maximize x", "AM404", ""),
        ("maximize dice\nminimize dice", "AM404", ""),
        ("pruner = my.Pruner()", "AM199", ""),
        ("pruner = Median()\nmaximize a\nminimize b", "AM199", "a pruner for 2 objectives"),
        ('target = Command("true")\nmaximize d\naccelerate = true', "AM199", ""),
        ("seed = 1\nseed = 2", "AM111", ""),
        ("let v = 3", "AM402", ""),
        ("handlers = StatsHandler()", "AM402", "a list"),
        ("handlers = [StatHandler()]", "AM402", "did you mean `StatsHandler`?"),
        ("handlers = [Mine()]", "AM402", "pkg.mod.Mine()"),
        ("handlers = [StatsHandler(3)]", "AM115", ""),
        ("handlers = [StatsHandler(k = 3)]", "AM203", "takes no arguments"),
        ("handlers = [MMARHandler(num_mmars_to_kep = 3)]", "AM203", "did you mean `num_mmars_to_keep`?"),
        ("handlers = [MMARHandler(num_mmars_to_keep = 0)]", "AM402", "`num_mmars_to_keep` of `MMARHandler`"),
        ("handlers = [~ StatsHandler() | MMARHandler()]", "AM402", ""),
        ('executor = "local"', "AM402", "MMARExecutor()"),
        ("executor = MMARExecutor(msg = 3)", "AM203", ""),
        ('executor = MMARExecutor(msg_destination = "flie")', "AM402", '"file", "console", "both"'),
    ],
)
def test_mistakes(body: str, code: str, help: str) -> None:
    checked = check_text(f"study {{\n{body}\n}}\nx ~ 1..3")
    assert [found.code for found in checked.diagnostics] == [code], checked.rendered()
    assert help in checked.rendered()


def test_two_studies_in_one_file() -> None:
    checked = check_text("study { seed = 1 }\nstudy { keep = 2 }\nx ~ 1..3")
    assert [found.code for found in checked.diagnostics] == ["AM406"]


def test_handlers_and_the_executor() -> None:
    found = study(
        "handlers = [MMARHandler(num_mmars_to_keep = 3), StatsHandler, my.mod.Mine(k = [1, 2])]\nexecutor = my.mod.Runs()"
    )
    assert found.handlers == (
        Spec("MMARHandler", {"num_mmars_to_keep": 3}), Spec("StatsHandler"), Spec("my.mod.Mine", {"k": [1, 2]})
    )  # fmt: skip
    assert found.executor == Spec("my.mod.Runs")


def test_what_mmar_handler_says_are_keys_of_the_study() -> None:
    handler = 'MMARHandler(num_mmars_to_keep = 3, stop_threshold = 0.9, work_dir = "runs")'
    found = study(f"handlers = [{handler}]")
    assert (found.keep, found.budget.target, found.out) == (3, 0.9, "runs")
    assert study(f"handlers = [{handler}]\nkeep = 5").keep == 5


@pytest.mark.parametrize("keys", ["handlers = [my.mod.Mine(k = 3)]", "executor = my.mod.Runs()"])
def test_own_handlers_and_executors_count_and_survive_a_round_trip(keys: str) -> None:
    text = "study {{ {} }}\nx ~ 1..3"
    checked = check_text(text.format(keys))
    assert not checked.diagnostics
    program = checked.unwrap()
    assert program.digest != parse(text.format("seed = 0")).digest
    assert program.digest != parse(text.format(keys.replace("Mine", "Other").replace("Runs", "Other"))).digest
    again = parse(program.to_automl())
    assert (again.digest, again.study.handlers, again.study.executor) == (
        program.digest, program.study.handlers, program.study.executor
    )  # fmt: skip


def test_claras_own_leave_the_digest() -> None:
    digest = parse("study { seed = 0 }\nx ~ 1..3").digest
    assert parse("study { handlers = [StatsHandler()], executor = MMARExecutor() }\nx ~ 1..3").digest == digest


def test_they_are_merged_over_layers_by_their_key() -> None:
    assert parse("study { handlers = [a.B()] }\nx ~ 1..3\nstudy.executor = a.C()").study.executor == Spec("a.C")


def test_an_objective_is_no_key() -> None:
    assert "without `=`" in check_text('study { target = Python("a:b"), maximize d }\nstudy.maximize = 3').rendered()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('Mmar("no/such/folder")', "AM305"),
        (f'Mmar("{"a" * 300}")', "AM305"),
        ('Mmar("a\\u0000b")', "AM305"),
        ('Mmar(".")', "AM405"),
    ],
)
def test_an_mmar_is_a_folder_with_a_training_config_as_base(text: str, code: str) -> None:
    assert [found.code for found in check_text(f"study {{ target = {text} }}\nlr ~ 0.1..1.0").diagnostics] == [code]
