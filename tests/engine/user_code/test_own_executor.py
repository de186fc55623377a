"""Executors of the user's, in the processes of jobs."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from brain import subjects
from own_code import own_program
from small_mmar import component, make_mmar, training_config

from automl_run.cli.main import main
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


#: What takes the place of the training of an MMAR: it reads the job's own configuration, and the MMAR's volumes.
BRIGHT = """
import json
from pathlib import Path

import nibabel
import numpy

from automl.components.executors.executor import Executor
from automl.defs import ContextKey


class Bright(Executor):
    def determine_search_space(self, ctx):
        return ctx.get_prop(ContextKey.SEARCH_SPACE)

    def execute(self, recommendation, ctx):
        job = Path(ctx.get_prop("job_mmar_root"))
        config = json.loads((job / "config" / "config_train.json").read_text())
        (top,) = [part["args"]["maxv"] for part in config["train"]["pre_transforms"] if "maxv" in part["args"]]
        assert [[top]] == list(ctx.get_prop(ContextKey.CONCRETE_SEARCH_VALUE).values())
        root = Path(__file__).parents[1]
        items = json.loads((root / config["validate"]["dataset"]["data_list_file_path"]).read_text())["validation"]
        scores = []
        for item in items:
            image, label = (nibabel.load(root / item[key]).get_fdata(dtype=numpy.float32) for key in ("image", "label"))
            white = (image - image.min()) / (image.max() - image.min()) * top > 1
            scores.append(2 * (white & (label == 1)).sum() / (white.sum() + label.sum()))
        return numpy.mean(scores)
"""


def test_one_in_place_of_an_mmars_training(tmp_path: Path) -> None:
    """From its files alone, as Clara's users have them: the baseline is trained, and what is recommended is its executor's."""
    config = training_config()
    (scale,) = (part for part in config["train"]["pre_transforms"] if part["name"] == "ScaleIntensityd#Scale")
    scale["args"]["maxv"] = 1.0
    scale["search"] = [{"domain": "transform", "type": "float", "args": ["maxv"], "targets": [1.2, 2.0]}]
    root = make_mmar(tmp_path / "mmar", config)
    automl = {"executor": {"path": "bright.Bright"}, "controller": component("ReinforcementController", max_rounds=2)}
    (root / "config" / "config_automl.json").write_text(json.dumps(automl))
    (root / "custom").mkdir()
    (root / "custom" / "bright.py").write_text(BRIGHT)
    assert main(["-m", str(root), "--set", "run_id=a", "workers=0:1"]) == 0
    run = root / "automl" / "a"
    baseline, *jobs = json.loads((run / "summary.json").read_bytes())["jobs"]
    assert (run / baseline["name"] / "models" / "model.pt").is_file()
    assert 0.0 <= baseline["score"] <= 1.0
    assert len(jobs) == 2
    for job in jobs:
        (top,) = job["params"].values()
        scores = []
        for image, label in subjects(6, 16, slice_step=2)[4:]:
            white, truth = (image - image.min()) / (image.max() - image.min()) * top > 1, label == 2
            scores.append(2 * (white & truth).sum() / (white.sum() + truth.sum()))
        assert job["score"] == pytest.approx(np.mean(scores), abs=1e-6)
        assert not (run / job["name"] / "models").exists()
