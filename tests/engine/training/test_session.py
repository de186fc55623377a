"""A training that is broken off goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from ignite.engine import Events
from monai.utils import set_determinism
from tiny_training import Recorder, tiny_session

from automl_run.dsl import ir
from automl_run.dsl.ir import Objective


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Training owns its process; here it must give the settings back. And a busy disk would make it slow."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    set_determinism(None)


class Killed(BaseException):
    """As sudden as SIGKILL: nothing of the training runs after it."""


def kill_at(session: Any, event: Any) -> None:
    def kill(engine: Any) -> None:
        raise Killed

    session.trainer.add_event_handler(event, kill)


def weights(folder: Path, name: str = "model_final.pt", attempt: str = "job") -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(folder / attempt / "models" / name, weights_only=True)["model"]
    return found


def whole(folder: Path, **options: Any) -> tuple[Recorder, dict[str, torch.Tensor]]:
    """The same training without an interruption."""
    report = Recorder(folder)
    tiny_session(folder, report, **options).run()
    return report, weights(folder)


def copied(session: Any) -> dict[str, torch.Tensor]:
    return {name: part.clone() for name, part in session.model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_best_weights_are_those_of_the_score_whatever_the_key_metric_thinks(
    tmp_path: Path, direction: Literal["maximize", "minimize"]
) -> None:
    """The evaluator holds the smallest loss for the best."""
    report, seen = Recorder(tmp_path), list[dict[str, torch.Tensor]]()
    session = tiny_session(tmp_path, report, goal=Objective("loss", direction))
    assert session.evaluator is not None
    session.evaluator.add_event_handler(Events.COMPLETED, lambda engine: seen.append(copied(session)))
    session.run()
    losses = [metrics["loss"] for _, metrics in report.seen]
    wanted = losses.index(max(losses) if direction == "maximize" else min(losses))
    assert losses.index(max(losses)) != losses.index(min(losses))
    assert same(weights(tmp_path, "model.pt"), seen[wanted])


def test_of_an_expression_the_weights_and_all_values_are_of_one_validation(tmp_path: Path) -> None:
    """It is the best where the key metric is the worst, and reads what the network has from its start."""
    metrics = ir.Metric("loss"), ir.Metric("parameters")
    expr = ir.Binary("+", ir.Binary("*", ir.Lit(2), metrics[0]), metrics[1])
    report, seen = Recorder(tmp_path), list[dict[str, torch.Tensor]]()
    session = tiny_session(tmp_path, report, goal=Objective("2 * loss + parameters", "maximize", expr), measured=("parameters",))
    assert session.evaluator is not None
    session.evaluator.add_event_handler(Events.COMPLETED, lambda engine: seen.append(copied(session)))
    session.run()
    losses = [metrics["loss"] for _, metrics in report.seen]
    wanted = losses.index(max(losses))
    assert same(weights(tmp_path, "model.pt"), seen[wanted])
    assert session.counted == report.seen[wanted][1]
    assert session.counted["train_loss"] != report.seen[-1][1]["train_loss"]


def test_what_only_the_end_tells_leaves_the_choice_to_the_key_metric(tmp_path: Path) -> None:
    expr = ir.Binary("-", ir.Metric("loss"), ir.Metric("seconds"))
    report = Recorder(tmp_path)
    session = tiny_session(tmp_path, report, goal=Objective("loss - seconds", "maximize", expr))
    session.run()
    assert session.counted["loss"] == min(metrics["loss"] for _, metrics in report.seen)


def test_without_an_evaluator_each_epoch_is_judged_by_its_loss(tmp_path: Path) -> None:
    report = Recorder(tmp_path)
    session = tiny_session(tmp_path, report, epochs=3, goal=Objective("train_loss", "maximize"), validates=False)
    seen: list[dict[str, torch.Tensor]] = []
    session.trainer.add_event_handler(
        Events.EPOCH_COMPLETED,
        lambda engine: seen.append({name: part.clone() for name, part in session.model.state_dict().items()}),
    )
    session.run()
    losses = [metrics["train_loss"] for _, metrics in report.seen]
    assert [step for step, _ in report.seen] == [1, 2, 3]
    assert same(weights(tmp_path, "model.pt"), seen[losses.index(max(losses))])
    assert session.counted == {"train_loss": max(losses)}


@pytest.mark.parametrize("workers", [0, 1])
def test_killed_it_goes_on_after_the_last_epoch_to_the_same_weights(tmp_path: Path, workers: int) -> None:
    expected, final = whole(tmp_path / "whole", workers=workers)
    killed = tiny_session(tmp_path / "cut", Recorder(tmp_path / "cut"), workers=workers)
    kill_at(killed, Events.ITERATION_COMPLETED(once=6))  # the last one of the third epoch, before its validation
    with pytest.raises(Killed):
        killed.run()
    report = Recorder(tmp_path / "cut")
    session = tiny_session(tmp_path / "cut", report, workers=workers, attempt="again")
    epochs: list[int] = []
    session.trainer.add_event_handler(Events.EPOCH_STARTED, lambda engine: epochs.append(engine.state.epoch))
    session.run()
    assert epochs == [3, 4]
    assert report.seen == expected.seen
    assert session.counted["loss"] == min(metrics["loss"] for _, metrics in expected.seen)
    assert same(weights(tmp_path / "cut", attempt="again"), final)
    assert same(weights(tmp_path / "cut", "model.pt", "again"), weights(tmp_path / "whole", "model.pt"))


@pytest.mark.parametrize("call", [1, 2, 3, 4, 5, 6, 8, 11])
def test_stopped_anywhere_it_misses_no_epoch_and_no_validation(tmp_path: Path, call: int) -> None:
    """The calls of `report`: two iterations, two items of the validation, the validation; and so on."""
    expected, _ = whole(tmp_path / "whole")
    first = Recorder(tmp_path / "cut", lambda calls: calls >= call)
    stopped = tiny_session(tmp_path / "cut", first)
    stopped.run()
    assert stopped.stopped
    assert first.calls <= call + 1
    report = Recorder(tmp_path / "cut")
    session = tiny_session(tmp_path / "cut", report, attempt="again")
    session.run()
    assert session.trainer.state.iteration == 8
    assert [step for step, _ in report.seen] == [1, 2, 3, 4]
    assert report.seen[: len(first.seen)] == first.seen == expected.seen[: len(first.seen)]


def test_a_study_that_says_stop_is_heard_within_one_report(tmp_path: Path) -> None:
    """From the report of the second validation on: the training has no further iteration, and its last weights are kept."""
    seen: list[int] = []
    report = Recorder(tmp_path, lambda calls: len(report.seen) >= 2)
    session = tiny_session(tmp_path, report, epochs=50)
    session.trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: seen.append(engine.state.iteration))
    session.run()
    assert seen == [1, 2, 3, 4]
    assert session.stopped
    assert (tmp_path / "job" / "models" / "model_final.pt").is_file()


def test_a_job_that_had_ended_ends_again_without_training(tmp_path: Path) -> None:
    """Its result was lost, not its checkpoints."""
    expected, final = whole(tmp_path)
    report = Recorder(tmp_path)
    again = tiny_session(tmp_path, report, attempt="again")
    kill_at(again, Events.ITERATION_STARTED)
    again.run()
    assert report.seen == expected.seen
    assert same(weights(tmp_path, attempt="again"), final)


def test_a_stop_that_comes_while_the_course_is_told_again_ends_it(tmp_path: Path) -> None:
    whole(tmp_path)
    again = tiny_session(tmp_path, Recorder(tmp_path, lambda calls: calls >= 2), epochs=9, attempt="again")
    kill_at(again, Events.ITERATION_STARTED)
    again.run()
    assert again.stopped


def test_an_early_stop_goes_on_counting(tmp_path: Path) -> None:
    """It takes no validation for a better one, and has patience for three."""
    expected, _ = whole(tmp_path / "whole", epochs=9, patience=3)
    assert len(expected.seen) == 4
    cut = tiny_session(tmp_path / "cut", Recorder(tmp_path / "cut"), epochs=9, patience=3)
    kill_at(cut, Events.ITERATION_COMPLETED(once=7))
    with pytest.raises(Killed):
        cut.run()
    report = Recorder(tmp_path / "cut")
    tiny_session(tmp_path / "cut", report, epochs=9, patience=3, attempt="again").run()
    assert report.seen == expected.seen


def test_of_two_checkpoints_the_usable_one_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected, final = whole(tmp_path / "whole")
    stopped = tiny_session(tmp_path / "cut", Recorder(tmp_path / "cut", lambda calls: calls >= 14))
    stopped.run()
    newest = max((tmp_path / "cut" / "checkpoints").glob("step_*.pt"))
    newest.write_bytes(newest.read_bytes()[:5000])
    report = Recorder(tmp_path / "cut")
    with caplog.at_level(logging.INFO):
        tiny_session(tmp_path / "cut", report, attempt="again").run()
    assert f"{newest.name} is not used" in caplog.text
    assert "goes on from step_" in caplog.text
    assert report.seen == expected.seen
    assert same(weights(tmp_path / "cut", attempt="again"), final)


def test_a_checkpoint_of_another_network_or_job_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole(tmp_path)
    other = tiny_session(tmp_path, Recorder(tmp_path), attempt="other")
    other.model.add_module("more", torch.nn.Linear(1, 1))
    with caplog.at_level(logging.WARNING):
        other.run()
    assert "it is of another network: it lacks more." in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        tiny_session(tmp_path, Recorder(tmp_path), attempt="seed", seed=4).run()
    assert "it is of another job, or of other parameters" in caplog.text


def test_weights_that_a_handler_loads_to_begin_with_do_not_undo_the_training(tmp_path: Path) -> None:
    """As MONAI's CheckpointLoader does, at the start of each attempt."""

    def session(attempt: str, report: Recorder) -> Any:
        made = tiny_session(tmp_path, report, attempt=attempt)
        begin = {name: torch.zeros_like(value) for name, value in made.model.state_dict().items()}
        # Before the session's own handler, as one of the config is.
        load: Any = (lambda engine: made.model.load_state_dict(begin), (made.trainer,), {})
        made.trainer._event_handlers[Events.STARTED].insert(0, load)
        return made

    expected = Recorder(tmp_path)
    session("whole", expected).run()
    final = weights(tmp_path, attempt="whole")
    for path in (tmp_path / "checkpoints").glob("*.pt"):
        path.unlink()
    killed = session("killed", Recorder(tmp_path))
    kill_at(killed, Events.ITERATION_COMPLETED(once=5))
    with pytest.raises(Killed):
        killed.run()
    report = Recorder(tmp_path)
    session("again", report).run()
    assert report.seen == expected.seen
    assert same(weights(tmp_path, attempt="again"), final)


