"""The keys of a data list's items whose files a section's transforms read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from automl_run.dsl.clara_python import reference
from automl_run.dsl.ir import Value
from automl_run.engine.targets.loaders import Loaded, Step, keys_of, loaded

from .names import modernise
from .syntax import Component, component, components, is_enabled

_SECTIONS: Final = ("train", "validate")
_TRANSFORMS: Final = "pre_transforms"

Config = Mapping[str, Value]


def loaded_keys(config: Config, section: str, dataset: Component) -> Loaded:
    """`config`: wired. Nothing is known of a dataset whose transform is an expression."""
    given = dataset.args.get("transform", f"@{_TRANSFORMS}")
    key = reference(given) if isinstance(given, str) else None
    return Loaded() if key is None else loaded(_steps(config, section, key))


def _steps(config: Config, section: str, key: str) -> Iterator[Step]:
    own = config.get(section)
    node = own.get(key) if isinstance(own, dict) else None
    for item in node if isinstance(node, list) else [node]:
        part = _meant(config, item, key)
        if part is None:
            if item is not None:
                yield Step("")
        elif is_enabled(part):
            name, args, _ = modernise(part.cls, part.args)
            yield Step(name, keys_of(args.get("keys")), args.get("allow_missing_keys", False) is not False)


def _meant(config: Config, item: Value, key: str) -> Component | None:
    """The component at `item`, or that its `{"ref": "X"}` follows; None for what is neither."""
    if not (isinstance(item, dict) and set(item) == {"ref"}):
        return component(item, key, key)
    name = item["ref"]
    sections = [part for section in _SECTIONS if isinstance(part := config.get(section), dict)]
    for found in (one for part in sections for key, node in part.items() for one in components(node, key, key)):
        if isinstance(name, str) and found.is_called(name):
            return found
    return None
