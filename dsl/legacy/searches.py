"""`search`, `apply` and `lr_search` -> bindings of the syntax tree.

An argument that is searched where it stands becomes `path ~ domain`: its value stays in the component and is the baseline. What has
a name of its own, an alias `prob#myProb` or a tag at the first level, becomes a `let`; every argument that takes it becomes
`path = name`, so each reader keeps its own value for the baseline. A group that mixes both is a `let` altogether.

Codes: AM203 unknown argument, AM209 tags and aliases; see `search_items.py` for the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from ..ast import AttrStep, Bind, Expr, Let, Lit, Name, NameStep, Path, Range, Statement, Step, TupleExpr
from ..diagnostics import Secondary, did_you_mean, nearest
from ..source import Span
from .components import ComponentReader, Site
from .json_tree import JsonArray, JsonNode, JsonObject, JsonScalar, kind_of, text_of
from .search_items import ArgRef, SearchItem, read_item, read_range

SEARCHABLE_ATTRIBUTES = ("disabled",)


class SearchReader:
    """Reads the searches of one file. `root` is the file's object; `variables` are the names of its `{x}`."""

    def __init__(self, reader: ComponentReader, root: JsonObject, variables: frozenset[str]) -> None:
        self.reader = reader
        self.root = root
        self.keys = frozenset(entry.key for entry in root if not entry.key.startswith("_"))
        self.variables = variables
        self.statements: list[Statement] = []
        #: name of a tag or alias -> where it is declared
        self.declared: dict[str, Span] = {}
        self.tags: set[str] = set()
        self.applied: set[str] = set()
        self.readers: list[tuple[Site, str, str, Span, Span]] = []
        self.bound: dict[tuple[str, ...], Span] = {}
        self.taken = set(self.keys)

    def read(self, sites: Iterable[Site]) -> list[Statement]:
        for entry in self.root:
            if entry.key == "search":
                for item in self._items(entry.value):
                    self._first_level(item)
            elif entry.key == "lr_search":
                self._lr_search(entry.value, entry.key_span)
        for site in sites:
            search = site.owner.get("search")
            if search is not None:
                for item in self._items(search):
                    self._at(site, item)
            apply = site.owner.get("apply")
            if apply is not None:
                self._note_apply(site, apply)
        self._apply()
        self._start_switches()
        return self.statements

    def _items(self, node: JsonNode) -> list[SearchItem]:
        if not isinstance(node, JsonArray):
            help = "write `[{...}]`" if isinstance(node, JsonObject) else "write a list of search items"
            self.reader.error("AM201", f"`search` is a list of items, not {kind_of(node)}", node.span, "a list was expected", help)
            return []
        return [item for item in (read_item(self.reader, child) for child in node.items) if item is not None]

    # -- first level ----------------------------------------------------------------------------------------------------

    def _lr_search(self, node: JsonNode, span: Span) -> None:
        domain = read_range(self.reader, node)
        if "learning_rate" not in self.keys:
            help = 'add `"learning_rate": 0.0001`: it is the baseline'
            self.reader.error("AM203", "`lr_search` searches `learning_rate`, which this file does not have", span, "", help)
        elif domain is not None:
            path = (NameStep("learning_rate", span),)
            self._bind((path,), None, SearchItem((), domain, "lr", span), (span,))

    def _first_level(self, item: SearchItem) -> None:
        if not self._known_at_first_level(item):
            return
        is_tag = [self._is_tag(arg) for arg in item.args]
        if not any(is_tag) and not any(arg.alias for arg in item.args):
            paths = tuple((NameStep(arg.name, arg.span),) for arg in item.args)
            self._bind(paths, None, item, tuple(arg.span for arg in item.args))
            return
        names: list[str] = []
        for arg, tag in zip(item.args, is_tag, strict=True):
            name = arg.name if tag else arg.alias or self._fresh(f"{arg.name}_value")
            if not self._declare(name, arg.span, is_tag=tag):
                return
            names.append(name)
        given = None
        if not any(is_tag):
            values = [self._first_level_value(arg) for arg in item.args]
            given = values[0] if len(values) == 1 else TupleExpr(tuple(values), item.span)
        self._let(names, given, item)
        for arg, name, tag in zip(item.args, names, is_tag, strict=True):
            if not tag:
                self._read((NameStep(arg.name, arg.span),), name, arg.span)

    def _first_level_value(self, arg: ArgRef) -> Expr:
        node = self.root.get(arg.name)
        return Lit(None, arg.span) if node is None else ComponentReader(self.reader.file).expr(node)

    def _is_tag(self, arg: ArgRef) -> bool:
        return arg.is_attribute or (arg.name not in self.keys and arg.name not in self.variables)

    def _known_at_first_level(self, item: SearchItem) -> bool:
        """A name that is nowhere else is a tag; one that nearly names a key is a slip."""
        for arg in item.args:
            if not self._is_tag(arg):
                continue
            if arg.alias:
                message = f"the tag `{arg.name}` cannot have an alias"
                self.reader.error("AM209", message, arg.span, "", f"write `{arg.name}`, or `{arg.alias}`, alone")
                return False
            if arg.is_attribute and arg.name in self.keys:
                message = f"`@{arg.name}` is a tag's name, but `{arg.name}` is a key of this file"
                self.reader.error("AM209", message, arg.span, "", f"write `{arg.name}` to search the key, or rename the tag")
                return False
        return True

    # -- components -----------------------------------------------------------------------------------------------------

    def _at(self, site: Site, item: SearchItem) -> None:
        checked = [self._check_arg(site, arg) for arg in item.args]  # every one, so that all mistakes are told
        if not all(checked):
            return
        paths = tuple((*site.steps, _step(arg.name, arg.is_attribute, arg.span)) for arg in item.args)
        if not any(arg.alias for arg in item.args):
            self._bind(paths, None, item, tuple(arg.span for arg in item.args))
            return
        names = [arg.alias or self._fresh(f"{arg.name}_value") for arg in item.args]
        declared = [self._declare(name, arg.span) for name, arg in zip(names, item.args, strict=True)]
        if not all(declared):
            return
        values = tuple(self._own_value(site, arg) for arg in item.args)
        self._let(names, values[0] if len(values) == 1 else TupleExpr(values, item.span), item)
        for path, name, arg in zip(paths, names, item.args, strict=True):
            self.applied.add(name)
            self._read(path, name, arg.span)

    def _own_value(self, site: Site, arg: ArgRef) -> Expr:
        """The value as it stands in the file: what the baseline takes."""
        holder = site.owner if arg.is_attribute else site.args
        node = holder.get(arg.name) if holder is not None else None
        return Lit(False, arg.span) if node is None else ComponentReader(self.reader.file).expr(node, (), True)

    def _check_arg(self, site: Site, arg: ArgRef) -> bool:
        return self._check_attribute(site, arg) if arg.is_attribute else self._check_plain(site, arg)

    def _check_attribute(self, site: Site, arg: ArgRef) -> bool:
        if arg.name in SEARCHABLE_ATTRIBUTES and site.is_component:
            return True
        message = f"`@{arg.name}` cannot be searched here"
        known = ["@disabled"] if site.is_component else []
        help = "of a component's attributes only `@disabled` can be searched"
        if nearest(f"@{arg.name}", known) is not None:
            help = "did you mean `@disabled`?"
        elif site.args is not None and arg.name in site.args.names():
            help = f"an argument is written without the `@`: `{arg.name}`"
        self.reader.error("AM203", message, arg.span, "not searchable", help)
        return False

    def _check_plain(self, site: Site, arg: ArgRef) -> bool:
        hidden = () if site.is_component else ("search", "apply")
        if site.args is not None and arg.name in site.args and not arg.name.startswith("_") and arg.name not in hidden:
            return True
        names = [key for key in (site.args.names() if site.args is not None else ()) if not key.startswith("_")]
        names = [key for key in names if key not in hidden]
        best = nearest(arg.name, names)
        listing = f"searchable here: {', '.join(names)}" if names else "it has no arguments to search"
        hint = f"did you mean `{best}`? " if best else ""
        if arg.name in SEARCHABLE_ATTRIBUTES:
            hint = "did you mean `@disabled`? "
        self.reader.error(
            "AM203", f"`{arg.name}` is not an argument of {site.title} in this config", arg.span, "unknown argument", hint + listing
        )
        return False

    # -- apply ----------------------------------------------------------------------------------------------------------

    def _note_apply(self, site: Site, node: JsonNode) -> None:
        if not isinstance(node, JsonObject):
            help = 'write `"apply": {"prob": "myProb"}`'
            self.reader.error("AM201", f"`apply` is an object, not {kind_of(node)}", node.span, "an object was expected", help)
            return
        for entry in node:
            if entry.key.startswith("_"):
                continue
            name = text_of(entry.value)
            if name is None:
                message = f"`apply` gives an argument the name of a search, not {kind_of(entry.value)}"
                self.reader.error("AM201", message, entry.value.span, "a name was expected")
                continue
            arg = ArgRef(entry.key.removeprefix("@"), entry.key.startswith("@"), None, entry.key_span)
            if self._check_arg(site, arg):
                self.readers.append((site, entry.key, name.removeprefix("@"), entry.key_span, entry.value.span))

    def _apply(self) -> None:
        searched_keys = {path[0] for path in self.bound if len(path) == 1}
        for site, key, name, key_span, span in self.readers:
            if name not in self.declared and name not in searched_keys:
                known = sorted({*self.declared, *searched_keys})
                help = did_you_mean(name, known) or 'declare it: `"args": ["prob#' + name + '"]`, or in a first-level `search`'
                self.reader.error("AM209", f"nothing declares `{name}`", span, "unknown tag or alias", help)
                continue
            self.applied.add(name)
            path = (*site.steps, _step(key.removeprefix("@"), key.startswith("@"), key_span))
            self._read(path, name, span)
        for name in sorted(self.tags - self.applied):
            known = sorted(self.keys - {"search"})
            best = nearest(name, known)
            message = f"`{name}` is searched, but nothing uses it"
            if best is not None:
                self.reader.error(
                    "AM203", message, self.declared[name], "neither a key of this file nor applied", f"did you mean `{best}`?"
                )
            else:
                help = f'take it somewhere with `"apply": {{"argument": "{name}"}}`'
                self.reader.warn("AM209", message, self.declared[name], "unused tag", help)

    def _start_switches(self) -> None:
        """Tags that only switch components start as these stand in the file, where that is one of the choices.

        Two losses that exclude each other both stand there enabled: then the first choice is the start.
        """
        switches: dict[str, set[bool | None]] = {}
        for site, key, name, _, _ in self.readers:
            switches.setdefault(name, set()).add(_stands_disabled(site, key))
        for number, statement in enumerate(self.statements):
            if not isinstance(statement, Let) or statement.bind.given is not None or statement.bind.search is None:
                continue
            steps = [path.steps[0] for path in statement.bind.targets]
            own = [_only(switches.get(step.name, ())) if isinstance(step, NameStep) else None for step in steps]
            for choice in statement.bind.search.alternatives:
                if isinstance(choice, Range) or None in own:
                    break
                values = choice.items if isinstance(choice, TupleExpr) else (choice,)
                if [value.value if isinstance(value, Lit) else None for value in values] == own:
                    self.statements[number] = replace(statement, bind=replace(statement.bind, given=choice))
                    break

    # -- statements -----------------------------------------------------------------------------------------------------

    def _fresh(self, base: str) -> str:
        name, number = base, 1
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        return name

    def _declare(self, name: str, span: Span, is_tag: bool = False) -> bool:
        if name in self.declared:
            other = Secondary(self.declared[name], "first here")
            self.reader.error("AM209", f"`{name}` is declared twice", span, "again here", "choose another name", other)
            return False
        if name in self.keys:
            message = f"`{name}` is already a key of this file"
            self.reader.error("AM209", message, span, "taken", "choose another name for the alias")
            return False
        self.declared[name] = span
        self.taken.add(name)
        if is_tag:
            self.tags.add(name)
        return True

    def _claim(self, path: tuple[Step, ...], span: Span) -> bool:
        key = tuple(_text(step) for step in path)
        if key in self.bound:
            what = key[-1]
            other = Secondary(self.bound[key], "first here")
            self.reader.error("AM209", f"`{what}` is searched twice", span, "again here", "keep one of the searches", other)
            return False
        self.bound[key] = span
        return True

    def _bind(self, paths: tuple[tuple[Step, ...], ...], given: Expr | None, item: SearchItem, spans: tuple[Span, ...]) -> None:
        claimed = [self._claim(path, span) for path, span in zip(paths, spans, strict=True)]
        if not all(claimed):
            return
        targets = tuple(Path(path, span) for path, span in zip(paths, spans, strict=True))
        self.statements.append(Bind(targets, given, False, None, item.domain, (item.label,), None, item.span))

    def _let(self, names: list[str], given: Expr | None, item: SearchItem) -> None:
        spans = [arg.span for arg in item.args]
        targets = tuple(Path((NameStep(name, span),), span) for name, span in zip(names, spans, strict=True))
        bind = Bind(targets, given, False, None, item.domain, (item.label,), None, item.span)
        self.statements.append(Let(bind, item.span))

    def _read(self, path: tuple[Step, ...], name: str, span: Span) -> None:
        if self._claim(path, span):
            self.statements.append(Bind((Path(path, span),), Name(name, span), False, None, None, (), None, span))


def _step(name: str, is_attribute: bool, span: Span) -> Step:
    return AttrStep(name, span) if is_attribute else NameStep(name, span)


def _only(answers: Collection[bool | None]) -> bool | None:
    """What all that a tag switches have in common: whether they stand disabled in the file."""
    return next(iter(answers)) if len(answers) == 1 else None


def _stands_disabled(site: Site, key: str) -> bool | None:
    if key != "@disabled":
        return None
    match site.owner.get("disabled"):
        case None:
            return False
        case JsonScalar(bool() as value):
            return value
        case _:
            return None


def _text(step: Step) -> str:
    match step:
        case NameStep(name):
            return name
        case AttrStep(name):
            return f"@{name}"
        case _:
            return f"[{step.index.value!r}]" if isinstance(step.index, Lit) else "[]"
