"""`{x}` in the strings of a configuration: where its value comes from, and putting it there.

Order: `--set` > environment.json beside the config > the first level of the config > environment variables > defaults. The first
level is part of the configuration (its keys can be searched), so `outer_variables` gives everything else, already in that order,
and `substitute_config` adds the first level of one concrete configuration.

A string that is `{x}` altogether takes the value with its type, any other takes its text. Strings of Python (`#...`, `lambda ...`)
hold braces of their own: in them only names that are known count. `{{x}}` is left as it is.

Codes: AM210 undefined variable, AM211 variables in a circle.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from functools import cache
from itertools import chain

from automl_run.errors import InputError

from .ast import Bind, DictExpr, Lit, Module, NameStep, Section
from .diagnostics import Diagnostic, did_you_mean, nearest
from .ir import Value
from .resolved import Resolved, ResolvedComponent
from .source import Span

#: Environment variables that a config may name.
ENVIRONMENT_VARIABLES = ("MMAR_ROOT", "DATA_ROOT", "DATASET_JSON", "MMAR_CKPT_DIR", "PRETRAIN_WEIGHTS_FILE")
DEFAULTS: Mapping[str, Value] = {"trainconf": "config_train.json"}

_REFERENCE = re.compile(r"(?<!\{)\{([A-Za-z_][A-Za-z0-9_]*)\}(?!\})")


class VariableError(InputError):
    """A variable is undefined, or defined by itself."""


def names_in(text: str) -> list[str]:
    """The names of all `{x}` in `text`, in order."""
    return _REFERENCE.findall(text)


def is_python(text: str) -> bool:
    """True for `#expression` and `lambda x: ...`: code of the job's, text for everything here."""
    return text.startswith("#") or re.match(r"lambda\b", text) is not None


# -- where values come from -----------------------------------------------------------------------------------------------


def outer_variables(
    settings: Mapping[str, Value],
    environment_json: Mapping[str, Value],
    first_level: Collection[str],
    environ: Mapping[str, str],
    defaults: Mapping[str, Value] = DEFAULTS,
) -> dict[str, Value]:
    """What `{x}` means beside the first level: names of the first level are in it only where `--set` or environment.json beat it.

    `environ` is the process's environment; of it only `ENVIRONMENT_VARIABLES` count. `defaults` should hold MMAR_ROOT for an MMAR.
    """
    low: dict[str, Value] = {**DEFAULTS, **defaults}
    low.update({name: environ[name] for name in ENVIRONMENT_VARIABLES if environ.get(name)})
    out = {name: value for name, value in low.items() if name not in first_level}
    out.update(environment_json)
    out.update(settings)
    return out


def first_level_names(module: Module) -> frozenset[str]:
    """The keys that `module` binds at its first level."""
    return frozenset(step.name for statement in module.body if isinstance(statement, Bind) for step in _heads(statement))


def _heads(bind: Bind) -> Iterator[NameStep]:
    for path in bind.targets:
        if len(path.steps) == 1 and isinstance(path.steps[0], NameStep):
            yield path.steps[0]


# -- checking -------------------------------------------------------------------------------------------------------------


def references(module: Module, *, include_study: bool = False) -> frozenset[str]:
    """The names of every `{x}` in `module`, those in strings of Python as well."""
    return frozenset(name for literal in _strings(module, include_study) for name in names_in(str(literal.value)))


def undefined_variables(module: Module, known: Collection[str], *, include_study: bool = False) -> list[Diagnostic]:
    """Every `{x}` in `module` whose name is not in `known`.

    The strings of a `study` are left out unless asked for: in a `Command` `{x}` means a path. A legacy AutoML config has variables.
    """
    found: list[Diagnostic] = []
    names = frozenset(known)
    for literal in _strings(module, include_study):
        text = str(literal.value)
        if is_python(text):
            continue
        for match in _REFERENCE.finditer(text):
            name = match.group(1)
            if name not in names:
                help = f"did you mean `{{{best}}}`?" if (best := nearest(name, names)) else _definition_help(name)
                message = f"the variable `{{{name}}}` is not defined"
                found.append(Diagnostic("AM210", message, _place(literal, match), "undefined", help))
    return found


def _definition_help(name: str) -> str:
    return f"define it with `--set {name}=...`, in environment.json or as a first-level key"


def _place(literal: Lit, match: re.Match[str]) -> Span:
    """The reference itself, where the string is written without escapes; else the whole string."""
    span = literal.span
    if span.end - span.start != len(str(literal.value)) + 2:
        return span
    return Span(span.file, span.start + 1 + match.start(), span.start + 1 + match.end())


def circular_variables(module: Module, variables: Mapping[str, Value]) -> list[Diagnostic]:
    """First-level values of `module` and `variables` that need each other. Each circle is reported once."""
    reads: dict[str, list[str]] = {name: list(_references(value)) for name, value in variables.items()}
    places: dict[str, Span] = {}
    for statement in module.body:
        if isinstance(statement, Bind) and statement.given is not None:
            for step in _heads(statement):
                places[step.name] = statement.given.span
                if step.name not in variables:
                    texts = [str(literal.value) for literal in _strings(statement.given)]
                    reads[step.name] = [name for text in texts for name in names_in(text)]
    found: list[Diagnostic] = []
    done: set[str] = set()
    for start in reads:
        circle = _circle(start, reads, done)
        if circle:
            place = next((places[name] for name in circle if name in places), Span(module.file, 0, 0))
            shown = " -> ".join(f"{{{name}}}" for name in [*circle, circle[0]])
            found.append(
                Diagnostic("AM211", f"these variables need each other: {shown}", place, "a circle", "give one of them a value")
            )
    return found


