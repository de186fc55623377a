"""The states of all random generators that a training draws from."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

_Seen = set[int]


def randomizable(roots: Iterable[object]) -> list[Any]:
    """All below `roots` with a numpy generator of its own (MONAI's `R`), in an order that depends on their structure only."""
    seen: _Seen = set()
    return [found for root in roots for found in _walk(root, seen)]


def _walk(item: object, seen: _Seen) -> Iterator[Any]:
    if isinstance(item, (list, tuple)):
        for part in item:
            yield from _walk(part, seen)
        return
    if not hasattr(item, "__dict__") or isinstance(item, (type, torch.Tensor, torch.nn.Module)) or id(item) in seen:
        return
    seen.add(id(item))
    if isinstance(getattr(item, "R", None), np.random.RandomState):
        yield item
    for name, part in list(vars(item).items()):
        if not name.startswith("__"):
            yield from _walk(part, seen)


def random_states(owners: Iterable[Any], generators: Iterable[torch.Generator] = ()) -> dict[str, Any]:
    """Plain data. `owners`: what `randomizable` found."""
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": _plain(np.random.get_state(legacy=True)),
        "torch": torch.get_rng_state(),
        "owners": [_plain(owner.R.get_state(legacy=True)) for owner in owners],
        "generators": [generator.get_state() for generator in generators],
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def set_random_states(states: dict[str, Any], owners: Iterable[Any], generators: Iterable[torch.Generator] = ()) -> bool:
    """False where the transforms are others than those of `states`: theirs are left alone then."""
    random.setstate(states["python"])
    np.random.set_state(_numpy(states["numpy"]))
    torch.set_rng_state(states["torch"].cpu())
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"].cpu())
    owners, generators = list(owners), list(generators)
    if len(owners) != len(states["owners"]) or len(generators) != len(states["generators"]):
        return False
    for owner, state in zip(owners, states["owners"], strict=True):
        owner.R.set_state(_numpy(state))
    for generator, state in zip(generators, states["generators"], strict=True):
        generator.set_state(state.cpu())
    return True


def _plain(state: Any) -> tuple[str, torch.Tensor, int, int, float]:
    name, keys, position, has_gauss, gauss = state
    return str(name), torch.from_numpy(keys.astype(np.int64)), int(position), int(has_gauss), float(gauss)


def _numpy(state: Any) -> tuple[str, Any, int, int, float]:
    name, keys, position, has_gauss, gauss = state
    return name, keys.cpu().numpy().astype(np.uint32), position, has_gauss, gauss
