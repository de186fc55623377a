"""A training that is broken off goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Events
from monai.utils import set_determinism
from tiny_training import Recorder, tiny_session


@pytest.fixture(autouse=True)
def _own_process() -> Iterator[None]:
    """Training owns its process; here it must give the settings back."""
    yield
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


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


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
    assert same(weights(tmp_path / "cut", attempt="again"), final)
    assert same(weights(tmp_path / "cut", "model.pt", "again"), weights(tmp_path / "whole", "model.pt"))


@pytest.mark.parametrize("call", range(1, 13))
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
