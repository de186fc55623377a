"""What a checkpoint holds of an ignite trainer and of all that takes part in its training, and how it comes back.

Everything stored is plain data (tensors, numbers, texts, lists, dicts), so that a checkpoint is read without unpickling objects. A
part whose state is more than that is left out, with a warning, and begins anew in a continued job.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import torch
from ignite.base import Serializable
from ignite.handlers import Checkpoint

from .checkpoints import Unusable

_log = logging.getLogger("automl_run.training")

#: Of the state of a MONAI engine, beside its place in the training.
_ENGINE: Final = ("best_metric", "best_metric_epoch")


@runtime_checkable
class Stateful(Protocol):
    def state_dict(self) -> Any: ...
    def load_state_dict(self, state_dict: Any) -> Any: ...


def of_handlers(handlers: Iterable[object]) -> Iterator[tuple[str, Stateful]]:
    """Handlers with a state of their own, such as an early stop's counter: ignite's, and those inside MONAI's.

    Not those that save files: a continued job writes into another folder.
    """
    for index, handler in enumerate(handlers):
        for name, part in [("", handler), *getattr(handler, "__dict__", {}).items()]:
            if isinstance(part, Serializable) and isinstance(part, Stateful) and not isinstance(part, Checkpoint):
                yield f"handler {index} {type(handler).__name__} {name}".rstrip(), part


def capture(model: torch.nn.Module, parts: Mapping[str, Stateful], left_out: set[str]) -> dict[str, Any]:
    """`left_out` gets the names of parts that cannot be stored; each is warned of once."""
    states: dict[str, Any] = {}
    for name, part in parts.items():
        if name in left_out:
            continue
        try:
            states[name] = plain(part.state_dict())
        except (TypeError, NotImplementedError) as error:
            left_out.add(name)
            _log.warning("warning: the state of %s is not in the checkpoints (%s): a continued job begins it anew", name, error)
    return {"model": model.state_dict(), "parts": states}


def restore(state: Mapping[str, Any], model: torch.nn.Module, parts: Mapping[str, Stateful]) -> None:
    """Unusable, with nothing changed, for the weights of another network; what else does not fit raises what its owner raises."""
    check_weights(state["model"], model)
    model.load_state_dict(state["model"])
    for name, part in parts.items():
        if name in state["parts"]:
            part.load_state_dict(state["parts"][name])


def check_weights(weights: Mapping[str, torch.Tensor], model: torch.nn.Module) -> None:
    own = model.state_dict()
    for name in own.keys() | weights.keys():
        if name not in own or name not in weights:
            raise Unusable(f"it is of another network: {'it has' if name in weights else 'it lacks'} {name}")
        if isinstance(own[name], torch.Tensor) and own[name].shape != weights[name].shape:
            shapes = f"{tuple(weights[name].shape)}, not {tuple(own[name].shape)}"
            raise Unusable(f"it is of another network: {name} is {shapes}")


def plain(value: Any) -> Any:
    """Numpy's values as Python's and torch's. TypeError for anything that is more than data."""
    match value:
        case None | bool() | int() | float() | str() | bytes() | torch.Tensor():
            return float(value) if isinstance(value, float) else value
        case np.generic():
            return value.item()
        case np.ndarray() if value.dtype.kind in "biufc":
            return torch.from_numpy(value.copy())
        case Counter():
            return value
        case Mapping():
            return {plain(key): plain(item) for key, item in value.items()}
        case tuple():
            return tuple(plain(item) for item in value)
        case Sequence():
            return [plain(item) for item in value]
        case _:
            raise TypeError(f"it holds a {type(value).__name__}")


def engine_state(engine: Any) -> dict[str, Any]:
    """The best value so far, of a MONAI engine."""
    return {name: plain(getattr(engine.state, name)) for name in _ENGINE if hasattr(engine.state, name)}


def set_engine_state(engine: Any, state: Mapping[str, Any]) -> None:
    for name, value in state.items():
        setattr(engine.state, name, value)
