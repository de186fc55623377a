"""Syntax tree -> `.automl` text that parses to the same tree (spans apart).

Brackets are written only where the grammar needs them; what is longer than a line is broken at its arguments, items or
alternatives.
"""

from __future__ import annotations

import re
from typing import TypeAlias, assert_never

from . import ast
from .literals import spell_float, spell_quantity, spell_string
from .words import NO_CALLEE, STATEMENTS, word_set

WIDTH = 100
#: An indent so far to the left that everything fits.
_ON_ONE_LINE = -(10**9)

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STATEMENT_WORDS = frozenset(STATEMENTS) | word_set("automl and or if else when")
_ARGUMENT_WORDS = word_set("let not true false null None none Null NULL nil True TRUE False FALSE")

# How tightly each form holds together, loosest first.
_ANY, _OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _UNARY, _POWER, _POSTFIX, _ATOM = range(11)
_BINARY = {
    "or": (_OR, _OR, _AND),
    "and": (_AND, _AND, _NOT),
    "+": (_SUM, _SUM, _PRODUCT),
    "-": (_SUM, _SUM, _PRODUCT),
    "*": (_PRODUCT, _PRODUCT, _UNARY),
    "/": (_PRODUCT, _PRODUCT, _UNARY),
    "//": (_PRODUCT, _PRODUCT, _UNARY),
    "%": (_PRODUCT, _PRODUCT, _UNARY),
    "**": (_POWER, _POSTFIX, _UNARY),
}

_Printable: TypeAlias = ast.Expr | ast.Range


def print_module(module: ast.Module) -> str:
    """The whole file, with its edition line where it has one."""
    lines = [] if module.edition is None else [f"automl {module.edition}"]
    previous: ast.Statement | None = None
    for statement in module.body:
        if lines and (isinstance(statement, ast.Section) or isinstance(previous, ast.Section)):
            lines.append("")
        lines.append(print_statement(statement))
        previous = statement
    return "".join(f"{line}\n" for line in lines)


def print_statement(statement: ast.Statement, indent: int = 0) -> str:
    """One statement, its lines indented by `indent` blanks, without the last line end."""
    pad = " " * indent
    match statement:
        case ast.Bind():
            return pad + _bind(statement, ", ".join(print_path(target) for target in statement.targets), indent)
        case ast.Let(bind):
            return f"{pad}let " + _bind(bind, ", ".join(print_path(target) for target in bind.targets), indent)
        case ast.Def(name, params, body):
            head = name if params is None else f"{name}({', '.join(params)})"
            return f"{pad}def {head} = {_alternatives(body, indent)}"
        case ast.Require(condition, reason):
            return f"{pad}require {_expr(condition, _ANY, indent)}{_because(reason)}"
        case ast.Ensure(condition, reason):
            return f"{pad}ensure {_expr(condition, _ANY, indent)}{_because(reason)}"
        case ast.Objective(direction, value):
            return f"{pad}{direction} {_expr(value, _ANY, indent)}"
        case ast.Use(path):
            return f"{pad}use {spell_string(path)}"
        case ast.Section(path, label, body):
            head = print_path(path) + (f" {_label(path, label)}" if label is not None else "")
            inner = [print_statement(each, indent + 2) for each in body]
            short = f"{head} {{ {', '.join(line.strip() for line in inner)} }}"
            if 0 < len(body) <= 3 and all(isinstance(each, ast.Bind) for each in body) and _fits(short, indent):
                return pad + short
            return "\n".join([f"{pad}{head} {{", *inner, f"{pad}}}"]) if inner else f"{pad}{head} {{ }}"
        case _:
            assert_never(statement)


def print_expr(expr: ast.Expr) -> str:
    return _flat(expr, _ANY)


def print_domain(domain: ast.Domain) -> str:
    return " | ".join(_flat(alternative, _ANY, domain=True) for alternative in domain.alternatives)


def print_path(path: ast.Path) -> str:
    first, *rest = path.steps
    match first:
        case ast.NameStep(name):
            out = name if _WORD.fullmatch(name) and name not in _STATEMENT_WORDS else spell_string(name)
        case ast.AttrStep(name):
            out = _attribute(name)
        case ast.IndexStep(index):
            out = f"[{print_expr(index)}]"
        case _:
            assert_never(first)
    for step in rest:
        match step:
            case ast.NameStep(name):
                out += f".{name}" if _WORD.fullmatch(name) else f"[{spell_string(name)}]"
            case ast.AttrStep(name):
                out += f".{_attribute(name)}"
            case ast.IndexStep(index):
                out += f"[{print_expr(index)}]"
            case _:
                assert_never(step)
    return out


