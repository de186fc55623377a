"""From the JSON of a training config to objects: each part is built once, when something first needs it.

A name `@x` is sought in its own section, then in the other one, then at the first level. Disabled parts of a list drop out.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import torch
from monai.transforms import Compose

from automl_run.dsl.clara_python import expression, reference, with_names
from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.ir import Value
from automl_run.errors import JobError

from . import data_list
from .activation import Activation
from .lookup import Lookup, call
from .names import INPUT_ARGUMENTS, OUTPUT_ARGUMENTS, modern_expression, modernise
from .networks import WITH_ACTIVATION, patch_sizes
from .outputs import reading
from .syntax import Component, component, components, is_enabled, metric_label
from .wiring import wired

_log = logging.getLogger("automl_run.mmar")

SECTIONS: Final = ("train", "validate")
_CHAINS: Final = ("pre_transforms", "post_transforms")
_METRICS: Final = ("key_metric", "additional_metrics")
#: What `#expressions` and lambdas see, beside `@x`.
_SCOPE: Final[Mapping[str, str]] = {"monai": "monai", "torch": "torch", "ignite": "ignite", "numpy": "numpy", "np": "numpy"}


class ConfigState:
    """`@conf`: the config as something that a checkpoint can hold."""

    def __init__(self, config: Mapping[str, Value]) -> None:
        self.config = config

    def state_dict(self) -> dict[str, Value]:
        return dict(self.config)

    def load_state_dict(self, state: Mapping[str, Value]) -> None:
        """What a checkpoint holds does not replace the config that is being trained."""


class Build:
    """`config`: rendered. `root`: of the MMAR. `output`: the folder that relative places to write to are taken from.

    `rank`: of the process that builds; components of other ranks drop out.
    """

    def __init__(
        self, config: Mapping[str, Value], root: Path, output: Path, device: torch.device, amp: bool, rank: int = 0
    ) -> None:
        #: `config` is what `@conf` means; parts are taken from the wired one
        self.config, self.wired = config, wired(config)
        self.root, self.output, self.device, self.amp = root, output, device, amp
        self.rank = rank
        self.lookup = Lookup(root)
        self.activation = Activation(self._own_activation())
        self._parts: dict[tuple[str, str], object] = {}
        #: Components by their place: a `ref` means the same object.
        self._built: dict[str, object] = {}
        self._building: list[str] = []
        self._scope = {name: importlib.import_module(module) for name, module in _SCOPE.items()}

    # -- parts of a section -----------------------------------------------------------------------------------------------

    def section(self, name: str) -> Mapping[str, Value]:
        part = self.wired.get(name, {})
        if not isinstance(part, dict):
            raise JobError("user_error", f"`{name}` of the training config must be an object")
        return part

    def part(self, section: str, key: str) -> object:
        """The object of `section.key`; JobError when the config has none."""
        place = f"{section}.{key}"
        if (section, key) not in self._parts:
            if key not in self.section(section):
                raise JobError("user_error", f"the training config has no `{place}`")
            if place in self._building:
                raise JobError("user_error", f"these parts need each other: {' -> '.join([*self._building, place])}")
            self._building.append(place)
            self._parts[section, key] = self._part(section, key, self.section(section)[key], place)
            self._building.pop()
        return self._parts[section, key]

    def _part(self, section: str, key: str, node: Value, place: str) -> object:
        if key in _CHAINS:
            return Compose(self._list(section, key, node, place))
        if key == "handlers":
            return self._list(section, key, node, place)
        if key in _METRICS:
            return self._metrics(section, key, node, place)
        if isinstance(node, list) and any(component(item, key, place) for item in node):
            return self._only_one(section, key, node, place)
        return self._item(section, key, node, place)

    def _list(self, section: str, key: str, node: Value, place: str) -> list[object]:
        built = [self._item(section, key, item, where) for item, where in items_of(node, place)]
        return [item for item in built if item is not None]

    def _only_one(self, section: str, key: str, nodes: list[Value], place: str) -> object:
        """Of alternatives, switched by `disabled`, the one that is left."""
        built = self._list(section, key, nodes, place)
        if len(built) != 1:
            names = ", ".join(part.cls for part in components(nodes, key, place))
            raise JobError("user_error", f"{place}: exactly one of {names} must be enabled, not {len(built)}")
        return built[0]

    def _metrics(self, section: str, key: str, node: Value, place: str) -> dict[str, object]:
        out: dict[str, object] = {}
        for item, where in items_of(node, place):
            part = self._component(item, key, where)
            built = self._item(section, key, item, where)
            if part is not None and built is not None:
                out[metric_label(part)] = built
        return out

    # -- values -----------------------------------------------------------------------------------------------------------

    def _item(self, section: str, key: str, node: Value, place: str) -> object:
        """What stands at `place`, None for a disabled component."""
        part = self._component(node, key, place)
        if part is None:
            return self.value(section, node, place)
        return self._construct(section, part) if is_enabled(part, self.rank) else None

    def _component(self, node: Value, key: str, place: str, is_argument: bool = False) -> Component | None:
        """The component at `node`, or the one that its `{"ref": "X"}` means."""
        if not (isinstance(node, dict) and set(node) == {"ref"}):
            return component(node, key, place, is_argument)
        name = node["ref"]
        found = [
            (found_key != key, found)
            for section in SECTIONS
            for found_key, part in self.section(section).items()
            for found in components(part, found_key, f"{section}.{found_key}")
        ]
        for _, candidate in sorted(found, key=lambda pair: pair[0]):
            if isinstance(name, str) and candidate.is_called(name):
                return candidate
        hint = did_you_mean(str(name), [candidate.instance or candidate.cls for _, candidate in found])
        raise JobError(
            "user_error", f"{place}: `ref` to {name!r}, which is no component of this config" + (f" ({hint})" if hint else "")
        )

    def value(self, section: str, node: Value, place: str) -> object:
        """`node` as an argument: references, expressions and nested components become what they stand for."""
        if isinstance(node, str):
            if (name := reference(node)) is not None:
                return self.named(section, name, place)
            python = expression(node)
            return node if python is None else self._evaluate(section, python, place)
        if isinstance(node, list):
            return [self.value(section, item, f"{place}[{index}]") for index, item in enumerate(node)]
        if isinstance(node, dict):
            part = self._component(node, "", place, is_argument=True)
            if part is not None:
                return self._construct(section, part) if is_enabled(part, self.rank) else None
            return {key: self.value(section, item, f"{place}.{key}") for key, item in node.items()}
        return node

    def named(self, section: str, name: str, place: str) -> object:
        """What `@name` means in `section`. A part that the other one of the two sections has counts, too."""
        if name == "conf":
            return ConfigState(self.config)
        if name == "device":
            return self.device
        for candidate in (section, *(other for other in SECTIONS if other != section)):
            if name in self.section(candidate):
                return self.part(candidate, name)
        if name in self.config and name not in SECTIONS:
            return self.value(section, self.config[name], name)
        hint = did_you_mean(name, [*self.section("train"), *self.section("validate"), *self.config])
        raise JobError("user_error", f"{place}: `@{name}` is nothing in this config" + (f" ({hint})" if hint else ""))

    def _evaluate(self, section: str, python: str, place: str) -> object:
        code, names = with_names(modern_expression(python))
        scope: dict[str, object] = dict(self._scope)
        scope.update({identifier: self.named(section, name, place) for identifier, name in names.items()})
        try:
            return eval(code, scope)
        except JobError:
            raise
        except Exception as error:
            raise JobError("user_error", f"{place}: `{python}` failed: {type(error).__name__}: {error}") from error

    # -- components ---------------------------------------------------------------------------------------------------------

    def _construct(self, section: str, part: Component) -> object:
        if part.place not in self._built:
            self._built[part.place] = self._new(section, part)
        return self._built[part.place]

    def _new(self, section: str, part: Component) -> object:
        name, args, dropped = modernise(part.cls, part.args)
        for line in dropped:
            _log.info("%s: %s", part.place, line)
        if part.key == "handlers" and "TensorBoard" in name and importlib.util.find_spec("tensorboard") is None:
            _log.info("%s: skipped, because tensorboard is not installed", part.title)
            return None
        factory = self.lookup.find(name, part.key, part.place)
        args = self.activation.adjust(part, name, args)
        values = {key: self.value(section, self.located(part.key, key, node), f"{part.title}.{key}") for key, node in args.items()}
        if callable(reader := values.get("output_transform")):
            values["output_transform"] = reading(reader)
        values = {**self.supplied(section, part, name, args), **values}
        if part.key in ("trainer", "evaluator") and not self.amp:
            values["amp"] = False
        built = call(factory, values, part.title)
        return built.to(self.device) if isinstance(built, torch.nn.Module) else built

    def located(self, key: str, argument: str, node: Value) -> Value:
        """Relative places of handlers and networks, made absolute."""
        if key in ("handlers", "model") and isinstance(node, str) and node and reference(node) is None and expression(node) is None:
            if argument in OUTPUT_ARGUMENTS:
                return str(self.output / node)
            if argument in INPUT_ARGUMENTS:
                return str(self.root / node)
        return node

    def supplied(self, section: str, part: Component, name: str, args: Mapping[str, Value]) -> dict[str, object]:
        """Arguments that Clara supplied."""
        if part.key in ("trainer", "evaluator"):
            return {"device": self.device}
        if part.key == "dataset" and "data" not in args:
            source = data_list.source_of(part.attrs, self.root, part.place)
            return {} if source is None else {"data": data_list.resolved(source)}
        if name.endswith(".SegAhnet") and "psp_block_num" not in args:
            return {"patch_sizes": patch_sizes(self.wired)}
        return {}

    def _own_activation(self) -> str | None:
        """The activation that the network itself applies."""
        for part in components(self.section("train").get("model"), "model", "train.model"):
            usual = WITH_ACTIVATION.get(modernise(part.cls, part.args)[0])
            if is_enabled(part) and usual is not None:
                own = part.args.get("final_activation", usual)
                return own if own in ("softmax", "sigmoid") else None
        return None


def items_of(node: Value, place: str) -> Iterator[tuple[Value, str]]:
    """The items at `node`, itself if it is no list, each with its place."""
    if isinstance(node, list):
        yield from ((item, f"{place}[{index}]") for index, item in enumerate(node))
    elif node is not None:
        yield node, place
