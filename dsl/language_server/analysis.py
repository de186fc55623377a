"""What is known of one open program: its diagnostics, its syntax tree, and every place of its layered configuration."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .. import ast, ir
from ..diagnostics import Diagnostic
from ..elaborate.layers import Layered, build
from ..elaborate.paths import assign, branch_suffix, group_id
from ..elaborate.places import Places
from ..elaborate.tree import Comp, Fault, Leaf, Map, Seq, Site, Slot, Tree
from ..lint import lint
from ..load import Checked, check, check_automl_config
from ..source import Span
from .documents import Document, Overlay, Snapshot, Stamp, stamp

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Analysis:
    """`module` is this file's own tree; `layered` what all layers come to, as far as they could be read."""

    document: Document
    checked: Checked
    module: ast.Module
    layered: Layered
    files: frozenset[Path]
    #: where a place is written first -> the place
    slots: dict[Span, Slot]
    #: the file as diagnostics and spans call it
    name: str
    lints: tuple[Diagnostic, ...]

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What `check` says, then what `lint` adds."""
        return tuple(dict.fromkeys((*self.checked.diagnostics, *self.lints)))

    @property
    def places(self) -> Places:
        return self.layered.places

    def text_of(self, span: Span) -> str:
        source = self.checked.sources.get(span.file)
        return "" if source is None else source.text[span.start : span.end]

    def params(self, slot: Slot) -> list[ir.Param]:
        """The parameters that decide `slot`, those of its searched alternatives that are ranges included."""
        if self.checked.program is None:
            return []
        ids: set[str] = set()
        for site in sites(slot):
            found = [at for _, at in site.attached()]
            if found:
                ids.add(group_id(found) + branch_suffix(found[0], site.binding_of(found[0])))
        out = [param for param in self.checked.program.params if param.id in ids]
        inner = [
            param
            for param in self.checked.program.params
            if param not in out and any(param.id.startswith(f"{id}[") for id in ids) and slot.path in param.targets
        ]
        return out + inner

    def walk(self, steps: tuple[ast.Step, ...]) -> Slot | None:
        """The place at `steps` from the top."""
        try:
            return self.places.walk(None, steps, None) if steps else None
        except Fault:
            return None

    def below(self, slot: Slot | None) -> dict[str, Slot]:
        """What a point can lead to from `slot` (None: the top), by its spelling there."""
        if slot is None:
            return dict(self.places.root.entries)
        out: dict[str, Slot] = {}
        for tree in self.trees(slot):
            out.update(children(tree))
        return out

    def trees(self, slot: Slot) -> list[Tree]:
        """What stands at `slot`: its value and every alternative of its search; a lone name is followed."""
        out: list[Tree] = []
        for tree in slot.standing():
            if isinstance(tree, Leaf) and isinstance(tree.expr, (ast.Name, ast.Attr)):
                try:
                    target = self.places.resolve(tree.expr, tree.scope, tree.home)
                except Fault:
                    continue
                if isinstance(target, Slot) and target is not slot:
                    out += [each for each in target.standing() if not isinstance(each, Leaf)]
            else:
                out.append(tree)
        return out


@dataclass(slots=True)
class Analyser:
    """Keeps the last analysis of each program and makes it again only if one of its files has changed. One thread uses it."""

    _kept: dict[Path, tuple[dict[Path, Stamp], Analysis]] = field(default_factory=dict)

    def analyse(self, documents: Snapshot, path: Path) -> Analysis | None:
        """The analysis of the open text at `path`; None if it is none of the kinds that are checked."""
        document = documents.get(path)
        if document is None or not document.is_program:
            self._kept.pop(path, None)
            return None
        kept = self._kept.get(path)
        if kept is not None and all(stamp(file, documents) == old for file, old in kept[0].items()):
            return kept[1]
        overlay = Overlay(documents)
        checked: Checked | None
        if document.is_automl_config:
            checked = check_automl_config(path, read_bytes=overlay.read_bytes)
        else:
            checked = check(path, read_bytes=overlay.read_bytes)
        if checked is None:
            return None
        analysis = _analysis(document, checked, frozenset(overlay.stamps))
        self._kept[path] = (overlay.stamps, analysis)
        return analysis

    def forget(self, path: Path) -> None:
        self._kept.pop(path, None)


def _analysis(document: Document, checked: Checked, files: frozenset[Path]) -> Analysis:
    name = str(document.path)
    # Wrong arguments are `check`'s business; here what is written has a place, whoever's class it is.
    layered = build(checked.layers, lambda cls, name: True)
    assign(layered.places)
    module = next((layer.module for layer in checked.layers if layer.module.file == name), ast.Module(name, None, ()))
    slots: dict[Span, Slot] = {}
    for slot in every_slot(layered.places):
        slots.setdefault(slot.span, slot)
    return Analysis(document, checked, module, layered, files, slots, name, _lints(checked, name))


def _lints(checked: Checked, name: str) -> tuple[Diagnostic, ...]:
    """Advice: a mistake in a rule must not hide what `check` has found."""
    try:
        return tuple(lint(checked, name))
    except Exception:
        log.exception("the lints of %s failed", name)
        return ()


# -- the layered tree -------------------------------------------------------------------------------------------------------------


def every_slot(places: Places) -> Iterator[Slot]:
    """All places, parents first."""
    pending = [*reversed(places.lets.values()), *reversed(places.root.entries.values())]
    seen: set[int] = set()
    while pending:
        slot = pending.pop()
        if id(slot) in seen:
            continue
        seen.add(id(slot))
        yield slot
        for tree in slot.standing():
            pending += reversed(_inside(tree))


def _inside(tree: Tree) -> list[Slot]:
    match tree:
        case Comp(args=args, attrs=attrs, lets=lets):
            return [*lets.values(), *args.values(), *attrs.values()]
        case Map(entries=entries):
            return list(entries.values())
        case Seq(items=items):
            return items
        case Leaf():
            return []


def children(tree: Tree) -> dict[str, Slot]:
    """The places directly in `tree` by the name that a path has for them."""
    match tree:
        case Comp(args=args, attrs=attrs, lets=lets):
            return {**lets, **args, **{f"@{name}": slot for name, slot in attrs.items()}}
        case Map(entries=entries):
            return dict(entries)
        case Seq(items=items):
            out: dict[str, Slot] = {}
            for item in items:
                for each in item.standing():
                    if isinstance(each, Comp):
                        out.setdefault(each.short, item)
            return out
        case Leaf():
            return {}


def sites(slot: Slot) -> list[Site]:
    """The searches at `slot`, highest layer first."""
    return [binding.site for binding in slot.chain() if binding.site is not None]


def components(trees: list[Tree]) -> list[Comp]:
    return [tree for tree in trees if isinstance(tree, Comp)]
