"""Executors of the user's, in the processes of jobs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from own_code import own_program

from automl_run.dsl import ir
from automl_run.engine.run import RunOptions, resume_study, run_study
from automl_run.errors import InputError

MORE = '''
import threading


class Waits(Sums):
    """3 ends when the others have begun, these when they are told to."""

    def __init__(self):
        super().__init__()
        self.told = threading.Event()

    def execute(self, recommendation, ctx):
        score = super().execute(recommendation, ctx)
        if score < 3:
            open(f"began {score}", "w").close()
            assert self.told.wait(60)
        while score == 3 and not (os.path.exists("began 1") and os.path.exists("began 2")):
            time.sleep(0.01)
        return score

    def abort(self, ctx):
        print("ABORT", ctx.get_prop("_jobName"))
        self.told.set()


class Words(Sums):
    def execute(self, recommendation, ctx):
        return "good"


class Fails(Sums):
    def execute(self, recommendation, ctx):
        raise RuntimeError("no scanner")
'''


def program(base: Path, executor: ir.Spec, **study: object) -> ir.Program:
    """Grid over `k` alone."""
    made = own_program(base, "Grid", MORE, executor=executor, **study)
    return ir.Program(made.study, made.params[1:], ir.MapNode({"x": ir.Const(0.5), "k": ir.Read("k")}), base_dir=str(base))


def test_it_gives_the_score_and_the_baseline_stays_outside(tmp_path: Path) -> None:
    result = run_study(program(tmp_path, ir.Spec("mine.Sums", {"scale": 10})), RunOptions(run_id="a"))
    assert [job["score"] for job in result.summary["jobs"]] == [1.5, 20.0, 30.0]
    first, second, _ = (job["name"] for job in result.summary["jobs"])
    log = (result.folder / second / "log.txt").read_text()
    assert f"EXECUTE {{'net.enum.$0:k': 1}} {second}" in log
    assert "SHUTDOWN" in log
    assert "EXECUTE" not in (result.folder / first / "log.txt").read_text()


def test_it_is_aborted(tmp_path: Path) -> None:
    study = {"baseline": False, "workers": (ir.Worker(),) * 3, "budget": ir.Budget(target=3.0)}
    result = run_study(program(tmp_path, ir.Spec("mine.Waits"), **study), RunOptions(run_id="a"))
    assert [job["state"] for job in result.summary["jobs"]] == ["stopped", "stopped", "done"]
    assert result.summary["reason"] == "W3_1_J3 reached the target of 3 with 3"
    assert "ABORT W1_1_J1" in (result.folder / "W1_1_J1" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Words", "executor `mine.Words`: execute gave 'good' (str), where a score was expected"),
        ("Fails", "RuntimeError: no scanner"),
    ],
)
def test_a_failure_is_the_jobs(tmp_path: Path, name: str, message: str) -> None:
    result = run_study(program(tmp_path, ir.Spec(f"mine.{name}")), RunOptions(run_id="a"))
    assert [job["state"] for job in result.summary["jobs"]] == ["done", "failed", "failed"]
    assert message in result.summary["jobs"][1]["message"]


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"executor `mine.Sum`: .*mine.py has no class `Sum`: did you mean `Sums`"):
        run_study(program(tmp_path, ir.Spec("mine.Sum")), RunOptions(run_id="a"))
    two = (ir.Objective("a", "maximize"), ir.Objective("b", "maximize"))
    with pytest.raises(InputError, match="gives one score, and the study has 2 objectives"):
        run_study(program(tmp_path, ir.Spec("mine.Sums"), objectives=two), RunOptions(run_id="a"))
    assert not (tmp_path / "runs").exists()


SPACES = '''
from automl.defs import SearchSpace


class Range:
    def __init__(self, low, high):
        self.min, self.max = low, high


class Own(Sums):
    """`space`: which of these it determines."""

    def __init__(self, space):
        super().__init__()
        self.space = space

    def determine_search_space(self, ctx):
        good = {"lr.float.optim$0:lr": [Range(0.0, 1.0)], "net.enum.net$0:width,depth": [[1, 10], [2, 20]]}
        return {
            "good": SearchSpace(good),
            "nothing": None,
            "no space": 3,
            "no list": SearchSpace({"a": 3}),
            "uneven": SearchSpace({"a": [[1], [1, 2]]}),
            "no range": SearchSpace({"a": [Range(1.0, 1.0)]}),
        }[self.space]

    def execute(self, recommendation, ctx):
        super().execute(recommendation, ctx)
        concrete = ctx.get_prop(ContextKey.CONCRETE_SEARCH_VALUE)
        return concrete["lr.float.optim$0:lr"][0] + sum(concrete["net.enum.net$0:width,depth"])
'''


def searching_nothing(base: Path, space: str, controller: str = "mine.Draws") -> ir.Program:
    made = own_program(base, controller, SPACES, executor=ir.Spec("mine.Own", {"space": space}), workers=(ir.Worker(),))
    config = ir.MapNode({"x": ir.Const(0.5), "k": ir.Const(1)})
    return ir.Program(made.study, (), config, base_dir=str(base), digest="d1")


def test_it_determines_what_is_searched(tmp_path: Path) -> None:
    result = run_study(searching_nothing(tmp_path, "good"), RunOptions(run_id="a"))
    jobs = result.summary["jobs"]
    assert (jobs[0]["score"], len(jobs)) == (1.5, 6)
    for job in jobs[1:]:
        params = job["params"]
        assert set(params) == {"optim.lr", "net.width", "net.depth"}
        assert params["net.depth"] == 10 * params["net.width"]
        assert job["score"] == pytest.approx(params["optim.lr"] + params["net.width"] + params["net.depth"])
    assert result.summary["reason"] == "Draws: 5 rounds"
    again = resume_study(result.folder, RunOptions(budget={"study.budget.trials": "none"}))
    assert again.summary["jobs"] == result.summary["jobs"]


@pytest.mark.parametrize("controller", ["Random", "TPE", "Reinforcement"])
def test_stock_controllers_search_it(tmp_path: Path, controller: str) -> None:
    program = searching_nothing(tmp_path, "good", controller)
    study = msgspec.structs.replace(program.study, budget=ir.Budget(trials=3))
    result = run_study(msgspec.structs.replace(program, study=study), RunOptions(run_id="a"))
    assert [job["state"] for job in result.summary["jobs"]] == ["done"] * 3


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("no space", "mine.Own.determine_search_space failed: ValueError: it gave 3 (int), where a SearchSpace was expected"),
        ("no list", "'a' (str) has 3 (int), where a list was expected"),
        ("uneven", "the choices of `a` do not have one number of values"),
        ("no range", "mine.Own.determine_search_space: `a` has no range: 1 to 1"),
        ("missing", "mine.Own.determine_search_space failed: KeyError: 'missing'"),
    ],
)
def test_a_space_that_is_none(tmp_path: Path, space: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        run_study(searching_nothing(tmp_path, space), RunOptions(run_id="a"))
    assert message in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_the_configuration_and_the_executor_say_different_things(tmp_path: Path) -> None:
    program = own_program(tmp_path, "Random", SPACES, executor=ir.Spec("mine.Own", {"space": "good"}))
    with pytest.raises(InputError, match=r"another search space than the configuration has: they differ in `lr.float.\$0:x`"):
        run_study(program, RunOptions(run_id="a"))