def _attribute(name: str) -> str:
    return f"@{name}" if _WORD.fullmatch(name) else f"@{spell_string(name)}"


def _fits(text: str, indent: int) -> bool:
    return "\n" not in text and indent + len(text) <= WIDTH


# -- bindings -------------------------------------------------------------------------------------------------------------


def _label(path: ast.Path, label: str) -> str:
    bare = _WORD.fullmatch(label) and print_path(path) != "study"
    return label if bare else spell_string(label)


def _because(reason: str) -> str:
    return f" because {spell_string(reason)}" if reason else ""


def _argument_name(path: ast.Path) -> str:
    step = path.steps[0]
    if len(path.steps) == 1 and isinstance(step, ast.NameStep):
        return step.name if _WORD.fullmatch(step.name) and step.name not in _ARGUMENT_WORDS else spell_string(step.name)
    return print_path(path)


def _bind(bind: ast.Bind, targets: str, indent: int) -> str:
    head = f"({targets})" if len(bind.targets) > 1 else targets
    tail = "".join(f" @{tag}" for tag in bind.tags)
    if bind.guard is not None:
        tail += f" when {_flat(bind.guard, _ANY)}"
    if bind.given is not None:
        head += f" {'+=' if bind.append else '='} {_expr(bind.given, _ANY, indent)}"
    if bind.before is not None:
        head += f" before {_flat(bind.before, _ANY)}"
    if bind.search is None:
        return head + tail
    flat = f"{head} ~ {print_domain(bind.search)}{tail}"
    if _fits(flat, indent):
        return flat
    pad = " " * (indent + 2)
    signs = ["~", *"|" * (len(bind.search.alternatives) - 1)]
    lines = [
        f"{pad}{sign} {_expr(alternative, _ANY, indent + 4, domain=True)}"
        for sign, alternative in zip(signs, bind.search.alternatives, strict=True)
    ]
    return "\n".join([head, *lines]) + tail


def _alternatives(domain: ast.Domain, indent: int) -> str:
    flat = print_domain(domain)
    if indent + len(flat) <= WIDTH:
        return flat
    parts = [_expr(alternative, _ANY, indent + 2, domain=True) for alternative in domain.alternatives]
    return f"\n{' ' * indent}  | ".join(parts)


# -- expressions ----------------------------------------------------------------------------------------------------------


def _expr(node: _Printable, level: int, indent: int, domain: bool = False) -> str:
    """`node` on one line if that fits, else one argument, item or entry a line."""
    flat = _flat(node, level, domain)
    if indent + len(flat) <= WIDTH:
        return flat
    match node:
        case ast.Call(args=args) if args:
            head, rest = _call_head(node)
            return _broken(head.rstrip(), [_argument(arg, indent + 2) for arg in rest], ")", indent)
        case ast.ListExpr(items) if items:
            return _broken("[", [_item(item, indent + 2) for item in items], "]", indent)
        case ast.DictExpr(entries) if entries:
            lines = [f"{spell_string(key)}: {_expr(value, _ANY, indent + 2)}" for key, value in entries]
            return _broken("{", lines, "}", indent)
        case _:
            return flat


def _broken(head: str, parts: list[str], tail: str, indent: int) -> str:
    pad = " " * indent
    return "\n".join([head, *(f"{pad}  {part}," for part in parts), f"{pad}{tail}"])


def _flat(node: _Printable, level: int, domain: bool = False) -> str:
    text, own = _spell(node)
    # `log` begins a range wherever a domain may stand; in brackets it is a name like any other.
    if own < level or (domain and not isinstance(node, ast.Range) and re.match(r"log\b", text)):
        return f"({text})"
    return text


