"""A MONAI bundle's configuration, JSON or YAML, as a base layer: data only.

`{"_target_": "UNet", ...}` is a component; `"@id"`, `"$expression"` and `"%file"` are texts whose meaning is MONAI's business. A
top-level key such as `train#dataloader#shuffle` is a path into what stands below it, as MONAI's own overrides are, and `+key`
merges into it: see `elaborate/merge.py`.

Codes: AM201 a value of the wrong kind.
"""

from __future__ import annotations

import re
from pathlib import Path

from . import ast
from .diagnostics import Diagnostic
from .elaborate.merge import ATTRIBUTES
from .legacy.json_reader import read_json
from .legacy.json_tree import JsonArray, JsonNode, JsonObject, JsonScalar, kind_of
from .source import Source

_CLASS = re.compile(r"[A-Z][A-Za-z0-9_]*|[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+")
_SEPARATOR = re.compile("#|::")


def is_bundle(source: Source, path: Path) -> bool:
    """Whether a JSON file is a bundle's: it constructs with `_target_`, or lies in a bundle."""
    if path.suffix in (".yaml", ".yml"):
        return True
    if '"_target_"' in source.text:
        return True
    return path.parent.name == "configs" and (path.parent / "metadata.json").is_file()


def bundle_root(path: Path) -> Path | None:
    """The bundle that a configuration belongs to: the folder above its `configs/`."""
    folder = path.resolve().parent
    return folder.parent if folder.name == "configs" else None


def read_bundle(source: Source, path: Path) -> tuple[ast.Module, list[Diagnostic]]:
    """The bindings that `source` stands for, and everything that is wrong with it."""
    if path.suffix in (".yaml", ".yml"):
        from .bundle_yaml import read_yaml

        root, found = read_yaml(source)
    else:
        root, found = read_json(source)
    if root is None:
        return ast.Module(source.name, None, ()), found
    if not isinstance(root, JsonObject):
        message = f"a bundle's configuration is an object, not {kind_of(root)}"
        return ast.Module(source.name, None, ()), [*found, Diagnostic("AM201", message, root.span)]
    reader = _Reader(found)
    return ast.Module(source.name, None, tuple(reader.statements(root))), reader.diagnostics


class _Reader:
    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = diagnostics

    def statements(self, root: JsonObject) -> list[ast.Statement]:
        out: list[ast.Statement] = []
        for entry in root:
            steps: list[ast.Step] = []
            is_merge = entry.key.startswith("+")
            for number, part in enumerate(_SEPARATOR.split(entry.key.removeprefix("+"))):
                is_index = number > 0 and part.isdecimal()
                at = entry.key_span
                steps.append(ast.IndexStep(ast.Lit(int(part), at), at) if is_index else ast.NameStep(part, at))
            path = ast.Path(tuple(steps), entry.key_span)
            span = entry.key_span.to(entry.value.span)
            out.append(ast.Bind((path,), self.expr(entry.value), is_merge, None, None, (), None, span))
        return out

    def expr(self, node: JsonNode) -> ast.Expr:
        match node:
            case JsonScalar(value, span):
                return ast.Lit(value, span)
            case JsonArray(items, span):
                return ast.ListExpr(tuple(ast.Item(self.expr(item), None, item.span) for item in items), span)
            case JsonObject():
                target = node.get("_target_")
                if target is None:
                    entries = tuple((entry.key, self.expr(entry.value)) for entry in node)
                    return ast.DictExpr(entries, tuple(entry.key_span for entry in node), node.span)
                return self._component(node, target)

    def _component(self, node: JsonObject, target: JsonNode) -> ast.Call:
        if not isinstance(target, JsonScalar) or not isinstance(target.value, str) or not target.value.strip():
            message = "`_target_` is the name of a class or function"
            self.diagnostics.append(Diagnostic("AM201", message, target.span, "not a name"))
            return ast.Call("component", (ast.Positional(ast.Lit("", target.span), None, target.span),), target.span, node.span)
        args: list[ast.Positional | ast.Bind | ast.Let] = []
        callee = target.value
        if not _CLASS.fullmatch(callee):  # a function, or an expression that gives one
            args.append(ast.Positional(ast.Lit(callee, target.span), None, target.span))
            callee = "component"
        for entry in node:
            if entry.key == "_target_":
                continue
            attribute = ATTRIBUTES.get(entry.key)
            step: ast.Step = (
                ast.NameStep(entry.key, entry.key_span) if attribute is None else ast.AttrStep(attribute, entry.key_span)
            )
            span = entry.key_span.to(entry.value.span)
            target_path = (ast.Path((step,), entry.key_span),)
            args.append(ast.Bind(target_path, self.expr(entry.value), False, None, None, (), None, span))
        return ast.Call(callee, tuple(args), target.span, node.span)
