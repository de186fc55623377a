"""AM907: components switched on by turns with opposite `@disabled`, as Clara had to write it, are alternatives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import ast
from ..diagnostics import Diagnostic
from .subject import Subject, found, key
from .walk import every


def opposite_switches(subject: Subject) -> Iterator[Diagnostic]:
    switches = _switches(subject)
    for bind in every(subject.module, ast.Bind):
        if bind.search is None or len(bind.targets) < 2 or not _one_enabled_each(bind.search, len(bind.targets)):
            continue
        places = [_component(target) or switches.get(key(target)) for target in bind.targets]
        paths = [place for place in places if place is not None]
        if len(paths) < len(places) or len({path[:-1] for path in paths}) > 1:
            continue
        names = " | ".join(f"{path[-1]}(...)" for path in paths)
        parent = ".".join(paths[0][:-1])
        yield found(
            "AM907",
            "exactly one of these components is enabled at a time: they are alternatives",
            bind.span,
            help=f"write `{parent or 'name'} ~ {names}`; each may then have parameters of its own",
        )


def _one_enabled_each(domain: ast.Domain, count: int) -> bool:
    """Whether every alternative is one `false` among `true`s, and each place has its turn."""
    turns: list[int] = []
    for alternative in domain.alternatives:
        values = _truths(alternative)
        if len(values) != count or values.count(False) != 1:
            return False
        turns.append(values.index(False))
    return sorted(turns) == list(range(count))


def _truths(alternative: ast.Range | ast.Expr) -> list[bool]:
    if not isinstance(alternative, ast.TupleExpr):
        return []
    return [item.value for item in alternative.items if isinstance(item, ast.Lit) and isinstance(item.value, bool)]


def _component(path: ast.Path) -> tuple[str, ...] | None:
    """The component whose `@disabled` the path means."""
    if not path.steps or not isinstance(path.steps[-1], ast.AttrStep) or path.steps[-1].name != "disabled":
        return None
    return _shown(path.steps[:-1])


def _shown(steps: Sequence[ast.Step]) -> tuple[str, ...] | None:
    """The steps as text, an index kept with the name before it."""
    out: list[str] = []
    for step in steps:
        match step:
            case ast.NameStep(name):
                out.append(name)
            case ast.IndexStep(ast.Lit(value)) if out:
                out[-1] += f"[{value}]"
            case _:
                return None
    return tuple(out) or None


def _switches(subject: Subject) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Variable -> the component whose `@disabled` reads it; those that several read are left out."""
    out: dict[tuple[str, ...], tuple[str, ...]] = {}
    twice: set[tuple[str, ...]] = set()
    for bind in every(subject.module, ast.Bind):
        if isinstance(bind.given, ast.Name) and len(bind.targets) == 1 and bind.search is None:
            component = _component(bind.targets[0])
            if component is not None:
                name = (bind.given.id,)
                twice |= {name} & out.keys()
                out[name] = component
    return {name: component for name, component in out.items() if name not in twice}