def _spell(node: _Printable) -> tuple[str, int]:
    """The text of `node` and how tightly it holds together."""
    match node:
        case ast.Lit(value):
            return _literal(value)
        case ast.Quantity(value, unit):
            return spell_quantity(value, unit), _UNARY if value < 0 else _ATOM
        case ast.Name(name):
            return name, _ATOM
        case ast.Attr(base, name):
            return f"{_base(base)}.{name}", _POSTFIX
        case ast.Meta(base, name):
            return f"{_base(base)}.{_attribute(name)}", _POSTFIX
        case ast.Index(base, index):
            return f"{_base(base)}[{_flat(index, _ANY)}]", _POSTFIX
        case ast.Unary("not", operand):
            return f"not {_flat(operand, _NOT)}", _NOT
        case ast.Unary(_, operand):
            return f"-{_flat(operand, _UNARY)}", _UNARY
        case ast.Binary(op, left, right):
            own, on_left, on_right = _BINARY[op]
            return f"{_flat(left, on_left)} {op} {_flat(right, on_right)}", own
        case ast.Compare(first, rest):
            parts = "".join(f" {op} {_flat(operand, _SUM)}" for op, operand in rest)
            return _flat(first, _SUM) + parts, _COMPARE
        case ast.IfElse(condition, then, otherwise):
            return f"{_flat(then, _OR)} if {_flat(condition, _OR)} else {_flat(otherwise, _ANY)}", _ANY
        case ast.ListExpr(items):
            return f"[{', '.join(_item(item) for item in items)}]", _ATOM
        case ast.Comprehension(body, name, iterable, condition):
            test = "" if condition is None else f" if {_flat(condition, _OR)}"
            return f"[{_flat(body, _ANY)} for {name} in {_flat(iterable, _OR)}{test}]", _ATOM
        case ast.TupleExpr(items):
            return f"({', '.join(_flat(item, _ANY) for item in items)}{',' if len(items) == 1 else ''})", _ATOM
        case ast.DictExpr(entries):
            return "{" + ", ".join(f"{spell_string(key)}: {_flat(value, _ANY)}" for key, value in entries) + "}", _ATOM
        case ast.Call():
            head, args = _call_head(node)
            return head + ", ".join(_argument(arg) for arg in args) + ")", _ATOM
        case ast.Range(low, high, scale, step):
            size = "" if step is None else f" step {'*' if step.kind == 'mul' else ''}{_flat(step.size, _SUM)}"
            text = f"{_bound(low)}..{_flat(high, _SUM)}{size}"
            return (f"log {text}" if scale == "log" else text), _ATOM
        case _:
            assert_never(node)


def _literal(value: None | bool | int | float | str) -> tuple[str, int]:
    match value:
        case None:
            return "null", _ATOM
        case bool():
            return ("true" if value else "false"), _ATOM
        case str():
            return spell_string(value), _ATOM
        case int():
            return str(value), _UNARY if value < 0 else _ATOM
        case float():
            text = spell_float(value)
            return text, _UNARY if text.startswith("-") else _ATOM
        case _:
            assert_never(value)


def _bound(low: ast.Expr) -> str:
    text = _flat(low, _SUM)
    return f"({text})" if re.match(r"log\b", text) else text


def _base(base: ast.Expr) -> str:
    """What stands before `.` or `[`; numbers in brackets, or their point would be misread."""
    text = _flat(base, _POSTFIX)
    return f"({text})" if text[0].isdigit() else text


def _call_head(call: ast.Call) -> tuple[str, tuple[ast.Positional | ast.Bind | ast.Let, ...]]:
    """Everything up to the arguments that are still to be written, and these.

    `component("Scale#Mine", ...)` stands for a legacy instance name, and for a class that is no word or lower-case.
    """
    cls, args = call.callee, call.args
    if cls == "component" and args and isinstance(args[0], ast.Positional):
        first = args[0].value
        if isinstance(first, ast.Lit) and isinstance(first.value, str):
            cls, args = first.value, args[1:]
    words = cls.split(".")
    if cls == call.callee and call.instance is None and all(map(_WORD.fullmatch, words)) and words[0] not in NO_CALLEE:
        return f"{cls}(", args
    name = cls if call.instance is None else f"{cls}#{call.instance}"
    return f"component({spell_string(name)}" + (", " if args else ""), args


def _argument(arg: ast.Positional | ast.Bind | ast.Let, indent: int | None = None) -> str:
    """On one line, or (with an indent) as many as it takes."""
    match arg:
        case ast.Positional(value, guard):
            text = _flat(value, _ANY) if indent is None else _expr(value, _ANY, indent)
            return text + ("" if guard is None else f" when {_flat(guard, _ANY)}")
        case ast.Bind():
            targets = ", ".join(_argument_name(target) for target in arg.targets)
            return _bind(arg, targets, _ON_ONE_LINE if indent is None else indent)
        case ast.Let(bind):
            return "let " + _argument(bind, indent)
        case _:
            assert_never(arg)


def _item(item: ast.Item, indent: int | None = None) -> str:
    guard = "" if item.guard is None else f" when {_flat(item.guard, _ANY)}"
    if isinstance(item.value, ast.Domain):
        given = "" if item.given is None else f"{_flat(item.given, _ANY)} "
        return f"{given}~ {print_domain(item.value)}{guard}"
    return (_flat(item.value, _ANY) if indent is None else _expr(item.value, _ANY, indent)) + guard
