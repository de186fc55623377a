"""What stands at an offset of a program: a path, a name, a class, a `use`, a study key, a metric."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace

from .. import ast
from ..elaborate.places import chain
from ..elaborate.tree import Fault, Scope, Section, Slot
from ..source import Span
from .analysis import Analysis


@dataclass(frozen=True, slots=True)
class PathSpot:
    """A step of a path that is bound; `steps` lead to it from the top."""

    span: Span
    steps: tuple[ast.Step, ...]


@dataclass(frozen=True, slots=True)
class NameSpot:
    """A name, or a step of a dotted path, that is read. `local`: where a name of a `def`, a constructor or a loop is made."""

    span: Span
    expr: ast.Expr
    scope: Scope | None
    local: Span | None


@dataclass(frozen=True, slots=True)
class OwnSpot:
    """The place where a `let`, an argument or a loop variable gets its name. `call`: the constructor whose argument it is."""

    span: Span
    name: str
    call: ast.Call | None


@dataclass(frozen=True, slots=True)
class CalleeSpot:
    span: Span
    call: ast.Call


@dataclass(frozen=True, slots=True)
class DefSpot:
    span: Span
    name: str


@dataclass(frozen=True, slots=True)
class UseSpot:
    span: Span
    path: str


@dataclass(frozen=True, slots=True)
class StudySpot:
    """`key` is dotted: `budget.trials`."""

    span: Span
    key: str


@dataclass(frozen=True, slots=True)
class MetricSpot:
    span: Span
    name: str


Spot = PathSpot | NameSpot | OwnSpot | CalleeSpot | DefSpot | UseSpot | StudySpot | MetricSpot


@dataclass(frozen=True, slots=True)
class _Around:
    """What surrounds a node: the sections it is in, the names that its surroundings make, the key of the study it is in."""

    prefix: tuple[ast.Step, ...] = ()
    scope: Scope | None = None
    local: tuple[tuple[str, Span], ...] = ()
    study: str | None = None
    metric: bool = False


def spot_at(module: ast.Module, offset: int) -> Spot | None:
    """The smallest thing with a meaning at `offset`; None between things."""
    best: Spot | None = None
    for spot in _statements(module.body, _Around(), offset):
        if (
            spot.span.file == module.file
            and spot.span.start <= offset <= spot.span.end
            and (best is None or spot.span.end - spot.span.start <= best.span.end - best.span.start)
        ):
            best = spot
    return best


def resolve(analysis: Analysis, spot: Spot) -> Slot | None:
    """The place of the configuration, or the `let`, that `spot` means."""
    match spot:
        case PathSpot(steps=steps):
            return analysis.walk(steps) or _set_let(analysis, steps)
        case OwnSpot(span):
            return analysis.slots.get(span)
        case NameSpot(expr=expr, scope=scope, local=local):
            try:
                if local is None:
                    found = analysis.places.resolve(expr, scope, None)
                    return found if isinstance(found, Slot) else None
                slot = analysis.slots.get(local)
                steps = chain(expr)[1]
                return analysis.places.walk(slot, steps, None) if slot is not None and steps else slot
            except Fault:
                return None
        case _:
            return None


def _set_let(analysis: Analysis, steps: tuple[ast.Step, ...]) -> Slot | None:
    match steps:
        case (ast.NameStep(name),):
            return analysis.places.lets.get(((), name))
        case _:
            return None


# -- statements -------------------------------------------------------------------------------------------------------------------


def _statements(body: tuple[ast.Statement, ...], around: _Around, offset: int) -> Iterator[Spot]:
    for statement in body:
        # A statement of the JSON reader gathers pieces from everywhere, so its own span says nothing sure.
        yield from _statement(statement, around, offset)


def _statement(statement: ast.Statement, around: _Around, offset: int) -> Iterator[Spot]:
    match statement:
        case ast.Section(path, _, body):
            names = [step.name for step in path.steps if isinstance(step, ast.NameStep)]
            if around.study is not None:
                key = f"{around.study}.{'.'.join(names)}".lstrip(".")
                yield StudySpot(path.span, key)
                yield from _statements(body, replace(around, study=key), offset)
            elif not around.prefix and names == ["study"] and len(path.steps) == 1:
                yield StudySpot(path.span, "study")
                yield from _statements(body, replace(around, study=""), offset)
            else:
                yield from _path(path, around)
                steps = (*around.prefix, *path.steps)
                inner = replace(around, prefix=steps, scope=Section(ast.Path(steps, path.span), around.scope))
                yield from _statements(body, inner, offset)
        case ast.Bind():
            yield from _bind(statement, around, None)
        case ast.Let(bind):
            yield from _own(bind, around, None)
        case ast.Def(name, params, body, span):
            yield DefSpot(Span(span.file, span.start + 4, span.start + 4 + len(name)), name)
            local = (*around.local, *((param, span) for param in params or ()))
            yield from _values(body, replace(around, local=local))
        case ast.Use(path, span):
            yield UseSpot(span, path)
        case ast.Require(condition) | ast.Ensure(condition):
            yield from _values(condition, replace(around, metric=isinstance(statement, ast.Ensure)))
        case ast.Objective(value=value):
            yield from _values(value, replace(around, metric=True))


def _bind(bind: ast.Bind, around: _Around, call: ast.Call | None) -> Iterator[Spot]:
    for path in bind.targets:
        names = [step.name for step in path.steps if isinstance(step, ast.NameStep)]
        if around.study is not None:
            yield StudySpot(path.span, f"{around.study}.{'.'.join(names)}".lstrip("."))
        elif names[:1] == ["study"] and len(names) > 1 and not around.prefix:
            yield StudySpot(path.span, ".".join(names[1:]))
        else:
            yield from _path(path, around)
    yield from _rest(bind, around)


def _own(bind: ast.Bind, around: _Around, call: ast.Call | None) -> Iterator[Spot]:
    for path in bind.targets:
        name = path.steps[0].name if not isinstance(path.steps[0], ast.IndexStep) else ""
        yield OwnSpot(path.span, name, call)
    yield from _rest(bind, around)


def _rest(bind: ast.Bind, around: _Around) -> Iterator[Spot]:
    for part in (bind.given, bind.before, bind.search, bind.guard):
        if part is not None:
            yield from _values(part, around)


def _path(path: ast.Path, around: _Around) -> Iterator[Spot]:
    for at, step in enumerate(path.steps):
        yield PathSpot(step.span, (*around.prefix, *path.steps[: at + 1]))
        if isinstance(step, ast.IndexStep):
            yield PathSpot(path.steps[at - 1].span if at else step.span, (*around.prefix, *path.steps[: at + 1]))


# -- values -----------------------------------------------------------------------------------------------------------------------


def _values(node: ast.Expr | ast.Domain | ast.Range | ast.Item, around: _Around) -> Iterator[Spot]:
    match node:
        case ast.Name() | ast.Attr() | ast.Meta():
            base, steps = chain(node)
            if base is None:
                yield from _children(node, around)
                return
            if around.metric and not steps:
                yield MetricSpot(node.span, base.id)
                return
            local = next((span for name, span in reversed(around.local) if name == base.id), None)
            yield from _names(node, around, local)
        case ast.Call(_, args, callee_span):
            yield CalleeSpot(callee_span, node)
            made = [(step.name, step.span) for path in _helpers(node) for step in path.steps[:1] if isinstance(step, ast.NameStep)]
            inner = replace(around, local=(*around.local, *made), study=None)
            for arg in args:
                match arg:
                    case ast.Positional(value, guard):
                        yield from _values(value, inner)
                        if guard is not None:
                            yield from _values(guard, inner)
                    case ast.Let(bind):
                        yield from _own(bind, inner, None)
                    case ast.Bind():
                        yield from _own(arg, inner, node)
        case ast.Comprehension(body, name, iterable, condition, span):
            yield from _values(iterable, around)
            inner = replace(around, local=(*around.local, (name, span)))
            yield from _values(body, inner)
            if condition is not None:
                yield from _values(condition, inner)
        case _:
            yield from _children(node, around)


def _names(node: ast.Expr, around: _Around, local: Span | None) -> Iterator[Spot]:
    """Every prefix of a dotted path is a place of its own."""
    end = node.span.end
    match node:
        case ast.Attr(base, name) | ast.Meta(base, name):
            yield NameSpot(Span(node.span.file, end - len(name), end), node, around.scope, local)
            yield from _names(base, around, local)
        case ast.Index(base, index):
            yield NameSpot(node.span, node, around.scope, local)
            yield from _names(base, around, local)
            yield from _values(index, around)
        case _:
            yield NameSpot(node.span, node, around.scope, local)


def _children(node: object, around: _Around) -> Iterator[Spot]:
    if not is_dataclass(node):
        return
    pending: list[object] = [getattr(node, item.name) for item in fields(node)]
    for child in pending:
        if isinstance(child, tuple):
            pending += child
        elif isinstance(child, ast.StepSize):
            yield from _values(child.size, around)
        elif is_dataclass(child) and not isinstance(child, (Span, type)):
            yield from _values(child, around)  # type: ignore[arg-type]


def _helpers(call: ast.Call) -> Iterator[ast.Path]:
    for arg in call.args:
        if isinstance(arg, ast.Let):
            yield from arg.bind.targets
