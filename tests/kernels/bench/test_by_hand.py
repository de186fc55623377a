"""The rival written by hand does what MONAI does with the same numbers, so that it is a rival at all."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from automl_run.kernels.bench import by_hand
from automl_run.kernels.bench.pipelines import Batches
from automl_run.kernels.bench.sources import items


@pytest.mark.parametrize("kind", ["crop", "light", "heavy"])
def test_it_is_right(kind: str) -> None:
    ring = items((40, 36, 32), count=4)
    result = by_hand.pipeline(kind, 24, Batches(ring))(0)
    found = [result["image"].numpy(), result["label"].numpy()]
    assert [array.shape for array in found] == [(4, 1, 24, 24, 24)] * 2
    assert by_hand.verified(kind)(found, found) == ""


def test_a_mistake_of_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = by_hand.fixed
    monkeypatch.setattr(
        by_hand, "fixed", lambda kind, drawn, edge: right(kind, dataclasses.replace(drawn, offset=drawn.offset + 0.01), edge)
    )
    image = np.zeros((1, 4, 4, 4))
    assert "of the range" in by_hand.verified("light")([image], [image])
