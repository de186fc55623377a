"""Zooms against MONAI: voxels, what was padded or cropped to keep the size, draws and inverses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from .parity import assert_same, assert_same_draws, pair, scan, shapes

WITHIN = 200 * 1e-5  # of the intensity range

factors = st.sampled_from([0.5, 0.7, 1.0, 1.3, 2.1])


@settings(max_examples=50, deadline=None)
@given(
    shapes.filter(lambda shape: min(shape[1:]) > 1),
    st.sampled_from([torch.float32, torch.uint8, torch.int16]),
    st.lists(factors, min_size=3, max_size=3),
    st.sampled_from(["linear", "nearest"]),
    st.booleans(),
    st.sampled_from(["edge", "constant"]),
    st.sampled_from([None, True, False]),
)
def test_zooms_are_monais(
    shape: tuple[int, ...], dtype: torch.dtype, zoom: list[float], kind: str, keep_size: bool, padding: str, align: bool | None
) -> None:
    rank = len(shape) - 1
    mode = {2: "bilinear", 3: "trilinear"}[rank] if kind == "linear" else kind
    arguments: dict[str, Any] = {"mode": mode, "keep_size": keep_size, "padding_mode": padding}
    if kind == "linear":
        arguments["align_corners"] = align
    x = scan(shape, dtype)
    ours, theirs = pair("Zoom", zoom[:rank], **arguments)
    mine, expected = ours(x), theirs(x)
    assert_same(mine, expected, within=WITHIN if kind == "linear" else 0)
    assert_same(ours.inverse(mine), theirs.inverse(expected), within=WITHIN)


@pytest.mark.parametrize("arguments", [{}, {"mode": "bicubic"}, {"mode": "nearest", "dtype": torch.float64}])
def test_other_modes(arguments: dict[str, Any]) -> None:
    x = scan((1, 12, 10)) if arguments.get("mode") == "bicubic" else scan((1, 12, 10, 8))
    ours, theirs = pair("Zoom", 1.3, **arguments)
    assert_same(ours(x), theirs(x))


def test_the_same_draws() -> None:
    item = {"a": scan((1, 8, 9, 10)), "b": scan((1, 8, 9, 10), torch.uint8)}
    assert_same_draws(*pair("RandZoom", 0.6, 0.7, 1.4, mode="trilinear"), item["a"], within=WITHIN)
    modes = {"mode": ["trilinear", "nearest"], "padding_mode": ["edge", "constant"]}
    assert_same_draws(*pair("RandZoomd", ["a", "b"], 0.6, 0.7, 1.4, **modes), item, within=WITHIN)
    ours, theirs = pair("Zoomd", ["a", "b"], 1.2, **modes)
    mine, expected = ours(item), theirs(item)
    assert_same(mine, expected, within=WITHIN)
    assert_same(ours.inverse(mine), theirs.inverse(expected), within=WITHIN)


def test_lazy_mode_is_monais() -> None:
    ours, theirs = pair("Zoom", 1.3, mode="trilinear", lazy=True)
    x = scan((1, 8, 9, 10))
    assert torch.equal(ours(x).peek_pending_affine(), theirs(x).peek_pending_affine())
