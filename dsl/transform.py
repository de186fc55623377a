"""Parse tree -> syntax tree, bottom up and without recursion, so that no text can exhaust the stack.

What the grammar lets through but the language does not mean is found here, because here the meaning of each piece is first
known; the findings are collected, and the tree is still made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lark import Token, Tree

from . import ast
from .checks import Checks
from .diagnostics import Fix
from .literals import LiteralError, read_float, read_int, read_quantity, read_string
from .source import Source, Span

#: Operators around one value, counted apart from brackets: what a reader of the tree may recurse through.
MAX_OPERATORS = 100

_OPERATORS = frozenset({"binary", "or_", "and_", "not_", "negate", "if_else", "attr", "meta", "index", "compare"})
_MISSPELT: dict[str, tuple[None | bool, str]] = {
    **dict.fromkeys(("None", "none", "Null", "NULL", "nil"), (None, "null")),
    **dict.fromkeys(("True", "TRUE"), (True, "true")),
    **dict.fromkeys(("False", "FALSE"), (False, "false")),
}

Children = list[Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Given:
    expr: ast.Expr
    append: bool = False
    before: ast.Expr | None = None


@dataclass(frozen=True, slots=True)
class _Search:
    domain: ast.Domain
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Guard:
    condition: ast.Expr


class Transformer:
    """One for each text. `diagnostics` grows while `build` runs."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._checks = Checks(source)
        self.diagnostics = self._checks.diagnostics

    def build(self, tree: Tree[Token]) -> Any:
        """The node that `tree` stands for."""
        pending: list[tuple[Tree[Token] | Token | None, int]] = [(tree, 0)]
        order: list[Tree[Token] | Token | ast.Lit | None] = []
        while pending:
            node, operators = pending.pop()
            order.append(node)
            if isinstance(node, Tree):
                if node.data in _OPERATORS:
                    operators += 1
                    if operators == MAX_OPERATORS + 1:
                        self._checks.error("AM303", f"more than {MAX_OPERATORS} operators around one value", self._span(node))
                    if operators > MAX_OPERATORS:
                        order[-1] = ast.Lit(None, self._span(node))  # cut: too deep for those who read the tree
                        continue
                pending += [(child, operators) for child in node.children]
        built: list[Any] = []
        for each in reversed(order):
            if isinstance(each, Tree):
                count = len(each.children)
                children = built[len(built) - count :]
                del built[len(built) - count :]
                built.append(self._node(each, children))
            else:
                built.append(each)
        return built[0]

    def _node(self, node: Tree[Token], children: Children) -> Any:
        method: Callable[[Children, Span], Any] = getattr(self, f"_{node.data}")
        return method(children, self._span(node))

    def _span(self, node: Tree[Token]) -> Span:
        if node.meta.empty:
            return Span(self._source.name, 0, 0)
        return Span(self._source.name, node.meta.start_pos, node.meta.end_pos)

    def _at(self, token: Token) -> Span:
        return Span(self._source.name, token.start_pos or 0, token.end_pos or 0)

    # -- entry points ---------------------------------------------------------------------------------------------------

    def _start(self, children: Children, span: Span) -> ast.Module:
        edition, *body = children
        return ast.Module(self._source.name, edition, tuple(_present(body)))

    def _edition(self, children: Children, span: Span) -> int:
        return self._literal(children[0], read_int, 0)

    def _only_expr(self, children: Children, span: Span) -> Any:
        return children[0]

    _only_domain = _only_path = _only_expr

    # -- statements -----------------------------------------------------------------------------------------------------

    def _use(self, children: Children, span: Span) -> ast.Use:
        return ast.Use(self._string_text(children[0]), span)

    def _section(self, children: Children, span: Span) -> ast.Section:
        path, label, body = children
        return ast.Section(path, label, body, span)

    def _label(self, children: Children, span: Span) -> str:
        token = children[0]
        return self._string_text(token) if token.type == "STRING" else str(token)

    def _block(self, children: Children, span: Span) -> tuple[ast.Statement, ...]:
        return tuple(_present(children))

    def _let(self, children: Children, span: Span) -> ast.Let:
        self._checks.let(children[0])
        return ast.Let(children[0], span)

    def _def_(self, children: Children, span: Span) -> ast.Def:
        self._checks.alternatives(children[1])
        return ast.Def(str(children[0]), None, children[1], span)

    def _def_function(self, children: Children, span: Span) -> ast.Def:
        name, params, body = children
        self._checks.function_name(str(name), self._at(name))
        self._checks.alternatives(body)
        return ast.Def(str(name), params, body, span)

    def _params(self, children: Children, span: Span) -> tuple[str, ...]:
        tokens = _present(children)
        self._checks.unique([(str(token), self._at(token)) for token in tokens], "parameter")
        return tuple(str(token) for token in tokens)

    def _require(self, children: Children, span: Span) -> ast.Require:
        return ast.Require(children[0], self._reason(children[1]), span)

    def _ensure(self, children: Children, span: Span) -> ast.Ensure:
        return ast.Ensure(children[0], self._reason(children[1]), span)

    def _maximize(self, children: Children, span: Span) -> ast.Objective:
        return ast.Objective("maximize", children[0], span)

    def _minimize(self, children: Children, span: Span) -> ast.Objective:
        return ast.Objective("minimize", children[0], span)

    def _reason(self, token: Token | None) -> str:
        return "" if token is None else self._string_text(token)

    # -- bindings -------------------------------------------------------------------------------------------------------

    def _bind(self, children: Children, span: Span) -> ast.Bind:
        return self._make_bind(children[0], children[1:], span)

    def _make_bind(self, targets: tuple[ast.Path, ...], parts: Sequence[Any], span: Span) -> ast.Bind:
        given = next((part for part in parts if isinstance(part, _Given)), None)
        search = next((part for part in parts if isinstance(part, _Search)), None)
        guard = next((part for part in parts if isinstance(part, _Guard)), None)
        if search is not None:
            self._checks.search(search.domain, len(targets))
        return ast.Bind(
            targets,
            given.expr if given else None,
            given.append if given else False,
            given.before if given else None,
            search.domain if search else None,
            search.tags if search else (),
            guard.condition if guard else None,
            span,
        )

    def _assign(self, children: Children, span: Span) -> _Given:
        return _Given(children[0])

    def _append(self, children: Children, span: Span) -> _Given:
        return _Given(children[0], True, children[1])

    def _search(self, children: Children, span: Span) -> _Search:
        return _Search(children[0], tuple(children[1:]))

    def _tag(self, children: Children, span: Span) -> str:
        return self._attribute(children[0])

    def _attribute(self, token: Token) -> str:
        """The name after `@`; in quotes where it is no word."""
        text = str(token)[1:]
        return self._literal(Token.new_borrow_pos("STRING", text, token), read_string, "") if text.startswith('"') else text

    def _guard(self, children: Children, span: Span) -> _Guard:
        return _Guard(children[0])

    def _target(self, children: Children, span: Span) -> tuple[ast.Path, ...]:
        return tuple(_present(children))

    def _attr_path(self, children: Children, span: Span) -> ast.Path:
        return ast.Path((ast.AttrStep(self._attribute(children[0]), span),), span)

    def _path(self, children: Children, span: Span) -> ast.Path:
        first, *steps = children
        name = self._string_text(first) if first.type == "STRING" else str(first)
        return ast.Path((ast.NameStep(name, self._at(first)), *steps), span)

    def _name_step(self, children: Children, span: Span) -> ast.NameStep:
        return ast.NameStep(str(children[0]), self._at(children[0]))

    def _attr_step(self, children: Children, span: Span) -> ast.AttrStep:
        return ast.AttrStep(self._attribute(children[0]), self._at(children[0]))

    def _index_step(self, children: Children, span: Span) -> ast.IndexStep:
        return ast.IndexStep(children[0], span)

    # -- domains --------------------------------------------------------------------------------------------------------

    def _domain(self, children: Children, span: Span) -> ast.Domain:
        self._checks.count(len(children), span)
        return ast.Domain(tuple(children), span)

    def _range(self, children: Children, span: Span) -> ast.Range:
        log, low, high, step = children
        return ast.Range(low, high, "log" if log else "linear", step, span)

    def _log(self, children: Children, span: Span) -> str:
        return "log"

    def _step_add(self, children: Children, span: Span) -> ast.StepSize:
        return ast.StepSize("add", children[0], span)

    def _step_mul(self, children: Children, span: Span) -> ast.StepSize:
        return ast.StepSize("mul", children[0], span)

    # -- operators ------------------------------------------------------------------------------------------------------

    def _if_else(self, children: Children, span: Span) -> ast.IfElse:
        then, condition, otherwise = children
        return ast.IfElse(condition, then, otherwise, span)

    def _or_(self, children: Children, span: Span) -> ast.Binary:
        return ast.Binary("or", children[0], children[1], span)

    def _and_(self, children: Children, span: Span) -> ast.Binary:
        return ast.Binary("and", children[0], children[1], span)

    def _binary(self, children: Children, span: Span) -> ast.Binary:
        left, operator, right = children
        return ast.Binary(str(operator), left, right, span)

    def _not_(self, children: Children, span: Span) -> ast.Unary:
        return ast.Unary("not", children[0], span)

    def _negate(self, children: Children, span: Span) -> ast.Expr:
        """`-1` is a number, not an operation on one, so that bounds and alternatives can be read off the tree."""
        operand = children[1]
        match operand:
            case ast.Quantity(value, unit):
                return ast.Quantity(-value, unit, span)
            case ast.Lit(int() | float() as value) if not isinstance(value, bool):
                return ast.Lit(-value, span)
            case _:
                return ast.Unary("-", operand, span)

    def _compare(self, children: Children, span: Span) -> ast.Compare:
        first, *rest = children
        return ast.Compare(first, tuple(zip(rest[::2], rest[1::2], strict=True)), span)

    def _compare_op(self, children: Children, span: Span) -> str:
        return " ".join(children)

    def _attr(self, children: Children, span: Span) -> ast.Attr:
        return ast.Attr(children[0], str(children[1]), span)

    def _meta(self, children: Children, span: Span) -> ast.Meta:
        return ast.Meta(children[0], self._attribute(children[1]), span)

    def _index(self, children: Children, span: Span) -> ast.Index:
        return ast.Index(children[0], children[1], span)

    # -- atoms ----------------------------------------------------------------------------------------------------------

    def _name(self, children: Children, span: Span) -> ast.Expr:
        name = str(children[0])
        if name in _MISSPELT:
            value, word = _MISSPELT[name]
            message = f"`{name}` is not a word of the language"
            self._checks.error("AM013", message, span, help=f"write `{word}`", fixes=[Fix(span, word, True)])
            return ast.Lit(value, span)
        return ast.Name(name, span)

    def _int_(self, children: Children, span: Span) -> ast.Lit:
        return ast.Lit(self._literal(children[0], read_int, 0), span)

    def _float_(self, children: Children, span: Span) -> ast.Lit:
        return ast.Lit(self._literal(children[0], read_float, 0.0), span)

    def _quantity(self, children: Children, span: Span) -> ast.Quantity:
        value, unit = self._literal(children[0], read_quantity, (0.0, "s"))
        return ast.Quantity(value, unit, span)

    def _string(self, children: Children, span: Span) -> ast.Lit:
        return ast.Lit(self._string_text(children[0]), span)

    def _true(self, children: Children, span: Span) -> ast.Lit:
        return ast.Lit(True, span)

    def _false(self, children: Children, span: Span) -> ast.Lit:
        return ast.Lit(False, span)

    def _null(self, children: Children, span: Span) -> ast.Lit:
        return ast.Lit(None, span)

    def _string_text(self, token: Token) -> str:
        return self._literal(token, read_string, "")

    def _literal(self, token: Token, read: Callable[[str], T], otherwise: T) -> T:
        try:
            return read(str(token))
        except LiteralError as error:
            at = self._at(token)
            span = Span(at.file, at.start + error.start, at.start + error.end)
            self._checks.error(error.code, error.message, span, help=error.help)
            return otherwise

    # -- calls and containers -------------------------------------------------------------------------------------------

    def _call(self, children: Children, span: Span) -> ast.Call:
        callee, *rest = children
        args = tuple(_present(rest))
        self._checks.call(str(callee), self._at(callee), args)
        return _named_component(ast.Call(str(callee), args, self._at(callee), span))

    def _argument(self, children: Children, span: Span) -> ast.Positional:
        return ast.Positional(children[0], _condition(children[1]), span)

    def _named(self, children: Children, span: Span) -> ast.Bind | None:
        targets = self._checks.argument_targets(children[0])
        return None if targets is None else self._make_bind(targets, children[1:], span)

    def _argument_let(self, children: Children, span: Span) -> ast.Let | None:
        bind = self._named(children, children[0].span.to(span))
        if bind is None:
            return None
        self._checks.let(bind)
        return ast.Let(bind, span)

    def _list(self, children: Children, span: Span) -> ast.ListExpr:
        return ast.ListExpr(tuple(_present(children)), span)

    def _item(self, children: Children, span: Span) -> ast.Item:
        value, guard = children
        if isinstance(value, ast.Domain):
            self._checks.search(value, 1)
        return ast.Item(value, _condition(guard), span)

    def _item_from(self, children: Children, span: Span) -> ast.Item:
        given, domain, guard = children
        self._checks.search(domain, 1)
        return ast.Item(domain, _condition(guard), span, given)

    def _comprehension(self, children: Children, span: Span) -> ast.Comprehension:
        body, name, iterable, condition = children
        return ast.Comprehension(body, str(name), iterable, condition, span)

    def _counted(self, children: Children, span: Span) -> ast.Range:
        return ast.Range(children[0], children[1], "linear", None, span)

    def _tuple(self, children: Children, span: Span) -> ast.TupleExpr:
        return ast.TupleExpr(tuple(_present(children)), span)

    def _dict(self, children: Children, span: Span) -> ast.DictExpr:
        entries = _present(children)
        keys = [(key, key_span) for key, key_span, _ in entries]
        self._checks.unique(keys, "key")
        return ast.DictExpr(tuple((key, value) for key, _, value in entries), tuple(at for _, at in keys), span)

    def _entry(self, children: Children, span: Span) -> tuple[str, Span, ast.Expr]:
        key, value = children
        return (self._string_text(key) if key.type == "STRING" else str(key)), self._at(key), value


def _present(children: Children) -> Children:
    """Without the gaps of optional parts."""
    return [child for child in children if child is not None]


def _condition(guard: _Guard | None) -> ast.Expr | None:
    return None if guard is None else guard.condition


def _named_component(call: ast.Call) -> ast.Call:
    """`component("Scale#Mine", ...)` writes what the short form cannot: a legacy instance name, or a class that is no word."""
    if call.callee != "component" or not call.args or not isinstance(call.args[0], ast.Positional):
        return call
    first = call.args[0].value
    if not isinstance(first, ast.Lit) or not isinstance(first.value, str):
        return call
    cls, _, instance = first.value.partition("#")
    if cls[:1].isupper() or "." in cls:
        return ast.Call(cls, call.args[1:], first.span, call.span, instance or None)
    # A lower-case class stays behind `component`, or it would be taken for a function.
    positional = ast.Positional(ast.Lit(cls, first.span), call.args[0].guard, call.args[0].span)
    return ast.Call("component", (positional, *call.args[1:]), call.callee_span, call.span, instance or None)
