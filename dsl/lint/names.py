"""AM903: a `let` or a `def` that nothing reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .. import ast
from ..diagnostics import Diagnostic, Fix, Secondary
from ..source import Span
from .subject import Subject, found
from .walk import every, walk


def unused(subject: Subject) -> Iterator[Diagnostic]:
    modules = list(subject.modules())
    if subject.legacy:
        return
    # A file without a study is a layer for others, and what it declares is theirs.
    statements = list(_declared(subject.module.body)) if any(subject.studies()) else []
    for statement in statements:
        yield from _statement(statement, modules, subject)
    for call in every(subject.module, ast.Call):
        for number, arg in enumerate(call.args):
            if isinstance(arg, ast.Let):
                yield from _argument(call, number, arg, modules, subject)


def unused_below(subject: Subject) -> Iterator[Diagnostic]:
    """A search that a file below declares and nothing reads: told where the file with the study uses it."""
    modules = list(subject.modules())
    uses = list(every(subject.module, ast.Use))
    if subject.legacy or not uses or not any(subject.studies()):
        return
    for module in modules:
        if module.file == subject.module.file or module.file.startswith("--set"):
            continue
        use = next((each for each in uses if module.file.endswith(each.path)), uses[-1])
        for statement in _declared(module.body):
            if not isinstance(statement, ast.Let) or statement.bind.search is None:
                continue
            for name in _names(statement):
                if not _is_read(name, modules, statement, paths=False):
                    message = f"nothing reads the `let` `{name}` of `{use.path}`"
                    help = "it is searched, and changes nothing: each of its values costs a trial"
                    place = Secondary(statement.span, "declared here")
                    yield found("AM903", message, use.span, help=help, secondary=[place])


def _declared(body: Iterable[ast.Statement]) -> Iterator[ast.Let | ast.Def]:
    for statement in body:
        if isinstance(statement, (ast.Let, ast.Def)):
            yield statement
        elif isinstance(statement, ast.Section):
            yield from _declared(statement.body)


def _statement(statement: ast.Let | ast.Def, modules: list[ast.Module], subject: Subject) -> Iterator[Diagnostic]:
    names = [statement.name] if isinstance(statement, ast.Def) else _names(statement)
    read = {name for name in names if _is_read(name, modules, statement, paths=False)}
    if len(read) == len(names):
        return
    word = "def" if isinstance(statement, ast.Def) else "let"
    searched = isinstance(statement, ast.Let) and statement.bind.search is not None
    yield _unused(word, names, read, statement.span, searched, _without_statement(statement, subject))


def _argument(call: ast.Call, number: int, let: ast.Let, modules: list[ast.Module], subject: Subject) -> Iterator[Diagnostic]:
    names = _names(let)
    read = {name for name in names if _is_read(name, [call], let, paths=False) or _is_read(name, modules, let, paths=True)}
    if len(read) < len(names):
        yield _unused("let", names, read, let.span, let.bind.search is not None, _without_argument(call, number, subject))


def _unused(word: str, names: Sequence[str], read: set[str], span: Span, searched: bool, removed: Span | None) -> Diagnostic:
    shown = ", ".join(f"`{name}`" for name in names if name not in read)
    help = "it is searched, and changes nothing" if searched else "remove it, or read it somewhere"
    # Without the search of an unused variable the space is another one.
    fixes = [] if removed is None or read else [Fix(removed, "", not searched)]
    return found("AM903", f"nothing reads the `{word}` {shown}", span, help=help, fixes=fixes)


def _names(let: ast.Let) -> list[str]:
    firsts = [target.steps[0] for target in let.bind.targets if target.steps]
    return [step.name for step in firsts if isinstance(step, ast.NameStep)]


def _is_read(name: str, where: Sequence[object], itself: object, *, paths: bool) -> bool:
    """Whether `name` is meant anywhere but in its own declaration. `paths`: only as a step of a longer path."""
    for root in where:
        for node in walk(root, lambda each: each is not itself):
            match node:
                case _ if node is itself:
                    continue
                case ast.Attr(name=step) if step == name:
                    return True
                case ast.Path(steps=(_, *rest)) if any(isinstance(each, ast.NameStep) and each.name == name for each in rest):
                    return True
                case ast.Name(id) if id == name and not paths:
                    return True
                case ast.Call(callee=callee) if callee == name and not paths:
                    return True
                case _:
                    pass
    return False


# -- what is to be removed ----------------------------------------------------------------------------------------------------


def _without_statement(statement: ast.Let | ast.Def, subject: Subject) -> Span | None:
    """Its lines, with a comment behind it, if nothing else stands in them."""
    text, span = subject.source.text, statement.span
    start = text.rfind("\n", 0, span.start) + 1
    newline = text.find("\n", span.end)
    end = len(text) if newline < 0 else newline + 1
    behind = text[span.end : end].strip()
    if text[start : span.start].strip() or (behind and not behind.startswith("#")):
        return None
    return Span(span.file, start, end)


def _without_argument(call: ast.Call, number: int, subject: Subject) -> Span | None:
    """The argument and the comma that goes with it, if no comment stands between."""
    spans = [arg.span for arg in call.args]
    here = spans[number]
    if number + 1 < len(spans):
        removed, gap = Span(here.file, here.start, spans[number + 1].start), Span(here.file, here.end, spans[number + 1].start)
    elif number:
        removed, gap = Span(here.file, spans[number - 1].end, here.end), Span(here.file, spans[number - 1].end, here.start)
    else:
        return None
    return None if "#" in subject.text(gap) or gap.start > gap.end else removed
