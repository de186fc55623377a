"""Padding against MONAI, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from .parity import DTYPES, assert_same, pair, scan, shapes

sizes = st.sampled_from([-1, 1, 4, 16, 40])


@settings(max_examples=60, deadline=None)
@given(shapes, st.sampled_from(DTYPES), st.lists(sizes, min_size=3, max_size=3), st.sampled_from(["symmetric", "end"]), st.data())
def test_to_a_size(shape: tuple[int, ...], dtype: torch.dtype, size: list[int], method: str, data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(["constant", "edge", "minimum"]) if dtype == torch.float32 else st.just("constant"))
    x = scan(shape, dtype, layout=data.draw(st.sampled_from(["contiguous", "transposed", "cropped"])))
    for name in ("SpatialPad", "ResizeWithPadOrCrop"):
        ours, theirs = pair(name, size[: len(shape) - 1], method=method, mode=mode)
        mine, expected = ours(x), theirs(x)
        assert_same(mine, expected)
        assert_same(ours.inverse(mine), theirs.inverse(expected))


@pytest.mark.parametrize(
    "arguments",
    [
        {"spatial_border": 3},
        {"spatial_border": [0, 2, 1]},
        {"spatial_border": [0, 1, 2, 3, 4, 0], "value": 2.5},
        {"spatial_border": 2, "mode": "reflect"},
        {"spatial_border": 2, "mode": "replicate"},
        {"spatial_border": 2, "mode": "wrap"},
        {"spatial_border": 2, "constant_values": -3},
        {"spatial_border": 0},
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.int16])
def test_borders(arguments: dict[str, Any], dtype: torch.dtype) -> None:
    x = scan((2, 6, 7, 8), dtype)
    ours, theirs = pair("BorderPad", **arguments)
    mine, expected = ours(x), theirs(x)
    assert_same(mine, expected)
    assert_same(ours.inverse(mine), theirs.inverse(expected))


@pytest.mark.parametrize("value", [300, -1, float("nan")])
def test_a_value_that_the_dtype_cannot_hold_ends_as_in_monai(value: float) -> None:
    x = scan((1, 3, 4), torch.uint8)
    ours, theirs = pair("BorderPad", 1, value=value)
    try:
        expected = theirs(x)
    except Exception as error:
        with pytest.raises(type(error)):
            ours(x)
    else:
        assert_same(ours(x), expected)


@pytest.mark.parametrize("name", ["DivisiblePad", "DivisiblePadd"])
def test_to_a_multiple(name: str) -> None:
    x = scan((1, 6, 17, 8))
    keys, item = ([["a"]], {"a": x}) if name.endswith("dd") else ([], x)
    ours, theirs = pair(name, *keys, k=(4, 16, 8))
    mine, expected = ours(item), theirs(item)
    assert_same(mine, expected)
    assert_same(ours.inverse(mine), theirs.inverse(expected))


@pytest.mark.parametrize(
    ("name", "arguments"), [("SpatialPadd", (12,)), ("BorderPadd", (2,)), ("ResizeWithPadOrCropd", ((4, 12, 8),))]
)
def test_dictionaries(name: str, arguments: tuple[Any, ...]) -> None:
    item = {"a": scan((1, 6, 7, 8)), "b": scan((1, 6, 7, 8), torch.uint8)}
    ours, theirs = pair(name, ["a", "b"], *arguments, mode=["edge", "constant"])
    mine, expected = ours(item), theirs(item)
    assert_same(mine, expected)
    assert_same(ours.inverse(mine), theirs.inverse(expected))
