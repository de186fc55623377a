"""`target = Bundle("dir", config = ["train.json"], run_id = "training")`: what it may say, and the base that it brings.

A file that names a bundle and uses none of its configurations stands above `configs/train.json`, or what `config` lists, as if it
had said `use` first. `config = []`: the configuration is all in the file itself.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import ast
from .diagnostics import nearest
from .ir import Value
from .source import Span

#: The ids that MONAI's workflow evaluates, by the argument that names another one.
IDS: Final = {"run_id": "run", "init_id": "initialize", "final_id": "finalize"}
#: What is run where nothing says what: the specification's id, and the one before it.
_RUNS: Final = ("run", "training")
ARGUMENTS: Final = ("config", *IDS)
_DEFAULTS: Final = ("train.json", "train.yaml", "train.yml")
_KINDS: Final = (".json", ".yaml", ".yml")
#: What lies beside configurations and is none.
_OTHERS: Final = frozenset({"metadata.json", "datalist.json"})


@dataclass(frozen=True, slots=True)
class NamedBundle:
    """`configs` None: not said. Places of files are `(name, span)`."""

    folder: str
    span: Span
    configs: tuple[tuple[str, Span], ...] | None


def ids_of(args: Mapping[str, Value], config: Container[str]) -> dict[str, str]:
    """What MONAI's workflow evaluates of a configuration with the ids `config`, by the names of the arguments."""
    ids = {argument: str(args.get(argument, usual)) for argument, usual in IDS.items()}
    if "run_id" not in args:
        ids["run_id"] = next((id for id in _RUNS if id in config), ids["run_id"])
    return ids


def named_bundle(module: ast.Module) -> NamedBundle | None:
    """The bundle that this file's study names as its target."""
    for bind in _targets(module):
        match bind.given:
            case ast.Call("Bundle", (ast.Positional(ast.Lit(str() as folder, span), None), *rest)):
                return NamedBundle(folder, span, _configs(rest))
            case _:
                pass
    return None


def _targets(module: ast.Module) -> Iterator[ast.Bind]:
    """`study { target = ... }` and `study.target = ...`."""
    for statement in module.body:
        match statement:
            case ast.Section(path=ast.Path((ast.NameStep("study"), *_)), body=body):
                yield from (item for item in body if isinstance(item, ast.Bind) and _is(item, "target"))
            case ast.Bind() if _is(statement, "study", "target"):
                yield statement
            case _:
                pass


def _is(bind: ast.Bind, *names: str) -> bool:
    return len(bind.targets) == 1 and tuple(getattr(step, "name", "") for step in bind.targets[0].steps) == names


def _configs(rest: list[ast.Positional | ast.Bind | ast.Let]) -> tuple[tuple[str, Span], ...] | None:
    for argument in rest:
        if isinstance(argument, ast.Bind) and _is(argument, "config"):
            match argument.given:
                case ast.Lit(str() as name, span):
                    return ((name, span),)
                case ast.ListExpr(items):
                    texts = [item.value for item in items]
                    return tuple(
                        (text.value, text.span) for text in texts if isinstance(text, ast.Lit) and isinstance(text.value, str)
                    )
                case _:
                    return ()
    return None


def find_configs(root: Path, bundle: NamedBundle) -> list[tuple[Path, Span]]:
    """The files of the base. LookupError, with what to write, where none of them can be meant."""
    folder = root / "configs" if (root / "configs").is_dir() else root
    if bundle.configs is not None:
        return [(folder / name, span) for name, span in bundle.configs]
    found = next((folder / name for name in _DEFAULTS if (folder / name).is_file()), None)
    if found is not None:
        return [(found, bundle.span)]
    names = sorted(file.name for file in folder.iterdir() if file.suffix in _KINDS and file.name not in _OTHERS)
    best = nearest("train.json", names, 0.3) or (names[0] if names else None)
    raise LookupError(f'say which it is: `Bundle("{bundle.folder}", config = "{best}")`' if best else "it holds no configuration")
