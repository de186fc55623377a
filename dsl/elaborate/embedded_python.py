"""Python in the texts of a base: Clara's `"#@model.parameters()"` and `"lambda x: x"`, MONAI's `"$@network.parameters()"`.

Only a job evaluates it. What can be said without: whether it is Python at all, and of Clara's, which knows few names, whether it
asks for another one. A slip of the methods that every network has is told, too, where the network is one of MONAI's.

Codes: AM223 an expression that cannot be evaluated.
"""

from __future__ import annotations

import ast as python
import builtins
import re
import warnings
from collections.abc import Iterator
from typing import Final

from .. import ast, signatures
from ..clara_python import expression, with_names
from ..diagnostics import did_you_mean, nearest
from .tree import Comp, Fault, Leaf, Map, Seq, Slot, Tree

#: What Clara's expressions know beside `@x`.
SCOPE: Final = ("monai", "torch", "ignite", "numpy", "np")
#: Of MONAI's, whose every `@` is one.
_REFERENCE: Final = re.compile(r"@(?:\w|::|#)+")
#: `{x}` in a text of Clara's is a variable: what comes of it is known later.
_VARIABLE: Final = re.compile(r"\{[A-Za-z_]\w*\}")
_SECTIONS: Final = ("train", "validate")
#: Of torch's modules, those that configurations call.
_METHODS: Final = frozenset({
    "parameters", "named_parameters", "modules", "named_modules", "children", "state_dict", "load_state_dict", "buffers",
})  # fmt: skip
#: How like one of them a slip is: `parametrs`, but not `module`, which a wrapped network has.
_LIKE: Final = 0.93
_SHOWN: Final = 80


def of_clara(root: Map) -> Iterator[Fault]:
    """A fault for each expression that a job would fail at, in arguments of `train` and `validate` that are not switched off."""
    models = [tree for tree in _below(root, ("train", "model")) if isinstance(tree, Comp)]
    is_stock = bool(models) and all("." not in model.cls and signatures.is_known(model.cls) for model in models)
    for section in _SECTIONS:
        for tree in _below(root, (section,)):
            for literal in _arguments(tree):
                fault = _clara(literal, is_stock)
                if fault is not None:
                    yield fault


def of_bundle(literal: ast.Lit) -> Fault | None:
    """What is wrong with a `$expression`, or an import."""
    text = literal.value
    if not isinstance(text, str) or not text.startswith("$"):
        return None
    code = _REFERENCE.sub("_", text[1:].strip())
    try:
        found = next(python.iter_child_nodes(_parsed(code, "exec")), None)
        if not isinstance(found, (python.Import, python.ImportFrom)):
            _parsed(code, "eval")
    except SyntaxError as error:
        return _not_python(literal, error)
    return None


def _clara(literal: ast.Lit, is_stock: bool) -> Fault | None:
    text = literal.value
    if not isinstance(text, str) or _VARIABLE.search(text):
        return None
    code = expression(text)
    if code is None:
        return None
    code, parts = with_names(code)
    try:
        tree = _parsed(code, "eval")
    except SyntaxError as error:
        return _not_python(literal, error)
    unknown = next((name for name in _read(tree) if name not in SCOPE and name not in parts and not hasattr(builtins, name)), None)
    if unknown is not None:
        help = did_you_mean(unknown, SCOPE) or "a part of the config is written `@name`"
        return _fault(f"reads `{unknown}`, which nothing is called here", literal, help)
    for node in python.walk(tree):
        match node:
            case python.Attribute(python.Name(id), name) if is_stock and parts.get(id) == "model" and name not in _METHODS:
                best = nearest(name, _METHODS, _LIKE)
                if best is not None:
                    return _fault(f"reads `{name}`, which no network has", literal, f"did you mean `{best}`?")
            case _:
                pass
    return None


def _parsed(code: str, mode: str) -> python.AST:
    """SyntaxError for what is no Python. Warnings of its are the job's to tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return python.parse(code, mode=mode)
        except (ValueError, RecursionError, MemoryError) as error:  # a NUL, nesting without end
            raise SyntaxError(str(error) or type(error).__name__) from error


def _read(tree: python.AST) -> list[str]:
    """The names that it reads and does not bind itself."""
    names = [node for node in python.walk(tree) if isinstance(node, python.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, python.Load)}
    bound |= {node.arg for node in python.walk(tree) if isinstance(node, python.arg)}
    return [node.id for node in names if node.id not in bound]


def _not_python(literal: ast.Lit, error: SyntaxError) -> Fault:
    return _fault(f"is no Python expression: {error.msg.partition(' (')[0]}", literal, "")


def _fault(what: str, literal: ast.Lit, help: str) -> Fault:
    text = " ".join(str(literal.value).split())
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return Fault("AM223", f"`{shown}` {what}", literal.span, label="a job would fail here", help=help)


# -- what stands in the tree ------------------------------------------------------------------------------------------------------


def _below(root: Map, path: tuple[str, ...]) -> list[Tree]:
    trees: list[Tree] = [root]
    for name in path:
        slots = [tree.entries[name] for tree in trees if isinstance(tree, Map) and name in tree.entries]
        trees = [tree for slot in slots for tree in slot.standing()]
    return trees


def _arguments(tree: Tree, inside: bool = False) -> Iterator[ast.Lit]:
    """The values in arguments of components; a component that is off, and an argument with a leading underscore, is not read."""
    match tree:
        case Leaf(expr=ast.Lit() as literal) if inside:
            yield literal
        case Leaf():
            pass
        case Comp(args=args):
            if not _is_off(tree):
                for name, slot in args.items():
                    if not name.startswith("_"):
                        yield from _of(slot, True)
        case Seq(items=items):
            for slot in items:
                yield from _of(slot, inside)
        case Map(entries=entries):
            for name, slot in entries.items():
                if not name.startswith("_"):
                    yield from _of(slot, inside)


def _of(slot: Slot, inside: bool) -> Iterator[ast.Lit]:
    for tree in slot.standing():
        yield from _arguments(tree, inside)


def _is_off(comp: Comp) -> bool:
    """Switched off for good."""
    slot = comp.attrs.get("disabled")
    if slot is None:
        return False
    values = [tree.expr.value if isinstance(tree, Leaf) and isinstance(tree.expr, ast.Lit) else None for tree in slot.standing()]
    return bool(values) and all(value in (True, "true") for value in values)
