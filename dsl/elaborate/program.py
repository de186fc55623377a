"""Layers in, Program out: the one way from either language to the IR."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from .. import ast, ir, signatures
from ..bundle_target import ids_of
from ..diagnostics import Diagnostic
from ..digest import digest
from ..source import NOWHERE, Span
from . import feasibility, metrics
from .arguments import Arguments
from .bundle_references import dangling_ids
from .dimensions import Dimensions
from .doubts import doubts
from .embedded_python import of_clara
from .expand import Expander
from .expressions import Expressions, Reading
from .layers import Layer, Layered, build
from .logic import is_false, is_true
from .lower import Lowering
from .order import ordered
from .paths import assign
from .places import HasArgument
from .references import dangling
from .sites import Sites, is_dead, never_searched
from .study import StudyReader
from .study_values import StudyValues
from .support import unsupported
from .tree import Echo, Fault

_MAX_PARAMS = 4096


@dataclass(frozen=True, slots=True)
class Request:
    """What is elaborated, and what the files around it say. `text_of` gives a span's text, for messages."""

    layers: Sequence[Layer]
    base_target: ir.Spec | None = None
    variables: Mapping[str, ir.Value] = field(default_factory=dict)
    base_dir: str = "."
    files: tuple[str, ...] = ()
    resolve_target: Callable[[str, str], str | None] = lambda text, file: text
    text_of: Callable[[Span], str] = lambda span: ""


@dataclass(frozen=True, slots=True)
class Elaborated:
    """`program` is None if there is an error among `diagnostics`. `places`: of the study's settings, see `StudyReader`."""

    program: ir.Program | None
    diagnostics: tuple[Diagnostic, ...]
    places: Mapping[str, Span] = field(default_factory=dict)


def elaborate(request: Request) -> Elaborated:
    """Pure: reads no file, imports no component."""
    checked = is_checked(request)
    layered = build(request.layers, known_arguments(checked))
    assign(layered.places)
    expressions = Expressions(layered.places)
    sites = Sites(expressions, Expander(layered.places, lists=layered.lists))
    lowering = Lowering(sites)
    lowering.faults += layered.faults
    remarks = [*layered.remarks]

    def report(fault: Fault) -> None:
        if isinstance(fault, Echo):
            return
        if fault.diagnostic.severity == "error":
            lowering.report(fault)
        else:
            remarks.append(fault.diagnostic)

    arguments = Arguments(report, checked)
    for slot in (*layered.places.root.entries.values(), *layered.places.lets.values()):
        arguments.slot(slot)
    # What stood in a slot with a mistake is missing, and references to it are none.
    if any(layer.legacy for layer in request.layers) and not layered.faults:
        for fault in (*dangling(layered.places.root), *of_clara(layered.places.root)):
            lowering.report(fault)
    config = lowering.root(layered.places.root.entries)
    lets = _lets(layered, sites, lowering)
    requires, places = _requires(layered, sites, lowering, request)
    has_base = any(layer.legacy or layer.bundle for layer in request.layers)
    labels = metrics.log_labels(config) if has_base else []
    if labels:
        labels.append(metrics.TRAIN_LOSS)
    start = next((slot.span for slot in layered.places.root.entries.values()), NOWHERE)
    reader = StudyReader(layered, StudyValues(expressions, request.variables, request.resolve_target), start)
    known = {sites.labelled(param).label for param in sites.params.values()}
    study = reader.read(request.base_target, labels, metrics.key_objective(config), known, request.text_of)
    bundle = study.target if study.target is not None and study.target.name == "Bundle" else None
    if bundle is not None and any(not layer.bundle for layer in request.layers) and not layered.faults:
        entries = layered.places.root.entries
        for fault in dangling_ids(layered.places.root, ids_of(bundle.args, entries).values()):
            lowering.report(fault)
    faults = [*lowering.faults, *reader.faults]
    # What stood in a slot with a mistake is missing, and would only be complained about again.
    dead = [never_searched(id, sites.spans[id]) for id, param in sites.params.items() if is_dead(param)]
    diagnostics = tuple(_unique([*faults, *remarks, *sites.warnings, *dead]))
    if faults:
        return Elaborated(None, diagnostics)
    live = {id: sites.labelled(param) for id, param in sites.params.items() if not is_dead(param)}
    params = ordered(config, live, [*lets, *live])
    if len(params) > _MAX_PARAMS:
        limit = Diagnostic(
            "AM303", f"a program has at most {_MAX_PARAMS} parameters, not {len(params)}", sites.spans[params[-1].id]
        )
        return Elaborated(None, (*diagnostics, limit))
    program = ir.Program(
        study=study,
        params=params,
        config=config,
        requires=requires,
        variables=dict(request.variables),
        base_dir=request.base_dir,
        files=request.files,
    )
    diagnostics = (*diagnostics, *reader.remarks, *_not_run(program, reader, start), *_doubtful(program, reader, start))
    spans = {_reason(require): span for require, span in zip(requires, places, strict=True)}
    texts = [(f"`require {require.text}` has no value: ", span) for require, span in zip(requires, places, strict=True)]

    def place(reason: str) -> Span:
        return spans.get(reason) or next((span for text, span in texts if reason.startswith(text)), NOWHERE)

    found = feasibility.check(program, place, start)
    diagnostics = (*diagnostics, *found)
    if any(item.severity == "error" for item in found):
        return Elaborated(None, diagnostics)
    return Elaborated(msgspec.structs.replace(program, digest=digest(program)), diagnostics, reader.spans)


