"""What may be typed next: the words that the grammar accepts at the cursor, and the names that mean something there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from lsprotocol import types

from automl_run.errors import ProgramError

from .. import ast, signatures
from ..elaborate import metrics
from ..elaborate.places import section_key
from ..elaborate.tree import Fault, Scope, Section, Slot
from ..expected import SHOWN
from ..ir import MapNode
from ..operations import FUNCTIONS
from ..parser import parse_path
from ..source import NOWHERE, Source
from . import study_table
from .analysis import Analysis, components, every_slot
from .cursor import Cursor, cursor_at
from .text import Lines

Kind = types.CompletionItemKind
#: Terminals that are no words one could type.
_NO_WORD = frozenset({*SHOWN, "WS", "COMMENT", "_CONT"})
#: Longer lists are cut, and asked for again as the word grows.
_MOST_CLASSES = 200
_ATTRIBUTES = ("@disabled", "@rank", "@ref")


def complete(analysis: Analysis, lines: Lines, offset: int) -> types.CompletionList:
    """The completions at `offset` of the open text."""
    cursor = cursor_at(lines.text, offset)
    writer = _Writer(analysis, cursor, lines)
    writer.write()
    return types.CompletionList(writer.is_incomplete, list({item.label: item for item in reversed(writer.items)}.values())[::-1])


class _Writer:
    def __init__(self, analysis: Analysis, cursor: Cursor, lines: Lines) -> None:
        self.analysis = analysis
        self.cursor = cursor
        self.range = lines.range(cursor.start, offset_end(lines.text, cursor))
        self.items: list[types.CompletionItem] = []
        self.is_incomplete = False

    def add(self, label: str, kind: types.CompletionItemKind, detail: str = "", insert: str = "", rank: int = 5) -> None:
        self.items.append(
            types.CompletionItem(
                label=label,
                kind=kind,
                detail=detail or None,
                sort_text=f"{rank}{label}",
                filter_text=label,
                text_edit=types.TextEdit(self.range, insert or label),
            )
        )

    def write(self) -> None:
        cursor = self.cursor
        if cursor.within == "comment" or cursor.before[-1:] in (("def",), ("for",)) or cursor.before[:1] == ("automl",):
            return
        if cursor.before[:1] == ("def",) and "=" not in cursor.before:
            return
        if cursor.within == "string":
            if cursor.before[-1:] == ("use",):
                self.files()
            return
        if cursor.chain:
            if cursor.accepted & {"NAME", "ATTR"}:
                self.chained()
            return
        section = self.study_section()
        if section is not None and (cursor.at_statement or not cursor.before):
            self.study_keys(section)
            return
        if cursor.before[-1:] == ("let",) and cursor.call is None:
            return
        call = cursor.call
        if call is not None and not call.argument and call.fresh:
            self.arguments()
            if call.head[:1].isupper() or "." in call.head:
                # The grammar reads any expression before `=`, but an argument begins with its name.
                self.keywords(cursor.accepted & {"LET"})
                return
        if not cursor.accepted & {"NAME", "CALLEE"}:
            self.keywords(cursor.accepted)
        elif cursor.at_statement or (cursor.is_target() and section is None and "NAME" in cursor.accepted):
            self.targets()
            self.keywords(cursor.accepted)
        elif cursor.before[:1] in (("maximize",), ("minimize",), ("ensure",)):
            self.metrics()
        elif cursor.before[-1:] == ("is",) or cursor.before[-2:] == ("is", "not"):
            self.alternatives()
            self.keywords(cursor.accepted & {"NOT"} if cursor.before[-1:] == ("is",) else ())
        elif cursor.before[-1:] == ("before",):
            self.list_items()
        elif section is not None and call is None:
            self.study_values(section)
        else:
            self.values()
            self.keywords(cursor.accepted)

    def keywords(self, accepted: Iterable[str]) -> None:
        for name in sorted(set(accepted) - _NO_WORD):
            rank = 7 if self.cursor.at_statement else 3
            self.add(name.lower(), Kind.Keyword, rank=rank, insert="automl 1" if name == "AUTOML" else "")

    # -- paths ----------------------------------------------------------------------------------------------------------------

    def prefix(self) -> tuple[ast.Step, ...]:
        """The section that the cursor is in."""
        out: tuple[ast.Step, ...] = ()
        for head in self.cursor.blocks:
            path = _path(head)
            out += path.steps if path is not None else ()
        return out

    def scope(self) -> Scope | None:
        scope: Scope | None = None
        steps: tuple[ast.Step, ...] = ()
        for head in self.cursor.blocks:
            path = _path(head)
            steps += path.steps if path is not None else ()
            scope = Section(ast.Path(steps, NOWHERE), scope)
        return scope

    def slot(self, text: str, *, is_target: bool) -> Slot | None:
        path = _path(text)
        if path is None:
            return None
        if is_target:
            found = self.analysis.walk((*self.prefix(), *path.steps))
            if found is not None:
                return found
        first, *rest = path.steps
        if isinstance(first, ast.NameStep):
            start = self.analysis.places.name(first.name, self.scope(), None) or self.local(first.name)
            if isinstance(start, Slot):
                try:
                    return self.analysis.places.walk(start, rest, None) if rest else start
                except Fault:
                    return None
        return None

    def local(self, name: str) -> Slot | None:
        """A `let` of a constructor, wherever it is."""
        return next((slot for slot in every_slot(self.analysis.places) if slot.is_let and slot.name == name), None)

    def chained(self) -> None:
        is_target = self.cursor.is_target()
        slot = self.slot(self.cursor.chain, is_target=is_target)
        if slot is None:
            return
        self.below(slot)
        if not is_target:
            return
        for comp in components(self.analysis.trees(slot)):
            for parameter in self.parameters(comp.cls):
                if parameter.name not in comp.args:
                    self.add(parameter.name, Kind.Field, f"{comp.short} argument{_kinds(parameter)}", rank=4)
            for name in _ATTRIBUTES:
                self.add(name, Kind.Property, "attribute", rank=6)

    def below(self, slot: Slot | None) -> None:
        for name, inner in self.analysis.below(slot).items():
            if name.lstrip("@").isidentifier() and name.isascii():
                self.add(name, Kind.Property, self.shown(inner), rank=2)

    def shown(self, slot: Slot) -> str:
        """A place in a few words: its class, its value or that it is searched."""
        binding = slot.binding
        if binding is None:
            return ""
        if binding.site is not None:
            return "~ " + _short(self.analysis.text_of(binding.site.domain.span))
        found = components(self.analysis.trees(slot))
        return found[0].cls if found else _short(self.analysis.text_of(getattr(binding.value, "span", binding.span)))

    def targets(self) -> None:
        prefix = self.prefix()
        if prefix:
            slot = self.analysis.walk(prefix)
            if slot is not None:
                self.below(slot)
                for comp in components(self.analysis.trees(slot)):
                    for parameter in self.parameters(comp.cls):
                        if parameter.name not in comp.args:
                            self.add(parameter.name, Kind.Field, f"{comp.short} argument{_kinds(parameter)}", rank=4)
                    for name in _ATTRIBUTES:
                        self.add(name, Kind.Property, "attribute", rank=6)
            return
        self.below(None)
        if self.cursor.at_statement:
            self.add("study", Kind.Module, "the study's section", rank=6)
        for (section, name), slot in self.analysis.places.lets.items():
            if not section:
                self.add(name, Kind.Variable, self.shown(slot), rank=5)

    # -- arguments ------------------------------------------------------------------------------------------------------------

    def parameters(self, cls: str) -> list[signatures.Parameter]:
        out: dict[str, signatures.Parameter] = {}
        for signature in signatures.signatures(cls):
            for parameter in signature.parameters:
                out.setdefault(parameter.name, parameter)
        return list(out.values())

    def arguments(self) -> None:
        call = self.cursor.call
        if call is None or self.cursor.before[-1:] == ("let",):
            return
        recipe = self.analysis.places.defs.get(call.head)
        if recipe is not None:
            for name in recipe[0].params or ():
                if name not in call.given:
                    self.add(name, Kind.Field, f"{call.head} argument", insert=f"{name} = ", rank=1)
        for parameter in self.parameters(call.head):
            if parameter.name not in call.given:
                rank = 1 if parameter.required else 2
                detail = f"{call.head} argument{_kinds(parameter)}" + (", required" if parameter.required else "")
                self.add(parameter.name, Kind.Field, detail, insert=f"{parameter.name} = ", rank=rank)

    # -- values ---------------------------------------------------------------------------------------------------------------

    def values(self) -> None:
        prefix = self.prefix()
        if prefix:
            self.below(self.analysis.walk(prefix))
        inside = {section_key(ast.Path(prefix[:length], NOWHERE)) for length in range(len(prefix) + 1)}
        for (section, name), slot in self.analysis.places.lets.items():
            if section in inside:
                self.add(name, Kind.Variable, self.shown(slot), rank=1)
        for bracket in self.cursor.brackets:
            for name in bracket.given if bracket.head else ():
                local = self.local(name)
                if local is not None:
                    self.add(name, Kind.Variable, self.shown(local), rank=1)
        self.below(None)
        for name, (recipe, _) in self.analysis.places.defs.items():
            insert = name if recipe.params is None else f"{name}("
            self.add(name, Kind.Struct, "def", insert=insert, rank=1)
        self.functions()
        self.classes()

    def functions(self) -> None:
        for name in sorted(FUNCTIONS):
            self.add(name, Kind.Function, "function", insert=f"{name}(", rank=4)

    def classes(self) -> None:
        partial = self.cursor.partial.lower()
        names = dict.fromkeys(
            comp.cls for slot in every_slot(self.analysis.places) for comp in components(self.analysis.trees(slot))
        )
        for name in names:
            self.add(name, Kind.Class, "component", insert=f"{name}(", rank=4)
        found = sorted(name for name in signatures.classes() if name.lower().startswith(partial) and name not in names)
        self.is_incomplete = len(found) > _MOST_CLASSES
        for name in found[:_MOST_CLASSES]:
            self.add(name, Kind.Class, "component", insert=f"{name}(", rank=6)

    def alternatives(self) -> None:
        """After `m is`: the classes that `m` may be."""
        words = list(self.cursor.before)
        while words and words[-1] in ("is", "not"):
            words.pop()
        text = ""
        while words and (words[-1] in (".", "]", "[") or words[-1].isidentifier() or words[-1].isdigit()):
            if text and text[0] not in ".[" and words[-1] not in (".", "["):
                break
            text = words.pop() + text
        slot = self.slot(text, is_target=False) if text else None
        for comp in components(self.analysis.trees(slot)) if slot is not None else []:
            self.add(comp.short, Kind.Class, "alternative", rank=1)

    def list_items(self) -> None:
        """After `path += [...] before`: the items of the list."""
        text = "".join(self.cursor.before[: self.cursor.before.index("+=")]) if "+=" in self.cursor.before else ""
        slot = self.slot(text, is_target=True) if text else None
        if slot is not None:
            self.below(slot)

    def metrics(self) -> None:
        program = self.analysis.checked.program
        config = program.config if program is not None else MapNode({})
        for name in dict.fromkeys([*metrics.log_labels(config), *self.log_labels()]):
            self.add(name, Kind.Value, "metric of the configuration", rank=1)
        for name, meaning in study_table.METRICS.items():
            self.add(name, Kind.Constant, meaning, rank=2)
        self.functions()

    def log_labels(self) -> Iterator[str]:
        """The metrics of a configuration that does not elaborate at the moment."""
        for slot in every_slot(self.analysis.places):
            if slot.name == "log_label" and slot.binding is not None and slot.binding.value is not None:
                expr = getattr(slot.binding.value, "expr", None)
                if isinstance(expr, ast.Lit) and isinstance(expr.value, str):
                    yield expr.value

    # -- the study ------------------------------------------------------------------------------------------------------------

    def study_section(self) -> str | None:
        """Which part of the study the cursor is in: "", "budget", "repeat", "phase"; None outside of it."""
        blocks = [head.split(" ")[0] for head in self.cursor.blocks]
        if not blocks or blocks[0].partition(".")[0] != "study":
            return None
        inner = [*blocks[0].split(".")[1:], *(part for block in blocks[1:] for part in block.split("."))]
        return inner[-1] if inner else ""

    def study_keys(self, section: str) -> None:
        for key, line in study_table.keys_of(section).items():
            snippet = line.snippet or (f"{key} " if key in ("maximize", "minimize", "ensure") else f"{key} = ")
            self.add(key, Kind.Property, f"{line.value} (default: {line.default})", insert=snippet, rank=1)

    def study_values(self, section: str) -> None:
        words = self.cursor.before
        key = words[0] if len(words) > 1 and words[1] == "=" else ""
        line = study_table.line_of(f"{section}.{key}" if section and section != "phase" else key)
        if line is None or words[-1:] != ("=",):
            self.values()
            return
        for value in line.values:
            self.add(value, Kind.EnumMember, key, rank=1)
        if not line.values:
            self.values()

    # -- files ----------------------------------------------------------------------------------------------------------------

    def files(self) -> None:
        """After `use "`: the files below the program's folder, by the folder that is typed so far."""
        folder = self.analysis.document.path.parent
        typed = self.cursor.partial.rpartition("/")[0]
        if ".." in typed.split("/") or typed.startswith("/"):
            return
        place = folder / typed
        self.range = types.Range(self.range.start, self.range.end)
        try:
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries[:500]:
            name = f"{typed}/{entry.name}" if typed else entry.name
            if entry.is_dir() and not entry.name.startswith("."):
                self.add(f"{name}/", Kind.Folder)
            elif (
                Path(entry.name).suffix in (".automl", ".json", ".yaml", ".yml")
                and Path(place / entry.name) != self.analysis.document.path
            ):
                self.add(name, Kind.File)


# -- helpers ----------------------------------------------------------------------------------------------------------------------


def offset_end(text: str, cursor: Cursor) -> int:
    """The end of the word under the cursor: a completion replaces all of it."""
    end = cursor.offset
    if cursor.within == "string":
        return end
    while end < len(text) and (text[end].isalnum() or text[end] == "_") and text[end].isascii():
        end += 1
    return end


def _path(text: str) -> ast.Path | None:
    """The path at the beginning of a block's head, its label left out."""
    try:
        return parse_path(Source("", text.split(" ")[0]))
    except ProgramError:
        return None


def _kinds(parameter: signatures.Parameter) -> str:
    return f": {' or '.join(parameter.kinds)}" if parameter.kinds else ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"
