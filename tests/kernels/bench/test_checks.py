"""Checks: what passes for the same result, and what does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from automl_run.kernels.bench.checks import alike, arrays, same

IMAGE = np.linspace(0, 2, 1000, dtype=np.float32).reshape(1, 10, 10, 10)
LABEL = (IMAGE > 1).astype(np.uint8)


def test_whatever_is_returned_becomes_arrays() -> None:
    image, label = MetaTensor(torch.from_numpy(IMAGE)), torch.from_numpy(LABEL)
    named = {"label": label, "image": image, "name": "x"}
    for result in ((image, label), [image, label], named, [named]):
        found = arrays(result)
        assert [type(array) for array in found] == [np.ndarray, np.ndarray]
        assert (found[0] == IMAGE).all()
        assert (found[1] == LABEL).all()
    assert arrays(1.5)[0].tolist() == [1.5]
    with pytest.raises(TypeError, match="NoneType cannot be checked"):
        arrays(None)


def test_arrays_are_copies() -> None:
    tensor = torch.zeros(2)
    (found,) = arrays(tensor)
    tensor.fill_(1)
    assert found.tolist() == [0, 0]


def test_same_is_relative_to_the_range() -> None:
    assert same()([IMAGE], [IMAGE]) == ""
    assert same(1e-5)([IMAGE + np.float32(1e-5)], [IMAGE]) == ""
    assert "of the range" in same(1e-6)([IMAGE + np.float32(1e-5)], [IMAGE])
    assert "shapes" in same()([IMAGE[:, :5]], [IMAGE])
    assert same()([IMAGE[0]], [IMAGE]) == "", "an axis of length one is no difference"


def test_nan_is_wrong_unless_monai_has_it_too() -> None:
    broken = IMAGE.copy()
    broken[0, 0, 0, 0] = np.nan
    assert same(1.0)([broken], [IMAGE]) != ""
    assert same()([broken], [broken]) == ""
    assert alike()([broken], [IMAGE]) == "image is not finite"


def test_labels_may_differ_at_ties_only() -> None:
    other = LABEL.copy()
    other[0, 0, 0, 0] ^= 1
    assert "labels differ" in same()([IMAGE, other], [IMAGE, LABEL])
    assert same(labels=0.001)([IMAGE, other], [IMAGE, LABEL]) == ""
    assert "are new" in alike()([IMAGE, LABEL * 7], [IMAGE, LABEL])


def test_alike_compares_what_draws_have_in_common() -> None:
    flipped = IMAGE[:, ::-1]
    assert alike(0.01)([flipped], [IMAGE]) == ""
    assert "mean" in alike(0.1)([IMAGE + 1], [IMAGE])
    assert "standard deviation" in alike(0.1)([(IMAGE - 1) * 3 + 1], [IMAGE])