def test_the_scaler_of_mixed_precision_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MONAI makes it when a run begins. Here one for the CPU stands for it: it scales alike."""
    monkeypatch.setattr(torch.cuda.amp, "GradScaler", lambda: torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2))

    def session(attempt: str) -> Any:
        made = tiny_session(tmp_path, Recorder(tmp_path), attempt=attempt)
        made.trainer.amp = True
        return made

    killed = session("job")
    kill_at(killed, Events.ITERATION_COMPLETED(once=5))
    with pytest.raises(Killed):
        killed.run()
    assert killed.trainer.scaler.get_scale() == 32.0
    again = session("again")
    scales: list[float] = []
    again.trainer.add_event_handler(Events.EPOCH_STARTED, lambda engine: scales.append(engine.scaler.get_scale()))
    again.run()
    assert scales == [32.0, 64.0]


def test_a_part_that_is_more_than_data_is_left_out_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Odd:
        def state_dict(self) -> dict[str, object]:
            return {"function": print}

        def load_state_dict(self, state: object) -> None:
            raise AssertionError

    session = tiny_session(tmp_path, Recorder(tmp_path))
    session._parts["odd"] = Odd()
    with caplog.at_level(logging.WARNING):
        session.run()
    assert caplog.text.count("the state of odd is not in the checkpoints (it holds a builtin_function_or_method)") == 1
