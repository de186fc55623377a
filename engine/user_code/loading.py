"""From `module.Class` to the user's class: where it is sought, whether it is there, and making it."""

from __future__ import annotations

import ast
import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.ir import Program, Spec
from automl_run.errors import InputError

from .messages import Part

#: Folders of an MMAR that may hold code, beside its root: today's name, and that of NVIDIA's notebooks.
_OF_MMAR = ("custom", "BYOC", "")


def own(spec: Spec | None) -> Part | None:
    """The class of the user's that `spec` names; None for a stock component."""
    return Part(spec.name, dict(spec.args)) if spec is not None and "." in spec.name else None


def code_folders(program: Program) -> tuple[str, ...]:
    """Where user code is sought: in the MMAR, in the program's folder, and where PYTHONPATH says."""
    base = Path(program.base_dir).resolve()
    found: list[str] = []
    target = program.study.target
    if target is not None and target.name == "Mmar":
        root = base / str(next(iter(target.args.values()), ""))
        found += [str(root / name) for name in _OF_MMAR]
    found.append(str(base))
    found += [str(Path(entry).resolve()) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return tuple(dict.fromkeys(found))


def check(part: Part, kind: str, folders: Sequence[str], allowed: Iterable[str]) -> None:
    """InputError when there is no such class, as far as the text of its module tells. Imports nothing."""
    module, _, name = part.path.rpartition(".")
    top = module.partition(".")[0]
    title = f"{kind} `{part.path}`"
    if top not in {each.partition(".")[0] for each in allowed} and PathFinder.find_spec(top, list(folders)) is None:
        raise InputError(
            f"{title}: there is no module `{top}` in {', '.join(folders)}; put it there, name its folder in PYTHONPATH, or, for an "
            f"installed package, allow it with --allow-module {top}"
        )
    spec = _find(module, folders)
    if spec is None:
        raise InputError(f"{title}: there is no module `{module}`")
    if spec.origin is None or not spec.origin.endswith(".py"):
        return
    try:
        tree = ast.parse(Path(spec.origin).read_bytes(), spec.origin)
    except OSError as error:
        raise InputError(f"{title}: {spec.origin} cannot be read: {error.strerror}") from error
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise InputError(f"{title}: {spec.origin}{line}: {error.msg if isinstance(error, SyntaxError) else error}") from error
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    # A class may also be made, or imported from elsewhere: what is written there tells no more then.
    mentioned = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
        alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    if name not in names | mentioned and "*" not in mentioned:
        hint = did_you_mean(name, names) or (f"it has {', '.join(sorted(names))}" if names else "it has no class")
        raise InputError(f"{title}: {spec.origin} has no class `{name}`: {hint}")


def _find(module: str, folders: Sequence[str]) -> ModuleSpec | None:
    """As an import would find it, with nothing imported."""
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for index in range(len(parts)):
        name = ".".join(parts[: index + 1])
        if spec is None:
            spec = PathFinder.find_spec(name, list(folders)) or PathFinder.find_spec(name)
        else:
            spec = PathFinder.find_spec(name, list(spec.submodule_search_locations or []))
        if spec is None:
            return None
    return spec


def extend_path(folders: Sequence[str]) -> None:
    """`import` looks in `folders` first."""
    sys.path[:0] = [folder for folder in folders if folder not in sys.path]
    importlib.invalidate_caches()


def make(part: Part, kind: str, methods: Iterable[str]) -> Any:
    """An object of the class, in a process for user code. InputError when it cannot be made or lacks one of `methods`."""
    module, _, name = part.path.rpartition(".")
    title = f"{kind} `{part.path}`"
    try:
        cls = getattr(importlib.import_module(module), name)
    except AttributeError:
        raise InputError(f"{title}: module `{module}` has no `{name}`") from None
    except BaseException as error:
        raise InputError(f"{title} cannot be imported: {said(error)}") from error
    if not isinstance(cls, type):
        raise InputError(f"{title} is no class")
    try:
        made = cls(**part.args)
    except BaseException as error:
        raise InputError(f"{title} cannot be made: {said(error)}") from error
    lacking = [method for method in methods if not callable(getattr(made, method, None))]
    if lacking:
        raise InputError(f"{title} has no method `{lacking[0]}`: it is no {kind}")
    return made


def said(error: BaseException) -> str:
    """What was raised, and the place in the user's code; the traceback goes to the log."""
    traceback.print_exception(error)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    text = str(error).strip().partition("\n")[0]
    return clean(f"{type(error).__name__}{': ' + text if text else ''}{place}")


def clean(text: str) -> str:
    """What any encoding can take: user code may say anything."""
    return text.encode("utf-8", "backslashreplace").decode()


def shown(value: object) -> str:
    """A value of the user's in a sentence."""
    return clean(f"{value!r:.80} ({type(value).__name__})")


def _is_ours(file: str) -> bool:
    return file.startswith(str(Path(__file__).resolve().parents[1])) or file.startswith("<frozen")
