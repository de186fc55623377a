"""Folds of a cross-validation: which part of a data list a repetition is validated on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

import msgspec

T = TypeVar("T")


class Fold(msgspec.Struct, frozen=True):
    """Fold `number` of `count`, from 0. `seed`: of the split, the study's: all recommendations have the same folds."""

    number: int
    count: int
    seed: int


def split(items: Sequence[T], fold: Fold) -> tuple[list[T], list[T]]:
    """(to train with, to validate on), each in the order of `items`. Over all folds each item is validated on once.

    The folds differ in size by one at most. ValueError for fewer items than folds.
    """
    if len(items) < fold.count:
        raise ValueError(f"{len(items)} items cannot be split into {fold.count} folds")
    order = list(range(len(items)))
    random.Random(f"folds {fold.seed}").shuffle(order)
    held_out = set(order[fold.number :: fold.count])
    return (
        [item for at, item in enumerate(items) if at not in held_out],
        [item for at, item in enumerate(items) if at in held_out],
    )
