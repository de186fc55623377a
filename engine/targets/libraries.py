"""Which libraries a target's jobs import, so that a warm server can have them ready. Nothing is imported to find out."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

from automl_run.dsl.ir import Spec
from automl_run.errors import InputError

from .python_function import PythonTarget
from .registry import make_target

#: Libraries that start no threads and touch no GPU when they are imported.
KNOWN: Final = frozenset({
    "ignite", "lightgbm", "lightning", "matplotlib", "monai", "nibabel", "numba", "numpy", "pandas", "PIL", "pydicom",
    "pytorch_lightning", "scipy", "SimpleITK", "skimage", "sklearn", "timm", "torch", "torchmetrics", "torchvision", "transformers",
    "xgboost",
})  # fmt: skip
_MMAR: Final = ("automl_run.engine.targets.mmar.train", "monai.bundle", "monai.engines", "monai.handlers", "monai.apps")
_BUNDLE: Final = ("automl_run.engine.targets.bundle.train", "monai.bundle", "monai.engines", "monai.handlers", "monai.apps")
_MAX_FILES: Final = 50


def libraries(spec: Spec | None, base_dir: Path) -> tuple[str, ...]:
    """Modules to import before the fork of a job; () where that gains nothing, or its environment may matter to an import."""
    if spec is None:
        return ()
    if spec.name == "Mmar":
        return _MMAR
    if spec.name == "Bundle":
        return _BUNDLE
    if spec.name != "Python":
        return ()
    try:
        target = make_target(spec, base_dir, {})
    except InputError:
        return ()
    if not isinstance(target, PythonTarget) or target.env:
        return ()
    return _of_module(target.module, target.base_dir)


def _of_module(module: str, base_dir: Path) -> tuple[str, ...]:
    """What the user's module imports, and what those of its imports that lie in `base_dir` do."""
    if _hides_another(module, base_dir):
        return ()
    found: dict[str, None] = {}
    waiting, done = [module], set[str]()
    while waiting and len(done) < _MAX_FILES:
        name = waiting.pop()
        source = None if name in done else _source(name, base_dir)
        done.add(name)
        if source is None:
            continue
        try:
            tree = ast.parse(source.read_bytes(), str(source))
        except (OSError, SyntaxError, ValueError):
            return ()
        if _sets_environment(tree):
            return ()
        for imported in _imports(tree, name):
            if _hides_another(imported, base_dir):
                return ()
            if imported.partition(".")[0] in KNOWN:
                found[imported] = None
            else:
                waiting.append(imported)
    return tuple(found)


def _hides_another(module: str, base_dir: Path) -> bool:
    """Whether `base_dir` has its own version of an installed package: a warm server would have imported the installed one."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return False
    mine, other = PathFinder.find_spec(top, [str(base_dir)]), PathFinder.find_spec(top)
    if mine is None or other is None or mine.origin is None or other.origin is None:
        return False
    return Path(mine.origin).resolve() != Path(other.origin).resolve()


def _source(module: str, base_dir: Path) -> Path | None:
    """The file of a module below `base_dir`."""
    parts, place, spec = module.split("."), [str(base_dir)], None
    for index in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: index + 1]), place)
        if spec is None:
            return None
        place = list(spec.submodule_search_locations or [])
    origin = Path(spec.origin) if spec is not None and spec.origin else None
    return origin if origin is not None and origin.suffix == ".py" else None


def _imports(tree: ast.Module, module: str) -> Iterator[str]:
    """Modules that `tree`, the source of `module`, imports anywhere; for `from a import b` both `a` and `a.b`."""
    package = module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            outer = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*outer, *([node.module] if node.module else [])])
            if base:
                yield base
            if base.partition(".")[0] not in KNOWN:
                yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names if alias.name != "*")


def _sets_environment(tree: ast.Module) -> bool:
    """Whether the module touches the environment when it is imported: a library that it imports after that may read it."""
    functions = {each.name: each for each in tree.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))}
    called: set[str] = set()
    waiting: list[Iterable[ast.AST]] = [tree.body]
    while waiting:
        for node in _executed(waiting.pop()):
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            if name in ("environ", "putenv"):
                return True
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions.keys() - called:
                called.add(node.func.id)
                waiting.append(functions[node.func.id].body)
    return False


def _executed(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """`nodes` and what is in them, without the bodies of functions, and without what a module does as a program only."""
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and any(isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)):
            yield from _executed(node.orelse)
            continue
        yield node
        yield from _executed(ast.iter_child_nodes(node))
