"""What a network takes and gives, found by running it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from automl_run.errors import InputError

#: Where nothing says what the network takes, it is tried with this, voxels a side.
_TRIED: Final = 64


@dataclass(frozen=True, slots=True)
class Network:
    """Shapes without the batch: channels first. `is_patch`: the input is a patch of the image."""

    channels_in: int
    channels_out: int
    spatial_shape: Sequence[int]
    dtype_out: str
    is_patch: bool


def probe(network: Any, roi: Sequence[object] | None) -> Network:
    """`roi`: the patch that is inferred at once, None where volumes are whole. InputError for a network that takes none of it."""
    first = next((weight for weight in network.parameters() if weight.dim() >= 4), None)
    if first is None:
        raise InputError("the network has no convolution: what it takes is not known")
    channels, dimensions = int(first.shape[1]), first.dim() - 2
    shape = [size if isinstance(size, int) and size > 0 else _TRIED for size in roi or ()]
    shape = shape if len(shape) == dimensions else [_TRIED] * dimensions
    network.eval()
    with torch.no_grad():
        try:
            found = network(torch.zeros(1, channels, *shape, device=first.device))
        except (RuntimeError, ValueError) as error:
            raise InputError(f"the network cannot be run on an input of {channels} x {shape}: {error}") from error
    found = found[0] if isinstance(found, (list, tuple)) else found
    return Network(channels, int(found.shape[1]), shape, str(found.dtype).removeprefix("torch."), is_patch=roi is not None)
