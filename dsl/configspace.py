"""The same space for ConfigSpace (Lindauer et al., 2019, arXiv:1908.06319), with its conditions and forbidden clauses.

    space = program.to_configspace()
    sample = to_sample(program, space.sample_configuration())

What that library cannot say is an InputError that names it, never a space that is larger or smaller. Of a `require`, ConfigSpace
can say what compares two ranges, what compares a range with a number, and anything about parameters with few values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

from automl_run.errors import InputError

from . import ir, prior
from .column_block import Here
from .elaborate.logic import conjuncts, follows, reads
from .evaluate import Undefined, baseline_point, evaluate, infeasible_because
from .ir import ParamId, Program, Value

if TYPE_CHECKING:
    import ConfigSpace
    from ConfigSpace.forbidden import ForbiddenClause, ForbiddenRelation

#: A stepped range, or a combination of values looked at one by one, has at most so many.
_MAX_VALUES = 10_000

#: Clauses that must all hold; a list of them: any.
Clauses: TypeAlias = "tuple[ForbiddenClause | ForbiddenRelation, ...]"


def to_configspace(program: Program) -> ConfigSpace.ConfigurationSpace:
    """The space of `program`. InputError if ConfigSpace is not installed, or cannot say a condition or a `require`."""
    try:
        import ConfigSpace
    except ImportError:
        raise InputError("ConfigSpace is not installed: pip install ConfigSpace") from None
    return _Space(program, ConfigSpace).space


def to_sample(program: Program, configuration: Mapping[str, Any]) -> dict[ParamId, int | float]:
    """A configuration of `to_configspace` as a sample of `program`."""
    sample: dict[ParamId, int | float] = {}
    for param in program.params:
        if param.id in configuration:
            value = configuration[param.id]
            if isinstance(param.domain, ir.Choice):
                sample[param.id] = _names(param.domain).index(value)
            else:
                sample[param.id] = int(value) if isinstance(param.domain, ir.Int) else float(value)
    return sample


def _names(domain: ir.Choice) -> list[Any]:
    """What the alternatives are called: their own values where they are all strings, integers or floats, else labels or indices."""
    values = [alt.values[0] for alt in domain.alts]
    plain = all(len(alt.values) == 1 for alt in domain.alts) and {type(value) for value in values} in ({str}, {int}, {float})
    for names in (values if plain else [], [alt.label for alt in domain.alts]):
        if names and len({str(name) for name in names}) == len(names):
            return names
    return list(range(len(domain.alts)))


class _Space:
    def __init__(self, program: Program, library: Any) -> None:
        self._program = program
        self._library = library
        self._params = {param.id: param for param in program.params}
        self._parameters: dict[ParamId, Any] = {}
        default = self._default()
        self.space: ConfigSpace.ConfigurationSpace = library.ConfigurationSpace()
        for param in program.params:
            self._parameters[param.id] = self._parameter(param, default.get(param.id))
        self.space.add(list(self._parameters.values()))
        self.space.add([self._condition(param) for param in program.params if param.active is not None])
        self._always_defined()
        for require in program.requires:
            self._forbid(require)

    def _default(self) -> Mapping[ParamId, int | float]:
        """The baseline where it is allowed, else some point: ConfigSpace accepts no default that it forbids."""
        point = baseline_point(self._program)
        if point is not None and infeasible_because(self._program, point) is None:
            return point
        from .sampling import sample

        return sample(self._program, 1)[0]

    # -- parameters ----------------------------------------------------------------------------------------------------------

    def _parameter(self, param: ir.Param, default: int | float | None) -> Any:
        domain, library = param.domain, self._library
        if isinstance(domain, ir.Choice):
            names = _names(domain)
            chosen = names[0 if default is None else int(default)]
            if domain.ordered and len(names) > 1:
                return library.OrdinalHyperparameter(param.id, names, default_value=chosen)
            return library.CategoricalHyperparameter(param.id, names, default_value=chosen)
        if domain.step is not None:
            rungs = prior.values(domain)
            assert rungs is not None
            if prior.length(rungs) > _MAX_VALUES or (domain.scale == "log" and domain.step.kind == "add"):
                raise InputError(f"ConfigSpace has no ranges with such a step: `{param.id}`")
            at = 0 if default is None else prior.nearest(rungs, default)
            return library.OrdinalHyperparameter(param.id, list(rungs), default_value=rungs[at])
        kind = library.UniformIntegerHyperparameter if isinstance(domain, ir.Int) else library.UniformFloatHyperparameter
        return kind(param.id, domain.lo, domain.hi, default_value=default, log=domain.scale == "log")

    def _values(self, id: ParamId) -> list[tuple[int | float, Any]] | None:
        """Each value as a point has it and as ConfigSpace calls it; None if there are too many to go through."""
        domain = self._params[id].domain
        if isinstance(domain, ir.Choice):
            return list(enumerate(_names(domain)))
        known = prior.values(domain)
        return None if known is None or prior.length(known) > _MAX_VALUES else [(value, value) for value in known]

    # -- conditions ----------------------------------------------------------------------------------------------------------

    def _condition(self, param: ir.Param) -> Any:
        assert param.active is not None
        return self._active_when(param.active, param)

    def _active_when(self, expr: ir.Expr, child: ir.Param) -> Any:
        match expr:
            case ir.Unary("not", ir.Binary("and", left, right)):
                return self._active_when(ir.Binary("or", ir.Unary("not", left), ir.Unary("not", right)), child)
            case ir.Unary("not", ir.Binary("or", left, right)):
                return self._active_when(ir.Binary("and", ir.Unary("not", left), ir.Unary("not", right)), child)
        ids = reads(expr)
        if len(ids) == 1 and (values := self._values(ids[0])) is not None:
            return self._active_in(expr, self._params[ids[0]], values, child)
        match expr:
            case ir.Binary("and", left, right):
                return self._library.AndConjunction(self._active_when(left, child), self._active_when(right, child))
            case ir.Binary("or", left, right):
                if any(self._reads_inactive(id, part) for part in (left, right) for id in reads(part)):
                    raise self._unsaid(child)
                return self._library.OrConjunction(self._active_when(left, child), self._active_when(right, child))
            case ir.Binary("<" | ">" | "<=" | ">=" as op, ir.ParamRef(id), ir.Lit(value)) if self._in_range(id, value):
                parent, own = self._parameters[id], self._parameters[child.id]
                kind = self._library.LessThanCondition if op[0] == "<" else self._library.GreaterThanCondition
                strict = kind(own, parent, value)
                if len(op) == 1:
                    return strict
                return self._library.OrConjunction(strict, self._library.EqualsCondition(own, parent, value))
        raise self._unsaid(child)

    def _active_in(self, expr: ir.Expr, parent: ir.Param, values: list[tuple[int | float, Any]], child: ir.Param) -> Any:
        """A condition on one parameter, told as the set of its values that fulfil it."""
        if parent.active is not None and self._outcome(expr, {parent.id: None}) is True:
            known = () if child.active is None else conjuncts(child.active)
            if not follows(known, parent.active):
                raise self._unsaid(child)  # ConfigSpace has no children of the inactive
        names = [name for value, name in values if self._outcome(expr, {parent.id: value}) is True]
        if not names:
            raise InputError(f"`{child.id}` never exists, which ConfigSpace cannot say")
        own, other = self._parameters[child.id], self._parameters[parent.id]
        if len(names) == 1:
            return self._library.EqualsCondition(own, other, names[0])
        return self._library.InCondition(own, other, names)

    def _reads_inactive(self, id: ParamId, expr: ir.Expr) -> bool:
        return self._params[id].active is not None and isinstance(self._outcome(expr, {id: None}), Undefined)

    def _in_range(self, id: ParamId, value: Value) -> bool:
        domain = self._params[id].domain
        if isinstance(domain, ir.Choice) or isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return domain.step is None and domain.lo <= value <= domain.hi and (isinstance(domain, ir.Real) or value == int(value))

    def _outcome(self, expr: ir.Expr, chosen: Mapping[ParamId, int | float | None]) -> Value | Undefined:
        try:
            return evaluate(expr, Here(self._program, chosen))
        except Undefined as undefined:
            return undefined

    def _unsaid(self, param: ir.Param) -> InputError:
        return InputError(f"ConfigSpace cannot say when `{param.id}` exists")

    # -- requires ------------------------------------------------------------------------------------------------------------

    def _always_defined(self) -> None:
        """A point whose configuration has no value is not allowed, and ConfigSpace cannot know: a few thousand are tried."""
        import numpy as np

        from .sampling import draw

        rejected = draw(self._program, np.random.default_rng(0), 4096).rejected_by()
        if (rejected == len(self._program.requires)).any():
            raise InputError("ConfigSpace cannot say that a computed value is not defined everywhere; add a `require` for that")

    def _forbid(self, require: ir.Require) -> None:
        try:
            found = self._when(require.condition, False, require, outer=True)
        except RecursionError:
            raise self._too_much(require) from None
        clauses = [part[0] if len(part) == 1 else self._library.ForbiddenAndConjunction(*part) for part in found if part]
        if len(clauses) < len(found):
            raise InputError(f"`require {require.text}` allows nothing")
        if clauses:
            self.space.add(clauses)

    def _when(self, expr: ir.Expr, wanted: bool, require: ir.Require, *, outer: bool = False) -> list[Clauses]:
        """When `expr` is `wanted`, as any of these; what reads an inactive parameter is neither."""
        ids = reads(expr)
        size = 1
        for id in ids:
            values = self._values(id)
            size *= _MAX_VALUES + 1 if values is None else len(values) + 1
        if size <= _MAX_VALUES:
            return self._listed(expr, ids, wanted, require, outer)
        match expr:
            case ir.Unary("not", operand):
                return self._when(operand, not wanted, require)
            case ir.Binary("and" | "or" as op, left, right):
                decisive = op == "or"
                rest = self._both(self._when(left, not decisive, require), self._when(right, wanted, require), require)
                return [*self._when(left, decisive, require), *rest] if wanted is decisive else rest
            case ir.Binary("==" | "!=" | "<" | "<=" | ">" | ">=" as op, ir.ParamRef(a), ir.ParamRef(b)):
                if self._is_range(a) and self._is_range(b):
                    return [(self._relation(name, a, b),) for name in _RELATIONS[op if wanted else _OPPOSITE[op]]]
            case ir.Binary("<" | "<=" | ">" | ">=" as op, ir.ParamRef(id), ir.Lit(value)) if self._in_range(id, value):
                return [(clause,) for clause in self._clauses(op if wanted else _OPPOSITE[op], id, value)]
            case ir.Binary("<" | "<=" | ">" | ">=" as op, ir.Lit() as literal, ir.ParamRef() as read):
                return self._when(ir.Binary(_MIRRORED[op], read, literal), wanted, require)  # type: ignore[arg-type]
        raise InputError(f"ConfigSpace cannot say `require {require.text}`")

    def _listed(self, expr: ir.Expr, ids: list[ParamId], wanted: bool, require: ir.Require, outer: bool) -> list[Clauses]:
        """Every combination of values, those of the last parameter taken together."""
        states: list[list[tuple[int | float | None, Any]]] = []
        for id in ids:
            absent: list[tuple[int | float | None, Any]] = [(None, None)] if self._params[id].active is not None else []
            states.append([*(self._values(id) or []), *absent])
        found: dict[tuple[Any, ...], list[Any]] = {}
        for combination in product(*states):
            chosen = {id: value for id, (value, _) in zip(ids, combination, strict=True)}
            outcome = self._outcome(expr, chosen)
            if isinstance(outcome, Undefined):
                if outcome.inactive:
                    continue
                if not (outer and not wanted):
                    raise InputError(f"ConfigSpace cannot say that a part of `require {require.text}` has no value")
            elif outcome is not wanted and not (outer and outcome is not True):
                continue
            if None in chosen.values():
                raise InputError(f"ConfigSpace cannot forbid that a parameter is inactive: `require {require.text}`")
            names = tuple(name for _, name in combination)
            found.setdefault(names[:-1], []).append(names[-1] if names else None)
        if not ids:
            return [()] if found else []
        out: list[Clauses] = []
        for heads, lasts in found.items():
            equal = [self._equals(id, name) for id, name in zip(ids, heads, strict=False)]
            last = self._parameters[ids[-1]]
            many = self._library.ForbiddenInClause(last, lasts) if len(lasts) > 1 else self._equals(ids[-1], lasts[0])
            out.append((*equal, many))
        return out

    def _equals(self, id: ParamId, name: Any) -> Any:
        return self._library.ForbiddenEqualsClause(self._parameters[id], name)

    def _is_range(self, id: ParamId) -> bool:
        domain = self._params[id].domain
        return not isinstance(domain, ir.Choice) and domain.step is None

    def _relation(self, name: str, a: ParamId, b: ParamId) -> Any:
        kind = getattr(self._library, f"Forbidden{name}Relation")
        return kind(self._parameters[a], self._parameters[b])

    def _clauses(self, op: str, id: ParamId, value: Value) -> Iterable[Any]:
        # Not ForbiddenGreaterThanEqualsClause: that of ConfigSpace 1.2 prints every vector it looks at.
        for name in {"<": ("LessThan",), "<=": ("LessThanEquals",), ">": ("GreaterThan",), ">=": ("GreaterThan", "Equals")}[op]:
            yield getattr(self._library, f"Forbidden{name}Clause")(self._parameters[id], value)

    def _both(self, first: list[Clauses], second: list[Clauses], require: ir.Require) -> list[Clauses]:
        if len(first) * len(second) > _MAX_VALUES:
            raise self._too_much(require)
        return [(*a, *b) for a, b in product(first, second)]

    def _too_much(self, require: ir.Require) -> InputError:
        return InputError(f"`require {require.text}` is too long for ConfigSpace")


_RELATIONS = {
    "==": ("Equals",),
    "!=": ("LessThan", "GreaterThan"),
    "<": ("LessThan",),
    ">": ("GreaterThan",),
    "<=": ("LessThan", "Equals"),
    ">=": ("GreaterThan", "Equals"),
}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
