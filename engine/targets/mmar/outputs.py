"""What an engine puts out, as the functions of old configs read it.

MONAI's engines put out a list of items since 0.6; Clara 4.0's functions read one dict, `lambda x: x['loss']`. Both forms work:

    lambda x: (x['pred'], x['label'])        all predictions and labels, as lists
    lambda x: x[0]['loss']                   as Clara 4.1 writes it
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: One value of a whole batch, which every item has.
_OF_BATCH = "loss"


class Items(list[Any]):
    """Items of a batch, which can be asked for a key as well: for its values in all of them, or for the one of the batch."""

    def __getitem__(self, place: Any) -> Any:
        if not isinstance(place, str):
            return super().__getitem__(place)
        values = [item[place] for item in self]
        return values[0] if place == _OF_BATCH and values else values


def reading(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`function` for the output of an engine, given as a list of items or in any other form."""

    def read(output: Any) -> Any:
        is_batch = isinstance(output, list) and output and all(isinstance(item, dict) for item in output)
        return function(Items(output)) if is_batch else function(output)

    return read
