"""From a study's `controller` to a controller."""

from __future__ import annotations

import subprocess
import sys

import pytest

from automl_run.dsl.controllers import RUNNABLE
from automl_run.dsl.ir import Binary, Int, Lit, Param, ParamRef, Require, Spec
from automl_run.engine.controllers.registry import CLASSES, describe, make_controller
from automl_run.engine.controllers.reinforcement import Reinforcement
from automl_run.engine.controllers.tpe import TPE
from automl_run.engine.testing.controller_suite import conditional_program, finite_program, letters, make_program
from automl_run.errors import InputError


def with_controller(name: str, **args: object) -> Spec:
    return Spec(name, args)  # type: ignore[arg-type]


def test_auto_is_tpe_and_says_so() -> None:
    assert isinstance(make_controller(conditional_program()), TPE)
    assert describe(Spec("Auto")) == "Auto: TPE(startup = 10)"
    assert describe(Spec("Random")) == "Random"
    assert describe(with_controller("CmaEs", population=6)) == "CmaEs(sigma = 0.3, population = 6)"
    assert describe(with_controller("Reinforcement", max_rounds=3)) == "Reinforcement(max_rounds = 3)"


def test_what_the_language_calls_runnable_is_here() -> None:
    assert set(CLASSES) | {"Auto"} == RUNNABLE


def test_claras_name_is_known() -> None:
    program = make_program(letters("net", 2), controller=with_controller("ReinforcementController", max_rounds=2))
    assert isinstance(make_controller(program), Reinforcement)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (with_controller("Rndom"), "unknown controller `Rndom`.*`Random`"),
        (with_controller("Auto", startup=3), "Auto takes no arguments.*`startup`"),
        (with_controller("Random", seed=3), "unknown argument `seed`: it takes none"),
        (with_controller("TPE", start=3), "unknown argument `start`.*`startup`"),
        (with_controller("TPE", startup=0), "`startup` is an integer of at least 1, not 0"),
        (with_controller("Reinforcement", max_rounds=0), "`max_rounds` is an integer of at least 1, not 0"),
        (with_controller("Reinforcement", max_rounds=2.5), "`max_rounds` is an integer"),
        (with_controller("Reinforcement", max_rounds=True), "`max_rounds` is an integer"),
        (with_controller("Grid", points=None), "`points` is an integer of at least 1, not None"),
        (with_controller("Sobol", seed=3), "unknown argument `seed`: it takes none"),
        (with_controller("GP", startup=0), "`startup` is an integer of at least 1, not 0"),
        (with_controller("CmaEs", sigma=0), "`sigma` is a number above 0, not 0"),
        (with_controller("CmaEs", population=3), "`population` is an integer of at least 4, not 3"),
        (with_controller("NSGA2", population=1), "`population` is an integer of at least 2, not 1"),
        (with_controller("Grid"), "`lr` is a range of floats without a step"),
    ],
)
def test_bad_arguments_are_named(spec: Spec, message: str) -> None:
    program = conditional_program()
    with pytest.raises(InputError, match=message):
        make_controller(make_program(*program.params, controller=spec))


def test_an_impossible_space_is_bad_input() -> None:
    impossible = Require(Binary(">", ParamRef("n"), Lit(5)), text="n > 5")
    program = make_program(Param("n", Int(1, 3), ("n",), (1,)), requires=(impossible,))
    for name in sorted(RUNNABLE):
        with pytest.raises(InputError, match="n > 5"):
            make_controller(make_program(*program.params, requires=program.requires, controller=Spec(name)))


@pytest.mark.parametrize(("baseline", "trials", "expected"), [(True, 4, 3), (False, 4, 4), (True, 1, 0), (True, None, 9)])
def test_the_baseline_takes_one_of_the_budget(baseline: bool, trials: int | None, expected: int) -> None:
    program = make_program(*finite_program().params, trials=trials, baseline=baseline, controller=Spec("Grid"))
    controller = make_controller(program)
    assert len(controller.recommend(99)) == expected
    assert controller.exhausted


@pytest.mark.parametrize("name", sorted(RUNNABLE))
def test_nothing_to_search_is_one_point(name: str) -> None:
    controller = make_controller(make_program(trials=1, baseline=False, controller=Spec(name)))
    assert [dict(entry.point or {}) for entry in controller.recommend(5)] == [{}]


def test_choosing_a_controller_imports_nothing_heavy() -> None:
    heavy = "{'optuna', 'torch', 'numpy', 'scipy', 'cmaes'}"
    code = f"import sys, automl_run.engine.controllers.registry; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
