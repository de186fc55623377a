"""Windows compose as the operations do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from voxel_reference import Turned, turned_windows

from automl_run.kernels.cpu import Window


@given(turned_windows())
def test_shape_padding_and_affine_are_those_of_the_operations(turned: Turned) -> None:
    window = turned.window
    source = torch.arange(1, 1 + int(np.prod(window.source_shape))).view(1, *window.source_shape)
    expected = turned.of(source, 0)
    assert window.shape == tuple(expected.shape[1:])
    assert window.padded == bool((expected == 0).any())
    affine = window.affine()
    for index in np.argwhere(expected[0].numpy() > 0)[:20]:
        place = affine @ np.array([*index, 1])
        assert source[(0, *(int(v) for v in place[:-1]))] == expected[(0, *index)]


def test_padding_does_not_bring_back_what_was_cropped_away() -> None:
    window = Window.whole([10, 4]).crop([3, 0], [2, 4]).pad([2, 0], [1, 0])
    assert window.shape == (5, 4)
    assert window.axes[0].inside == (2, 4)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Window.whole([3]),
        lambda: Window.whole([3, 3]).crop([1, 0], [3, 3]),
        lambda: Window.whole([3, 3]).crop([-1, 0], [2, 3]),
        lambda: Window.whole([3, 3]).crop([0], [3]),
        lambda: Window.whole([3, 3]).pad([-1, 0], [0, 0]),
        lambda: Window.whole([3, 3]).rot90(1, (0, 2)),
        lambda: Window.whole([3, 3]).transpose([0, 0]),
    ],
)
def test_what_does_not_fit_is_refused(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(ValueError, match=r"."):
        wrong()


def test_four_quarter_turns_are_none() -> None:
    window = Window.whole([4, 5, 6])
    assert window.rot90(4, (0, 2)) == window
    assert window.rot90(1, (0, 2)).rot90(3, (0, 2)) == window
