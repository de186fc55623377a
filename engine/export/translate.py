"""From an MMAR's training config to the syntax of MONAI's `ConfigParser`: components, references and expressions.

{"name": "UNet", "args": {...}}  ->  {"_target_": "monai.networks.nets.unet.UNet", ...}      classes by their full name
"@pre_transforms"                ->  "@preprocessing"                                       ids as bundles call them
"#@model.parameters()"           ->  "$@network.parameters()"
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch

from automl_run.dsl.clara_python import expression, reference, with_names
from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.ir import Value
from automl_run.engine.targets.mmar.build import SECTIONS, Build, items_of
from automl_run.engine.targets.mmar.names import modernise
from automl_run.engine.targets.mmar.syntax import Component, component, components, is_enabled
from automl_run.errors import InputError

#: What bundles call the parts of a config.
IDS: Final[Mapping[str, str]] = {
    "model": "network",
    "pre_transforms": "preprocessing",
    "post_transforms": "postprocessing",
    "device": "device",
}
_CHAINS: Final = ("pre_transforms", "post_transforms")
_METRICS: Final = ("key_metric", "additional_metrics")


class Translation:
    """Of the `validate` section of a rendered config, and of what it needs of the rest. `parts`: id -> what stands there.

    `custom`: classes that come from the MMAR's own modules.
    """

    def __init__(self, config: Mapping[str, Value], root: Path) -> None:
        self._build = Build(config, root, root, torch.device("cpu"), amp=False)
        self._config = config
        self.custom: set[str] = set()
        #: classes of this package
        self.ours: set[str] = set()
        self.parts: dict[str, Value] = {}

    def part(self, section: str, key: str) -> str:
        """The id of `section.key`, which is in `parts` afterwards, with all that it refers to."""
        id = IDS.get(key, key) if section == "validate" or key == "model" else f"train_{key}"
        if id not in self.parts:
            self.parts[id] = None  # a circle of references ends here; the parser tells of it
            self.parts[id] = self._part(section, key)
        return id

    def _part(self, section: str, key: str) -> Value:
        node, place = self._build.section(section)[key], f"{section}.{key}"
        items = list(items_of(node, place))
        if key in _CHAINS:
            return {"_target_": "monai.transforms.Compose", "transforms": self._list(section, key, items)}
        if key in _METRICS:
            found: dict[str, Value] = {}
            for item, where in items:
                part = self._component(item, key, where)
                if part is not None and is_enabled(part):
                    found[str(part.attrs.get("log_label") or part.instance or part.cls)] = self.component(section, part)
            return found
        if isinstance(node, list) and any(component(item, key, place) for item in node):
            built = self._list(section, key, items)
            if len(built) != 1:
                raise InputError(f"{place}: exactly one alternative must be enabled, not {len(built)}")
            return built[0]
        if isinstance(node, list):
            return self._list(section, key, items)
        part = self._component(node, key, place)
        return self.value(section, node, place) if part is None else self.component(section, part)

    def _list(self, section: str, key: str, items: list[tuple[Value, str]]) -> list[Value]:
        parts = [(self._component(item, key, where), item, where) for item, where in items]
        return [
            self.value(section, item, where) if part is None else self.component(section, part)
            for part, item, where in parts
            if part is None or is_enabled(part)
        ]

    def _component(self, node: Value, key: str, place: str) -> Component | None:
        """The component at `node`, or the one that its `{"ref": "X"}` means."""
        if not (isinstance(node, dict) and set(node) == {"ref"}):
            return component(node, key, place)
        name = str(node["ref"])
        found = [
            part
            for same in (True, False)
            for section in SECTIONS
            for other, value in self._build.section(section).items()
            if (other == key) is same
            for part in components(value, other, f"{section}.{other}")
        ]
        for candidate in found:
            if candidate.is_called(name):
                return candidate
        raise InputError(f"{place}: `ref` to {name!r}, which is no component; {did_you_mean(name, [part.cls for part in found])}")

    def component(self, section: str, part: Component) -> dict[str, Value]:
        name, args, _ = modernise(part.cls, part.args)
        factory = self._build.lookup.find(name, part.key, part.place)
        args = self._build.activation.adjust(part, name, args)
        values = {
            key: self.value(section, self._build.located(part.key, key, node), f"{part.title}.{key}") for key, node in args.items()
        }
        # The data and the device are the bundle's own.
        supplied = {} if part.key in ("dataset", "trainer", "evaluator") else self._build.supplied(section, part, name, args)
        plain: dict[str, Value] = {key: _plain(value) for key, value in supplied.items()}
        return {"_target_": self._path(factory), **plain, **values}

    def _path(self, factory: object) -> str:
        module, name = getattr(factory, "__module__", ""), getattr(factory, "__qualname__", "")
        package = module.partition(".")[0]
        if package == "automl_run":
            self.ours.add(f"{module}.{name}")
        elif package not in ("monai", "torch", "ignite"):
            self.custom.add(f"{module}.{name}")
            file = inspect.getsourcefile(factory) if inspect.isclass(factory) or inspect.isfunction(factory) else None
            if file is None:
                raise InputError(f"the source of {module}.{name} is not known, so no bundle can hold it")
        return f"{module}.{name}"

    # -- values -----------------------------------------------------------------------------------------------------------

    def value(self, section: str, node: Value, place: str) -> Value:
        if isinstance(node, str):
            if (name := reference(node)) is not None:
                return self._named(section, name, place)
            python = expression(node)
            return node if python is None else "$" + self._expression(section, python, place)
        if isinstance(node, list):
            return [self.value(section, item, f"{place}[{index}]") for index, item in enumerate(node)]
        if isinstance(node, dict):
            part = component(node, "", place, is_argument=True)
            if part is not None:
                return self.component(section, part) if is_enabled(part) else None
            return {key: self.value(section, item, f"{place}.{key}") for key, item in node.items()}
        return node

    def _named(self, section: str, name: str, place: str) -> Value:
        if name == "device":
            return "@device"
        for candidate in (section, *(other for other in SECTIONS if other != section)):
            if name in self._build.section(candidate):
                return "@" + self.part(candidate, name)
        if name in self._config and name not in SECTIONS:
            return self.value(section, self._config[name], name)
        raise InputError(f"{place}: `@{name}` has no meaning in a bundle")

    def _expression(self, section: str, python: str, place: str) -> str:
        code, names = with_names(python)
        for identifier, name in names.items():
            found = self._named(section, name, place)
            text = found if isinstance(found, str) and found.startswith("@") else repr(found)
            code = re.sub(rf"\b{identifier}\b", lambda _, text=text: text, code)  # type: ignore[misc]
        return code


def _plain(value: object) -> Value:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise InputError(f"{value!r} cannot be written into a bundle")
