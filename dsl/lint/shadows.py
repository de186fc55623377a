"""AM904: a name that hides one further out; whoever reads it there may mean the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass

from .. import ast
from ..diagnostics import Diagnostic, Secondary
from ..source import Span
from .subject import Subject, found


def shadowed(subject: Subject) -> Iterator[Diagnostic]:
    if subject.legacy:
        return
    outer: dict[str, _Outer] = {}
    for module in subject.modules():
        outer |= _declared(module.body, "key") | _declared(module.body, "let") | _declared(module.body, "def")
    pending: list[tuple[object, Mapping[str, _Outer]]] = [(statement, outer) for statement in reversed(subject.module.body)]
    while pending:
        node, scope = pending.pop()
        if isinstance(node, tuple):
            pending += [(each, scope) for each in reversed(node)]
        if not is_dataclass(node) or isinstance(node, (Span, type)):
            continue
        inner = _inner(node)
        for name, here in inner.items():
            if name in scope and scope[name].span != here.span:
                yield found(
                    "AM904",
                    f"the {here.kind} `{name}` hides the {scope[name].kind} of that name",
                    here.span,
                    help="give it another name",
                    secondary=[Secondary(scope[name].span, "the outer one")],
                )
        below = {**scope, **inner} if inner else scope
        pending += [(getattr(node, each.name), below) for each in reversed(fields(node))]


@dataclass(frozen=True, slots=True)
class _Outer:
    kind: str
    span: Span


def _declared(body: Iterable[ast.Statement], kind: str) -> dict[str, _Outer]:
    """The names that the statements of one kind declare."""
    out: dict[str, _Outer] = {}
    for statement in body:
        match statement:
            case ast.Let(bind) if kind == "let":
                out |= _firsts(bind.targets, kind)
            case ast.Def(name, span=span) if kind == "def":
                out[name] = _Outer(kind, span)
            case ast.Bind(targets=targets) if kind == "key":
                out |= _firsts(targets, kind)
            case ast.Section(path=path) if kind == "key" and _is_place(path):
                out |= _firsts([path], kind)
            case _:
                pass
    return out


def _is_place(path: ast.Path) -> bool:
    """Not the study, which holds no values."""
    first = path.steps[0]
    return isinstance(first, ast.NameStep) and first.name not in ("study", "phase")


def _firsts(paths: Iterable[ast.Path], kind: str) -> dict[str, _Outer]:
    out: dict[str, _Outer] = {}
    for path in paths:
        step = path.steps[0] if path.steps else None
        if isinstance(step, ast.NameStep):
            out.setdefault(step.name, _Outer(kind, step.span))
    return out


def _inner(node: object) -> dict[str, _Outer]:
    """The names that are known inside `node` only."""
    match node:
        case ast.Section(body=body):
            return _declared(body, "let") | _declared(body, "def")
        case ast.Def(params=tuple() as params, span=span):
            return {name: _Outer("argument", span) for name in params}
        case ast.Call(args=args):
            out: dict[str, _Outer] = {}
            for arg in args:
                if isinstance(arg, ast.Let):
                    out |= _firsts(arg.bind.targets, "let")
            return out
        case ast.Comprehension(name=name, span=span):
            return {name: _Outer("variable", span)}
        case _:
            return {}
