"""A concrete configuration in the form that MONAI's bundles have: the way back from `bundle.py`."""

from __future__ import annotations

from typing import Final

from .elaborate.merge import ATTRIBUTES
from .ir import Value
from .resolved import Resolved, ResolvedComponent

_WORDS: Final = {name: word for word, name in ATTRIBUTES.items()}


def to_monai(value: Resolved) -> Value:
    """A component is `{"_target_": class, "_disabled_": ..., its arguments}`. KeyError for an attribute that MONAI has not."""
    match value:
        case ResolvedComponent(cls, args, attrs):
            return {
                "_target_": cls,
                **{_WORDS[name]: to_monai(item) for name, item in attrs.items()},
                **{name: to_monai(item) for name, item in args.items()},
            }
        case list():
            return [to_monai(item) for item in value]
        case dict():
            return {key: to_monai(item) for key, item in value.items()}
        case _:
            return value