def _circle(start: str, reads: Mapping[str, list[str]], done: set[str]) -> list[str]:
    """The first circle that is met from `start`, [] if none. `done` takes what has been looked at."""
    path: list[str] = []
    stack: list[tuple[str, Iterator[str]]] = []

    def enter(name: str) -> None:
        path.append(name)
        stack.append((name, iter(reads.get(name, ()))))

    if start in done:
        return []
    enter(start)
    while stack:
        name, following = stack[-1]
        step = next(following, None)
        if step is None:
            done.add(name)
            stack.pop()
            path.pop()
        elif step in path:
            circle = path[path.index(step) :]
            done.update(path)
            return circle
        elif step in reads and step not in done:
            enter(step)
    return []


def _references(value: Value) -> Iterator[str]:
    match value:
        case str():
            yield from names_in(value)
        case list():
            yield from chain.from_iterable(_references(item) for item in value)
        case dict():
            yield from chain.from_iterable(_references(item) for item in value.values())


def _strings(node: object, include_study: bool = False) -> list[Lit]:
    """Every string literal under `node`, in the order of the source."""
    out: list[Lit] = []
    waiting = [node]
    while waiting:
        node = waiting.pop()
        kind: type = type(node)  # not `match`: this walks every node of every file
        if isinstance(node, Lit):
            if isinstance(node.value, str):
                out.append(node)
        elif isinstance(node, tuple):
            waiting.extend(node[::-1])
        elif isinstance(node, DictExpr):
            waiting.extend(value for _, value in reversed(node.entries))
        elif kind in (Section, Bind) and not include_study and _in_study(node):
            pass
        else:
            for name in _children(kind):
                waiting.append(getattr(node, name))
    return out


@cache
def _children(kind: type) -> tuple[str, ...]:
    """The fields of a syntax tree's node in which literals can stand, last first; () for anything else."""
    if not is_dataclass(kind) or kind is Span:
        return ()
    return tuple(field.name for field in reversed(fields(kind)) if not field.name.endswith("span"))


def _in_study(statement: object) -> bool:
    path = statement.path if isinstance(statement, Section) else None
    if isinstance(statement, Bind) and statement.targets:
        path = statement.targets[0]
    step = path.steps[0] if path is not None and path.steps else None
    return isinstance(step, NameStep) and step.name == "study"


# -- substituting ---------------------------------------------------------------------------------------------------------


def substitute(value: Resolved, variables: Mapping[str, Resolved]) -> Resolved:
    """`value` with every `{x}` in its strings replaced; values of variables are substituted themselves.

    Pure; makes new lists, dicts and components. Raises VariableError for a name that `variables` lacks (not in strings of Python)
    and for variables that need each other.
    """
    return _Substitution(variables).apply(value, ())


def substitute_config(config: Mapping[str, Resolved], variables: Mapping[str, Resolved]) -> dict[str, Resolved]:
    """A concrete configuration with its `{x}` replaced, its own first level included; `variables` beat the first level.

    Pure. Raises as `substitute` does.
    """
    substitution = _Substitution({**config, **variables})
    return {key: substitution.apply(value, ()) for key, value in config.items()}


class _Substitution:
    def __init__(self, variables: Mapping[str, Resolved]) -> None:
        self.variables = variables
        self.known: Set[str] = variables.keys()

    def apply(self, value: Resolved, inside: tuple[str, ...]) -> Resolved:
        match value:
            case str():
                return self._text(value, inside)
            case list():
                return [self.apply(item, inside) for item in value]
            case dict():
                return {key: self.apply(item, inside) for key, item in value.items()}
            case ResolvedComponent(cls, args, attrs, instance):
                new_args = {key: self.apply(item, inside) for key, item in args.items()}
                new_attrs = {key: self.apply(item, inside) for key, item in attrs.items()}
                return ResolvedComponent(cls, new_args, new_attrs, instance)
            case _:
                return value

    def _text(self, text: str, inside: tuple[str, ...]) -> Resolved:
        python = is_python(text)
        whole = _REFERENCE.fullmatch(text)
        if whole is not None:
            return self._value(whole.group(1), inside)

        def replacement(match: re.Match[str]) -> str:
            name = match.group(1)
            if python and name not in self.known:
                return match.group()
            return _as_text(self._value(name, inside), python)

        return _REFERENCE.sub(replacement, text)

    def _value(self, name: str, inside: tuple[str, ...]) -> Resolved:
        if name in inside:
            shown = " -> ".join(f"{{{step}}}" for step in [*inside[inside.index(name) :], name])
            raise VariableError(f"these variables need each other: {shown}")
        if name not in self.known:
            hint = did_you_mean(name, self.known)
            raise VariableError(f"the variable `{{{name}}}` is not defined" + (f" ({hint})" if hint else ""))
        return self.apply(self.variables[name], (*inside, name))


def _as_text(value: Resolved, python: bool) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, ResolvedComponent):
        raise VariableError(f"the component `{value.cls}` cannot stand within a text")
    return repr(value) if python else json.dumps(_plain(value))


def _plain(value: Resolved) -> Value:
    match value:
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case ResolvedComponent(cls=cls):
            raise VariableError(f"the component `{cls}` cannot stand within a text")
        case _:
            return value
