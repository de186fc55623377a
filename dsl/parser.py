"""Text -> syntax tree, or diagnostics; nothing else leaves this module.

A file with mistakes is parsed again and again, each time without the statement that was at fault, so that one run shows them
all. Positions stay as they are: the statement is overwritten with blanks.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path as FilePath
from typing import Any

import lark

from automl_run.errors import ProgramError

from . import ast
from .diagnostics import Diagnostic, Fix, render_all
from .newlines import LimitExceeded, Newlines
from .source import Source, Span
from .syntax_errors import Mistake, explain, find_before_parsing
from .transform import Transformer

EDITION = 1
MAX_FILE_BYTES = 1024 * 1024
#: How many statements at fault one run shows. Fewer in large files, where each round costs seconds.
MAX_ROUNDS = 20
_LARGE = 100_000

_EDITION_LINE = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*automl[ \t]+([0-9]+)[ \t]*(?=#|\r?\n|$)")


def parse_module(source: Source, *, require_edition: bool = True) -> tuple[ast.Module, list[Diagnostic]]:
    """The tree of what could be read, and everything that is wrong with the rest, in source order.

    `require_edition`: a text without the line `automl 1` is a mistake, as it is in files.
    """
    empty = ast.Module(source.name, None, ())
    if len(source.text.encode("utf-8", "surrogatepass")) > MAX_FILE_BYTES:
        return empty, [Diagnostic("AM301", f"a file holds at most {MAX_FILE_BYTES // 1024} KiB", Span(source.name, 0, 0))]
    text = _without_bom(source.text)
    written = _EDITION_LINE.match(text)
    if written and written[1].lstrip("0") != str(EDITION):
        span = Span(source.name, written.start(1), written.end(1))
        message = f"edition {written[1]} of the language is not known here"
        return empty, [Diagnostic("AM012", message, span, help=f"this version reads edition {EDITION}: write `automl {EDITION}`")]
    tree, diagnostics = _parse(Source(source.name, text), "start")
    module = empty
    if tree is not None:
        transformer = Transformer(Source(source.name, text))
        module = transformer.build(tree)
        diagnostics += transformer.diagnostics
    if require_edition and not written and not any(found.code == "AM012" for found in diagnostics):
        help = f"write `automl {EDITION}` above everything else"
        start = Span(source.name, 0, 0)
        after_mark = len(source.text) - len(source.text.removeprefix("\ufeff"))
        fix = Fix(Span(source.name, after_mark, after_mark), f"automl {EDITION}\n", True)
        diagnostics.append(Diagnostic("AM011", "the first line of a file names its edition", start, help=help, fixes=(fix,)))
    return module, sorted(diagnostics, key=lambda found: found.span.start)


def parse_expr(source: Source) -> ast.Expr:
    """One expression, as in `--set PATH=EXPR`. Raises ProgramError."""
    expr: ast.Expr = _parse_piece(source, "only_expr")
    return expr


def parse_domain(source: Source) -> ast.Domain:
    """One domain, as stands after `~`. Raises ProgramError."""
    domain: ast.Domain = _parse_piece(source, "only_domain")
    return domain


def parse_path(source: Source) -> ast.Path:
    """One path, as stands before `=`. Raises ProgramError."""
    path: ast.Path = _parse_piece(source, "only_path")
    return path


def words(text: str) -> list[lark.Token]:
    """The words of a file that parses, as the grammar reads them; an `_NL` stands where a statement ends.

    Offsets are those of `text`. LarkError, or `LimitExceeded`, if it does not parse.
    """
    return list(_language().parse_interactive(_without_bom(text), start="start").iter_parse())


def terminals() -> dict[str, str]:
    """What each terminal of the grammar matches, as a regular expression."""
    return {terminal.name: terminal.pattern.to_regexp() for terminal in _language().terminals}


def _parse_piece(source: Source, start: str) -> Any:
    tree, diagnostics = _parse(source, start, rounds=1)
    node = None
    if tree is not None:
        transformer = Transformer(source)
        node = transformer.build(tree)
        diagnostics += transformer.diagnostics
    if diagnostics:
        raise ProgramError(diagnostics, render_all(diagnostics, {source.name: source}))
    return node


def _without_bom(text: str) -> str:
    return " " + text[1:] if text.startswith("\ufeff") else text


def _parse(source: Source, start: str, rounds: int = MAX_ROUNDS) -> tuple[lark.Tree[lark.Token] | None, list[Diagnostic]]:
    """The tree of the text without its faulty statements (None if it never parsed), and their diagnostics."""
    diagnostics: list[Diagnostic] = []
    text = source.text
    for _ in range(min(rounds, 3) if len(text) > _LARGE else rounds):
        here = Source(source.name, text)
        mistake = find_before_parsing(here)
        if mistake is None:
            try:
                return _language().parse(text, start=start), diagnostics
            except lark.UnexpectedInput as error:
                mistake = explain(here, error, start)
            except LimitExceeded as limit:
                at = limit.token.start_pos or 0
                diagnostics.append(Diagnostic(limit.code, limit.message, Span(source.name, at, limit.token.end_pos or at)))
                return None, diagnostics
        diagnostics.append(_with_mend(here, mistake, source.text) if start == "start" else mistake.diagnostic)
        blanked = _blank(text, mistake)
        if blanked == text:
            break
        text = blanked
    return None, diagnostics


def _with_mend(source: Source, mistake: Mistake, original: str) -> Diagnostic:
    """The diagnostic with its proved mend. None where a statement that was left out before stands in between."""
    regions = (*mistake.regions, *mistake.context)
    from .mends import proved  # only a file with mistakes needs it

    found = proved(source, mistake.diagnostic, regions, _next_mistake)
    spans = [(fix.span.start, fix.span.end) for fix in found.fixes]
    if spans:
        regions = (*regions, (min(spans)[0], max(spans)[1]))
    is_whole = all(source.text[start:end] == original[start:end] for start, end in regions)
    return found if is_whole else replace(found, fixes=())


def _next_mistake(text: str) -> tuple[Diagnostic, tuple[Fix, ...]] | None:
    here = Source("", text)
    mistake = find_before_parsing(here)
    if mistake is None:
        try:
            transformer = Transformer(here)
            transformer.build(_language().parse(text, start="start"))
            errors = [each for each in transformer.diagnostics if each.severity == "error"]
            return (errors[0], errors[0].fixes) if errors else None
        except lark.UnexpectedInput as error:
            mistake = explain(here, error, "start")
        except LimitExceeded as limit:
            return Diagnostic(limit.code, limit.message, Span("", 0, 0)), ()
    return mistake.diagnostic, mistake.diagnostic.fixes


def _blank(text: str, mistake: Mistake) -> str:
    for start, end in mistake.regions:
        text = text[:start] + re.sub(r"[^\r\n]", " ", text[start:end]) + text[end:]
    return text


def language() -> lark.Lark:
    """The grammar's parser itself, for tools that ask it what may follow a text."""
    return _language()


@cache
def _language() -> lark.Lark:
    """The parser of the current edition, made at the first text and kept.

    Making its tables takes about 0.15 s, so they are kept in the user's cache folder; no file there is ever needed.
    """
    grammar = resources.files("automl_run.grammars").joinpath("automl.lark").read_text(encoding="utf-8")
    return lark.Lark(
        grammar,
        parser="lalr",
        lexer="contextual",
        postlex=Newlines(),
        start=["start", "only_expr", "only_domain", "only_path"],
        propagate_positions=True,
        cache=_cache_file(grammar) or False,
    )


def _cache_file(grammar: str) -> str | None:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    digest = hashlib.sha256(grammar.encode()).hexdigest()[:16]
    try:
        folder = FilePath(base).expanduser() / "automl-run"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            return None
        return str(folder / f"grammar-{lark.__version__}-{digest}.cache")
    except (OSError, RuntimeError):
        return None
