"""Writes signatures.json from the installed libraries and our kernels: `python -m automl_run.dsl.make_signatures [FILE]`.

The table says which arguments each class takes, so that a config can be checked without importing any of them. It is made by hand,
after an upgrade or when a kernel's class is added, and committed. The format is for size: see `signatures.py`.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import json
import sys
import types
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path

MODULES = (
    "monai.transforms",
    "monai.networks.nets",
    "monai.losses",
    "monai.handlers",
    "monai.metrics",
    "monai.engines",
    "monai.inferers",
    "monai.data",
    "monai.optimizers",
    "monai.networks.blocks",
    "monai.networks.layers",
    "monai.apps",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.nn",
    "torch.utils.data",
    "ignite.handlers",
    "ignite.metrics",
    "automl_run.kernels",
)
VERSIONS_OF = ("torch", "monai", "ignite")
#: In these modules a function builds a component too (`densenet121`).
_WITH_FUNCTIONS = ("monai.networks.nets",)
#: Of these only what `__all__` lists is meant for a config.
_ONLY_PUBLIC = ("automl_run.kernels",)
_LIBRARIES = ("monai", "torch", "ignite", "automl_run")
_LETTERS: dict[object, str] = {bool: "b", int: "i", float: "f", str: "s", type(None): "n"}
_BY_NAME = {"bool": "b", "int": "i", "float": "f", "str": "s", "None": "n"}


def kinds(annotation: object) -> str:
    """The literal kinds that `annotation` allows, as letters of `signatures.py`; "" where it allows anything or says nothing."""
    if annotation in _LETTERS:
        return _LETTERS[annotation]
    if isinstance(annotation, str):
        parts = [part.strip() for part in annotation.split("|")]
        return "".join(sorted(_BY_NAME[part] for part in parts)) if all(part in _BY_NAME for part in parts) else ""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        found = [kinds(part) for part in typing.get_args(annotation)]
        return "".join(sorted(set("".join(found)))) if all(found) else ""
    return ""


def _parameters(component: object) -> str | None:
    """The parameters as one text, None where they cannot be known."""
    target = getattr(component, "__init__") if inspect.isclass(component) else component  # noqa: B009
    if not callable(target):
        return None
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return None
    out: list[str] = []
    for index, parameter in enumerate(signature.parameters.values()):
        if inspect.isclass(component) and index == 0 and parameter.kind is not parameter.VAR_POSITIONAL:
            continue  # self
        match parameter.kind:
            case parameter.VAR_KEYWORD:
                out.append("**")
            case parameter.VAR_POSITIONAL | parameter.POSITIONAL_ONLY:
                continue
            case _:
                required = "!" if parameter.default is parameter.empty else ""
                letters = kinds(parameter.annotation)
                out.append(f"{parameter.name}{required}" + (f":{letters}" if letters else ""))
    return " ".join(out)


def components(module_name: str) -> Iterator[tuple[str, str]]:
    """Every class of the module that a config can name, with its parameters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = importlib.import_module(module_name)
        for name in sorted(getattr(module, "__all__", dir(module)) if module_name in _ONLY_PUBLIC else dir(module)):
            component = getattr(module, name)
            is_function = inspect.isfunction(component) and module_name in _WITH_FUNCTIONS
            if name.startswith("_") or not (inspect.isclass(component) or is_function):
                continue
            if component.__module__.partition(".")[0] not in _LIBRARIES or _is_no_component(component):
                continue
            parameters = _parameters(component)
            if parameters is not None:
                yield name, parameters


def _is_no_component(component: object) -> bool:
    """Enumerations and exceptions stand in these modules too."""
    return inspect.isclass(component) and issubclass(component, (enum.Enum, BaseException))


def table() -> dict[str, list[tuple[list[int], str]]]:
    """Class name -> for each different class of that name: the indices of its modules, and its parameters."""
    classes: dict[str, list[tuple[list[int], str]]] = {}
    for index, module_name in enumerate(MODULES):
        for name, parameters in components(module_name):
            entries = classes.setdefault(name, [])
            same = next((entry for entry in entries if entry[1] == parameters), None)
            if same is None:
                entries.append(([index], parameters))
            else:
                same[0].append(index)
    return dict(sorted(classes.items()))


def main(arguments: list[str]) -> None:
    """Writes the table to the file named, or over the one of this package."""
    path = Path(arguments[0]) if arguments else Path(__file__).with_name("signatures.json")
    versions = {name: str(importlib.import_module(name).__version__) for name in VERSIONS_OF}
    lines = [f"{json.dumps(name)}:{json.dumps(entries, separators=(',', ':'))}" for name, entries in table().items()]
    head = f'{{"versions":{json.dumps(versions)},\n"modules":{json.dumps(MODULES)},\n"classes":{{\n'
    path.write_text(head + ",\n".join(lines) + "\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