def is_checked(request: Request) -> bool:
    """Whether component names mean classes of MONAI and torch: with a base or target of either. Else they are the user's."""
    if request.base_target is not None or any(layer.legacy or layer.bundle for layer in request.layers):
        return True
    for layer in request.layers:
        for statement in layer.module.body:
            if isinstance(statement, ast.Section):
                for item in statement.body:
                    if isinstance(item, ast.Bind) and isinstance(item.given, ast.Call) and item.given.callee in ("Mmar", "Bundle"):
                        return True
    return False


def known_arguments(checked: bool) -> HasArgument:
    """Whether a class has an argument. Not `checked`: only a class that is named with its module is held to the table."""
    if checked:
        return signatures.has_argument
    return lambda cls, name: signatures.has_argument(cls, name) if signatures.is_qualified(cls) else None


def _lets(layered: Layered, sites: Sites, lowering: Lowering) -> list[ir.ParamId]:
    """The parameters of all top-level `let`s, read or not, in the order they are written."""
    out: list[ir.ParamId] = []
    for slot in layered.places.lets.values():
        for binding in slot.chain():
            if binding.site is None:
                continue
            try:
                if sites.alias(binding.site, binding) is None:
                    out.append(sites.param(binding.site).id)
                    if sites.is_structured(binding.site, binding.position):
                        lowering.slot(slot)
            except Fault as fault:
                lowering.report(fault)
    return list(dict.fromkeys(out))


def _requires(layered: Layered, sites: Sites, lowering: Lowering, request: Request) -> tuple[tuple[ir.Require, ...], list[Span]]:
    """All `require`s that say something, and where they are written."""
    out: list[ir.Require] = []
    places: list[Span] = []
    dimensions = Dimensions(layered.places)
    for placed in layered.requires:
        statement = placed.statement
        if not isinstance(statement, ast.Require):
            continue
        try:
            condition = sites.expressions.condition(statement.condition, placed.scope, None, Reading("require"))
            dimensions.of(statement.condition, placed.scope)
            if is_false(condition):
                raise Fault("AM122", "this never holds", statement.condition.span, help=statement.reason)
        except Fault as fault:
            lowering.report(fault)
            continue
        if not is_true(condition):
            out.append(ir.Require(condition, statement.reason, request.text_of(statement.condition.span)))
            places.append(statement.condition.span)
    return tuple(out), places


def _not_run(program: ir.Program, reader: StudyReader, start: Span) -> list[Diagnostic]:
    """What the engine does not carry out, as warnings: a start of the run makes errors of them."""
    return [
        Diagnostic("AM199", str(found), reader.spans.get(found.key, start), "a run refuses this", severity="warning")
        for found in unsupported(program)
    ]


def _doubtful(program: ir.Program, reader: StudyReader, start: Span) -> list[Diagnostic]:
    """What a run carries out and that does nothing."""
    return [
        Diagnostic("AM408", doubt.message, reader.spans.get(doubt.key, start), "", doubt.help, "warning")
        for doubt in doubts(program)
    ]


def _reason(require: ir.Require) -> str:
    """What `infeasible_because` says when it does not hold."""
    return require.reason or f"`require {require.text}` does not hold"


def _unique(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Each once; a loop, which every place in it finds, and a limit, which all that read the place meet, too."""
    loops: set[frozenset[str]] = set()
    limits: set[str] = set()
    out: list[Diagnostic] = []
    for found in dict.fromkeys(diagnostics):
        if found.code == "AM121":
            loop = frozenset(found.message.rpartition(": ")[2].split(" -> "))
            if loop in loops:
                continue
            loops.add(loop)
        if found.code in ("AM302", "AM304"):
            if found.message in limits:
                continue
            limits.add(found.message)
        out.append(found)
    return out
