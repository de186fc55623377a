"""The searches of a program alone, as `.automl` over the JSON file that keeps the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from automl_run.errors import InputError

from . import ast, ir
from .digest import digest
from .elaborate import Request, elaborate
from .elaborate.layers import Layer
from .load import check
from .parser import parse_module
from .printer import print_module
from .source import NOWHERE, Source
from .to_automl_exprs import Scope, Unwritable
from .to_automl_places import Place, argument, attribute, child, items
from .to_automl_study import study_section
from .to_automl_write import Writer

_NAME = "overlay.automl"


def overlay(program: ir.Program, base: Path, folder: Path) -> str:
    """The text, for a file in `folder` that `use`s `base`. Unwritable, and InputError for a base that it cannot reach."""
    root, place = folder.resolve(), base.resolve()
    if not place.is_relative_to(root):
        raise InputError(f"{base} must lie in the folder of the new file, or below it: `use` reads nothing else")
    below = check(base)
    writer = _Overlay(program)
    use = ast.Use(os.path.relpath(place, root).replace(os.sep, "/"), NOWHERE)
    body: list[ast.Statement] = [use]
    usual = below.unwrap().study
    if replace(program.study, target=usual.target, objectives=usual.objectives) != usual:
        said = replace(program.study, target=None, objectives=())
        study = study_section(said, (), None, lambda expr: writer.names.expr(expr, Scope()))
        body += [] if study is None else [study]
    text = print_module(ast.Module(_NAME, program.edition, (*body, *writer.statements())))
    if not _means(text, program, below.layers):
        raise Unwritable("the searches of this file cannot be written over it")
    return text


def _means(text: str, program: ir.Program, below: tuple[Layer, ...]) -> bool:
    module, found = parse_module(Source(_NAME, text))
    if any(item.severity == "error" for item in found):
        return False
    target = program.study.target
    request = Request([*below, Layer(module)], target, program.variables, program.base_dir)
    read = elaborate(request).program
    return read is not None and digest(read) == digest(program)


class _Overlay(Writer):
    """Binds what is searched, by its path."""

    def statements(self) -> tuple[ast.Statement, ...]:
        body: list[ast.Statement] = []
        for key, node in self.program.config.entries.items():
            place = child(Place("", "", "", ()), key)
            for inside, at in self._leaves(node, place):
                body += self._binds(inside, at, self._path(at), Scope())
        lets = [self._let(group) for group in self.homes.lets.values()]
        return (*self.before, *lets, *body, *self.after)

    def _leaves(self, node: ir.ConfigNode, place: Place) -> Iterator[tuple[ir.ConfigNode, Place]]:
        """What depends on a search below `node`."""
        match node:
            case ir.Const():
                return
            case ir.Component(_, args, attrs):
                for key, inside in args.items():
                    yield from self._leaves(inside, argument(place, key))
                for key, inside in attrs.items():
                    yield from self._leaves(inside, attribute(place, key))
            case ir.ListNode(nodes):
                for inside, at in zip(nodes, items(place, nodes), strict=True):
                    yield from self._leaves(inside, at)
            case ir.MapNode(entries):
                for key, inside in entries.items():
                    yield from self._leaves(inside, child(place, key))
            case _:
                yield node, place

    def _grouped(self, param: ir.Param, node: ir.ConfigNode, place: Place, scope: Scope, guard: ir.Expr | None) -> ast.Bind | None:
        bind = super()._grouped(param, node, place, scope, guard)
        if bind is None:
            return None
        home = self.homes.homes[param.id]
        targets = tuple(self._path(at) for at in home)
        return ast.Bind(targets, bind.given, False, None, bind.search, bind.tags, bind.guard, NOWHERE)


__all__ = ["Unwritable", "overlay"]
