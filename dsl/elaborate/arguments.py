"""Arguments against the signatures of their classes: what is missing, and values of a kind that the argument does not take.

Only what is written in a program is held to the kinds: a base's own values are MONAI's business, and its texts may be references.

Codes: AM104 wrong kind, AM108 a quantity where a whole number is meant, AM119 missing argument.
"""

from __future__ import annotations

from collections.abc import Callable

from .. import ast, signatures
from ..source import Span
from .expressions import base_value
from .tree import Binding, Comp, Fault, Leaf, Map, RangeTree, Seq, Slot, Tree

_DATA = (".json", ".yaml", ".yml")
#: A text that begins so is a reference or an expression.
_REFERENCES = ("@", "$", "%", "#")
_NAMES = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "a text", "None": "null"}

Report = Callable[[Fault], None]


def check_slot(slot: Slot, report: Report) -> None:
    """Everything below `slot`. Unknown arguments were refused where they are written."""
    for binding in slot.chain():
        if binding.site is not None:
            for alternative in binding.site.alternatives or []:
                value = alternative.values[binding.position]
                if isinstance(value, (Comp, Seq, Map)):
                    _check_tree(value, report)
        elif binding.value is not None:
            _check_tree(binding.value, report)


def _check_tree(tree: Tree, report: Report) -> None:
    match tree:
        case Comp(cls, _, args, attrs):
            for problem in signatures.check_args(cls, args):
                if problem.kind == "missing" and "ref" not in attrs:
                    message = f"`{cls}` needs its argument `{problem.name}`"
                    report(Fault("AM119", message, tree.callee_span, label=f"`{problem.name}` is missing"))
            for name, slot in args.items():
                _check_kinds(cls, name, slot, report)
            for slot in (*args.values(), *attrs.values(), *tree.lets.values()):
                check_slot(slot, report)
        case Seq(items=items):
            for slot in items:
                check_slot(slot, report)
        case Map(entries=entries):
            for slot in entries.values():
                check_slot(slot, report)
        case Leaf():
            pass


# -- kinds --------------------------------------------------------------------------------------------------------------------


def _check_kinds(cls: str, name: str, slot: Slot, report: Report) -> None:
    kinds = signatures.argument_kinds(cls, name)
    if not kinds or "other" in kinds:
        return
    for binding in slot.chain():
        try:
            _check_binding(cls, name, kinds, binding)
        except Fault as fault:
            report(fault)


def _check_binding(cls: str, name: str, kinds: tuple[signatures.Kind, ...], binding: Binding) -> None:
    if binding.site is None:
        if isinstance(binding.value, Leaf):
            _check_value(cls, name, kinds, binding.value.expr)
        return
    if binding.given and isinstance(binding.value, Leaf):
        _check_value(cls, name, kinds, binding.value.expr)
    for alternative in binding.site.alternatives or []:
        value = alternative.values[binding.position]
        if isinstance(value, Leaf):
            _check_value(cls, name, kinds, value.expr)
        elif isinstance(value, RangeTree):
            _check_range(cls, name, kinds, value.range, binding)


def _check_range(cls: str, name: str, kinds: tuple[signatures.Kind, ...], range: ast.Range, binding: Binding) -> None:
    lo, hi = range.lo, range.hi
    if not isinstance(lo, ast.Lit) or not isinstance(hi, ast.Lit) or _is_data(range.span):
        return
    whole = type(lo.value) is int and type(hi.value) is int
    has_float_baseline = (
        isinstance(binding.value, Leaf) and isinstance(binding.value.expr, ast.Lit) and isinstance(binding.value.expr.value, float)
    )
    if whole and "float" in kinds and "int" not in kinds and not has_float_baseline:  # that one is told with the baseline
        help = f"write {float(lo.value or 0)}..{float(hi.value or 0)}"
        message = f"a range of integers for `{name}` of `{cls}`, which is a float"
        raise Fault("AM104", message, range.span, help=help)
    if not whole and kinds in (("int",), ("int", "None")) and isinstance(lo.value, (int, float)):
        raise Fault("AM104", f"a range of floats for `{name}` of `{cls}`, which is a whole number", range.span)


def _check_value(cls: str, name: str, kinds: tuple[signatures.Kind, ...], expr: ast.Expr) -> None:
    if _is_data(expr.span):
        return
    if isinstance(expr, ast.Quantity) and "float" not in kinds:
        refuse_quantity(expr, f"`{name}` of `{cls}`")
    value = expr.value if isinstance(expr, ast.Lit) else None
    if not isinstance(expr, ast.Lit) or (isinstance(value, str) and (value.startswith(_REFERENCES) or "{" in value)):
        return
    kind = "None" if value is None else type(value).__name__
    if kind in kinds or (kind == "int" and "float" in kinds):
        return
    if kind == "None" or (kind == "float" and isinstance(value, float) and value.is_integer()):
        return  # many an annotation leaves `None` out, and 2.0 is taken for 2
    wanted = " or ".join(_NAMES[known] for known in kinds if known in _NAMES)
    raise Fault("AM104", f"`{name}` of `{cls}` is {wanted}, not {_NAMES[kind]}", expr.span)


def refuse_quantity(expr: ast.Quantity, what: str) -> None:
    """`spatial_dims = 3d` would be 259200. Fault AM108."""
    value, dimension = base_value(expr)
    number = int(expr.value) if float(expr.value).is_integer() else expr.value
    shown = {"time": f"{value} seconds", "bytes": f"{value} bytes"}.get(dimension, f"a quantity of {dimension}")
    message = f"{what} is a plain number; `{number}{expr.unit}` means {shown}"
    raise Fault("AM108", message, expr.span, label="a quantity", help=f"write `{number}`")


def _is_data(span: Span) -> bool:
    return span.file.endswith(_DATA)
