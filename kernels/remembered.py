"""Answers of MONAI that take longer than the kernels they are for, kept while what they depend on comes back."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np
import torch

T = TypeVar("T")

_OURS = __name__.rpartition(".")[0]
#: Attributes of transforms that no answer depends on: they are asked in one mode, and a trace is no part of an answer.
_NOT_READ = ("_tracing", "_lazy")
_PLAIN = frozenset({type(None), bool, int, float, str, torch.dtype})


class Remembered(Generic[T]):
    """At most `most` answers; when there would be more, all are forgotten. Safe to use from several threads and after a fork."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: dict[Hashable, T] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: Hashable | None, answer: Callable[[], T]) -> T:
        """What `answer()` said for this key; None is the key of what is not kept."""
        if key is None:
            return answer()
        try:
            return self._answers[key]
        except KeyError:
            made = answer()
        if len(self._answers) >= self._most:
            self._answers.clear()
        self._answers[key] = made
        return made


def key_of(*values: object) -> Hashable | None:
    """`values` as they are now, for `Remembered.get`; None where one of them may change unseen."""
    try:
        return tuple([_frozen(value) for value in values])
    except (TypeError, RuntimeError):  # of an unknown class, or a tensor that is no plain memory
        return None


def _frozen(value: object) -> Hashable:
    if type(value) in _PLAIN or isinstance(value, (str, int, float, type)):
        return type(value), value
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, (list, tuple)):
        return type(value), *[_frozen(item) for item in value]
    if type(value).__module__.startswith(_OURS):  # a transform of ours, whose answers depend on its attributes alone
        return type(value), *[(name, _frozen(own)) for name, own in value.__dict__.items() if name not in _NOT_READ]
    raise TypeError(f"a {type(value).__name__} may change unseen")
