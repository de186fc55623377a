"""`repeat { }`: several jobs of one recommendation, one outcome."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from core_run import Run, of, program, sent
from studies import study, threads

from automl_run.dsl import ir
from automl_run.engine.admin.console import read_run
from automl_run.engine.core import facts
from automl_run.engine.core import inputs as on
from automl_run.engine.core.apply import replay
from automl_run.engine.core.repetition import aggregate
from automl_run.engine.core.state import durable
from automl_run.engine.folds import Fold, split
from automl_run.engine.run import resume_study, run_study
from automl_run.engine.wire import messages as wire
from automl_run.errors import JobError

FOLDS = ir.Repeat(folds=3)


def observed(run: Run) -> list[tuple[int, str, Any]]:
    shown = [command.outcome for command in of(run.commands, on.Observe) if isinstance(command, on.Observe)]
    return [(outcome.index, outcome.state, outcome.scores) for outcome in shown]


def verdicts(run: Run) -> list[facts.Concluded]:
    return [fact for fact in run.journal if isinstance(fact, facts.Concluded)]


def test_the_mean_of_three_folds_is_the_one_outcome() -> None:
    run = Run(program(repeat=FOLDS))
    run.up()
    for score in (0.5, 0.6):
        run.done(dice=score)
        assert observed(run) == []
    run.done(dice=0.7)
    assert observed(run) == [(0, "done", (pytest.approx(0.6),))]
    (verdict,) = verdicts(run)
    assert (verdict.index, verdict.model) == (0, "W1_3_J3")
    assert run.state.best == "W1_3_J3"
    assert [run.state.jobs[name].repetition for name in run.state.recommended[0].jobs] == [0, 1, 2]
    assert durable(run.state) == replay(run.journal)


def test_workers_share_the_folds_and_the_controller_is_asked_for_no_more_than_needed() -> None:
    run = Run(program(repeat=FOLDS), workers=("W1", "W2", "W3", "W4"))
    asked = [command.n for worker in run.workers for command in of(run.up(worker), on.Ask) if isinstance(command, on.Ask)]
    assert [job.index for job in run.state.jobs.values()] == [0, 0, 0]
    assert asked == [1]
    run.answer()
    assert [run.state.jobs[name].index for name in run.state.running] == [0, 0, 0, 1]


def test_seeds_are_those_that_the_study_says_and_folds_have_their_own() -> None:
    run = Run(program(repeat=ir.Repeat(folds=2, seeds=(7, 9))), workers=("W1", "W2", "W3", "W4"))
    for worker in run.workers:
        run.up(worker)
    assert [job.seed for job in run.state.jobs.values()] == [7, 7, 9, 9]
    run = Run(program(repeat=FOLDS), workers=("W1", "W2", "W3"))
    for worker in run.workers:
        run.up(worker)
    assert len({job.seed for job in run.state.jobs.values()}) == 3


def test_a_failed_fold_fails_the_recommendation_and_stops_the_rest() -> None:
    run = Run(program(repeat=ir.Repeat(folds=4)), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    commands = run.failed(number=0)
    assert sent(commands, wire.Stop) == [wire.Stop("W2_1_J2", 1, "abandoned")]
    assert run.state.waiting == ()
    assert observed(run) == []
    job, fence, worker = run.job(0)
    run(on.Received(worker, wire.Done(job, fence, 1, {"dice": 0.4}, 1.0, True)))
    assert observed(run) == [(0, "failed", None)]
    (verdict,) = verdicts(run)
    assert (verdict.cause, verdict.message) == ("user_error", "W1_1_J1: because of user_error")
    assert run.ends() == {"W1_1_J1": "failed", "W2_1_J2": "stopped"}


def test_three_recommendations_that_fail_alike_end_the_study() -> None:
    run = Run(program(repeat=FOLDS))
    run.up()
    run.failed()
    for _ in range(2):
        run.answer()
        run.failed()
    assert run.status() == "failed"
    assert run.state.reason.startswith("the first 3 recommendations failed alike")


def test_a_fold_that_is_lost_is_tried_again_alone() -> None:
    run = Run(program(repeat=FOLDS))
    run.up()
    run.done(dice=0.5)
    run.failed("gpu_error")
    assert run.job()[:2] == ("W1_2_J2", 2)
    run.done(dice=0.5)
    run.done(dice=0.5)
    assert observed(run) == [(0, "done", (0.5,))]


def test_an_abandoned_fold_whose_scheduler_was_killed_is_not_run_again() -> None:
    run = Run(program(repeat=FOLDS), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.failed(number=0)
    run.begin()
    assert run.ends() == {"W1_1_J1": "failed", "W2_1_J2": "stopped"}
    assert observed(run) == [(0, "failed", None)]


def test_an_interrupted_fold_goes_on_with_the_same_recommendation() -> None:
    run = Run(program(repeat=FOLDS))
    run.up()
    run.done(dice=0.5)
    run(on.Interrupt())
    run.done(stopped=True)
    assert (run.status(), observed(run)) == ("paused", [])
    run.begin()
    run.up()
    run.done(dice=0.6)
    run.done(dice=0.7)
    assert observed(run) == [(0, "done", (pytest.approx(0.6),))]


def test_an_operators_abort_is_the_end_of_the_recommendation() -> None:
    run = Run(program(repeat=FOLDS))
    run.up()
    run.done(dice=0.5)
    run(on.AbortJob("W1_2_J2"))
    run.done(stopped=True)
    assert observed(run) == [(0, "stopped", (0.5,))]
    assert verdicts(run)[0].cause == "operator"


def test_what_cannot_become_the_best_is_left_out_if_the_study_says_so() -> None:
    for abandon, jobs in ((True, 4), (False, 6)):
        run = Run(program(repeat=ir.Repeat(folds=3, abandon=abandon)))
        run.up()
        for score in (0.8, 0.8, 0.8):
            run.done(dice=score)
        run.answer()
        run.done(dice=0.7)
        if not abandon:
            run.done(dice=0.7)
            run.done(dice=0.7)
        ended = [job for job in run.state.jobs.values() if job.ended]
        assert len(ended) == jobs
        state = "stopped" if abandon else "done"
        assert observed(run)[1] == (1, state, (pytest.approx(0.7),))
    # One that was given up too late has all there is to have.
    run = Run(program(repeat=ir.Repeat(folds=2, abandon=True)), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.done(number=0, dice=0.8)
    run.done(number=0, dice=0.8)
    run.answer()
    assert sent(run.done(number=0, dice=0.1), wire.Stop)
    run.done(number=0, dice=0.7)
    assert observed(run)[1] == (1, "done", (pytest.approx(0.4),))
    # With a better fold to hope for, it goes on.
    run = Run(program(repeat=ir.Repeat(folds=3, abandon=True)))
    run.up()
    for score in (0.7, 0.8, 0.9):
        run.done(dice=score)
    run.answer()
    run.done(dice=0.75)
    assert len(observed(run)) == 1


def test_the_fixed_order_shows_recommendations_not_jobs() -> None:
    run = Run(program(repeat=ir.Repeat(seeds=(1, 2)), order="fixed"), workers=("W1", "W2"))
    run.up("W1")
    run.up("W2")
    run.done(number=0, dice=0.5)
    assert observed(run) == []
    run.answer()
    run.done(number=0, dice=0.7)
    assert [run.state.jobs[name].index for name in run.state.running] == [1, 1]
    assert observed(run) == []
    run.done(number=0, dice=0.1)
    assert observed(run) == [(0, "done", (pytest.approx(0.6),))]


@pytest.mark.parametrize(
    ("score", "direction", "value"),
    [
        ("mean", "minimize", 3.0),
        ("median", "maximize", 2.0),
        ("min", "minimize", 1.0),
        ("worst", "maximize", 1.0),
        ("worst", "minimize", 6.0),
    ],
)
def test_aggregates(score: Any, direction: str, value: float) -> None:
    assert aggregate(ir.Repeat(folds=3, score=score), [1.0, 2.0, 6.0], direction) == value


def test_folds_part_the_items_and_depend_on_the_seed_alone() -> None:
    items = list("abcdefghijk")
    held_out = []
    for number in range(3):
        training, validation = split(items, Fold(number, 3, 5))
        assert sorted(training + validation) == items
        assert training == sorted(training)
        held_out += validation
        assert len(validation) in (3, 4)
    assert sorted(held_out) == items
    assert split(items, Fold(0, 3, 5)) == split(items, Fold(0, 3, 5)) != split(items, Fold(0, 3, 6))
    with pytest.raises(ValueError, match="2 items cannot be split into 3 folds"):
        split("ab", Fold(0, 3, 0))


# -- whole runs -------------------------------------------------------------------------------------------------------------------


def fold_and_lr(assign: wire.Assign, report: object) -> Mapping[str, float]:
    assert assign.fold is not None
    lr = assign.config["lr"]
    assert isinstance(lr, float)
    return {"dice": lr + 0.1 * assign.fold.number}


def test_a_run_its_table_and_its_resume(tmp_path: Path) -> None:
    from automl_run.engine.report.html import render
    from automl_run.engine.report.table import final_table
    from automl_run.engine.summary import read_summary

    workers = (ir.Worker(), ir.Worker())
    result = run_study(study(tmp_path, repeat=FOLDS, workers=workers, budget=ir.Budget(trials=3)), threads(fold_and_lr))
    assert result.exit_code == 0
    rows, jobs = result.summary["recommendations"], result.summary["jobs"]
    assert [row["index"] for row in rows] == [0, 1, 2]
    assert [(job["index"], job["repetition"], job["fold"]) for job in jobs] == [(i, r, r) for i in range(3) for r in range(3)]
    for row in rows:
        lr = row["params"]["train.lr"]
        assert row["each"] == pytest.approx([lr, lr + 0.1, lr + 0.2])
        assert row["score"] == pytest.approx(lr + 0.1)
        assert row["spread"] == pytest.approx(0.1)
        assert row["state"] == "done"
    best = result.summary["best"]
    assert best["score"] == max(row["score"] for row in rows)
    assert best["job"] in {row["name"] for row in rows}
    (model,) = (job for job in jobs if job["name"] == best["job"])
    (counts,) = (row for row in rows if row["index"] == best["index"])
    assert best["repeated"] == {"how": "mean", "jobs": counts["jobs"], "scores": model["scores"]}
    assert model["score"] == max(counts["each"]) != best["score"]
    text = final_table(result.summary, result.folder, color=False, width=160)
    assert "3 recommendations: 3 done" in text
    assert "repetitions" in text.splitlines()[0] + text.splitlines()[1]
    assert re.search(rf"mean of 3 jobs; this job: +{model['score']:.4f}", text)
    page = render(read_summary(result.summary), result.folder)
    assert f"mean of 3 jobs; {best['job']}, the model, has {model['score']:.4f}" in page
    assert all(f'href="{job["name"]}/"' in page for job in jobs)
    more = threads(fold_and_lr, budget={"study.budget.trials": "4"})
    again = resume_study(result.folder, more)
    assert again.summary["recommendations"][:3] == rows
    assert len(again.summary["jobs"]) == 12
    assert read_run(result.folder)["recommendations"] == again.summary["recommendations"]


def test_the_models_of_a_recommendation_are_kept_together(tmp_path: Path) -> None:
    def job(assign: wire.Assign, report: object) -> Mapping[str, float]:
        models = tmp_path / "runs" / "a" / assign.job / "models"
        models.mkdir(parents=True)
        (models / "model.pt").write_text(assign.job)
        return fold_and_lr(assign, report)

    result = run_study(study(tmp_path, repeat=FOLDS, keep=1), threads(job))
    best = result.summary["best"]
    (row,) = (row for row in result.summary["recommendations"] if row["index"] == best["index"])
    assert {path.parent.parent.name for path in result.folder.glob("W*/models/model.pt")} == set(row["jobs"])
    assert (result.folder / "best" / "models" / "model.pt").read_text() == best["job"] == row["jobs"][2]


def test_a_study_whose_every_fold_fails_says_so(tmp_path: Path) -> None:
    def job(assign: wire.Assign, report: object) -> Mapping[str, float]:
        raise JobError("user_error", "no such file")

    result = run_study(study(tmp_path, repeat=FOLDS), threads(job))
    assert result.exit_code == 1
    assert "no such file" in result.summary["reason"]
    assert [row["state"] for row in result.summary["recommendations"]] == ["failed"] * 3
