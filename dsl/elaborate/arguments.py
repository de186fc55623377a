"""Arguments against the signatures of their classes: what is missing, and values of a kind that the argument does not take.

What a base file holds is checked more gently than what a program writes: its texts may be references, and MONAI takes much that
its annotations do not say, so a wrong kind there is a warning, and only where it is sure.

Codes: AM104 wrong kind, AM108 a quantity where a whole number is meant, AM119 missing argument, AM131 a class that is not known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .. import ast, signatures
from ..diagnostics import Hints, Severity, did_you_mean, nearest
from ..source import Span
from .expressions import base_value
from .tree import Binding, Comp, Fault, Leaf, Map, RangeTree, Seq, Slot, Tree

_DATA = (".json", ".yaml", ".yml")
#: A text that begins so is a reference or an expression.
_REFERENCES = ("@", "$", "%", "#", "lambda")
#: An argument this like a known one is probably a slip, even of a class that may be the user's own.
_LIKE = 0.8
_NAMES = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "a text", "None": "null"}

Report = Callable[[Fault], None]


@dataclass(slots=True)
class Arguments:
    """`every`: component names mean classes of MONAI and torch. Else only one with its module does, and the user's code,
    which gets the component as data, may supply what is missing.
    """

    report: Report
    every: bool
    #: unknown classes that were told
    _told: set[str] = field(default_factory=set)
    _hints: Hints = field(default_factory=Hints)

    def slot(self, slot: Slot) -> None:
        """Everything below `slot`. Unknown arguments were refused where they are written."""
        for binding in slot.chain():
            if binding.site is not None:
                for value in binding.alternatives():
                    if isinstance(value, (Comp, Seq, Map)):
                        self._tree(value)
            elif binding.value is not None:
                self._tree(binding.value)

    def _tree(self, tree: Tree) -> None:
        match tree:
            case Comp(cls, _, args, attrs):
                if self.every or signatures.is_qualified(cls):
                    self._component(tree)
                else:
                    self._slips(tree)
                for slot in (*args.values(), *attrs.values(), *tree.lets.values()):
                    self.slot(slot)
            case Seq(items=items):
                for slot in items:
                    self.slot(slot)
            case Map(entries=entries):
                for slot in entries.values():
                    self.slot(slot)
            case Leaf():
                pass

    def _component(self, comp: Comp) -> None:
        if not signatures.is_known(comp.cls):
            self._unknown(comp)
            return
        for problem in signatures.check_args(comp.cls, comp.args) if self.every else ():
            if problem.kind == "unknown":  # of a base that no layer above has replaced
                message = f"`{problem.name}` is not an argument of `{comp.cls}`"
                help = did_you_mean(problem.name, signatures.arguments(comp.cls) or ())
                self.report(Fault("AM203", message, comp.args[problem.name].span, label="unknown argument", help=help))
            if problem.kind == "missing" and "ref" not in comp.attrs:
                message = f"`{comp.cls}` needs its argument `{problem.name}`"
                self.report(Fault("AM119", message, comp.callee_span, label=f"`{problem.name}` is missing"))
        for name, slot in comp.args.items():
            _check_kinds(comp.cls, name, slot, self.report)

    def _slips(self, comp: Comp) -> None:
        """A class of a known name may be the user's own here, so only an argument much like a known one is told, as a warning."""
        for problem in signatures.check_args(comp.cls, comp.args):
            slip = problem.name
            if problem.kind == "unknown" and (
                best := nearest(slip, set(signatures.arguments(comp.cls) or ()) - {*comp.args}, _LIKE)
            ):
                message = f"`{slip}` is not an argument of MONAI's or torch's `{comp.short}`"
                help = f"did you mean `{best}`?"
                fault = Fault("AM203", message, comp.args[slip].span, label="taken as it is", help=help, severity="warning")
                self.report(fault)

    def _unknown(self, comp: Comp) -> None:
        """A note, once a class. A base that gives the module of a class, or a function, has said what it means."""
        if comp.cls in self._told or (("." in comp.cls or not comp.cls[:1].isupper()) and _is_data(comp.callee_span)):
            return
        if not comp.cls[:1].isupper() and "." not in comp.cls:
            return  # `component("name", ...)`: of the user's own
        self._told.add(comp.cls)
        best = signatures.similar_class(comp.short) if self._hints.allows(comp.short) else None
        is_slip = best not in (None, comp.short)
        help = f"did you mean `{best}`?" if is_slip else "its arguments are not checked"
        message = f"`{comp.cls}` is not in the table of known classes"
        self.report(Fault("AM131", message, comp.callee_span, label="taken as it is", help=help, severity="note"))


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
    for value in binding.alternatives():
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
    is_data = _is_data(expr.span)
    if isinstance(expr, ast.Quantity) and "float" not in kinds and not is_data:
        refuse_quantity(expr, f"`{name}` of `{cls}`")
    value = expr.value if isinstance(expr, ast.Lit) else None
    if not isinstance(expr, ast.Lit) or (isinstance(value, str) and (value.startswith(_REFERENCES) or "{" in value)):
        return
    kind = "None" if value is None else type(value).__name__
    if kind in kinds or (kind == "int" and "float" in kinds):
        return
    if kind == "None" or (kind == "float" and isinstance(value, float) and value.is_integer()):
        return  # many an annotation leaves `None` out, and 2.0 is taken for 2
    if is_data and kind == "int" and value in (0, 1):
        return  # a switch, as old files write it
    wanted = " or ".join(_NAMES[known] for known in kinds if known in _NAMES)
    severity: Severity = "warning" if is_data else "error"
    raise Fault("AM104", f"`{name}` of `{cls}` is {wanted}, not {_NAMES[kind]}", expr.span, severity=severity)


def refuse_quantity(expr: ast.Quantity, what: str) -> None:
    """`spatial_dims = 3d` would be 259200. Fault AM108."""
    value, dimension = base_value(expr)
    number = int(expr.value) if float(expr.value).is_integer() else expr.value
    shown = {"time": f"{value} seconds", "bytes": f"{value} bytes"}.get(dimension, f"a quantity of {dimension}")
    message = f"{what} is a plain number; `{number}{expr.unit}` means {shown}"
    raise Fault("AM108", message, expr.span, label="a quantity", help=f"write `{number}`")


def _is_data(span: Span) -> bool:
    return span.file.endswith(_DATA)
