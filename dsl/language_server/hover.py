"""What is known of the thing under the cursor, as Markdown."""

from __future__ import annotations

from pathlib import Path

from .. import ast, ir, signatures
from ..elaborate.tree import Comp, Slot
from ..operations import FUNCTIONS
from ..source import Span
from . import study_table
from .analysis import Analysis, components, sites
from .describe import baseline_text, condition_text, domain_text, size_text
from .locate import CalleeSpot, DefSpot, MetricSpot, NameSpot, OwnSpot, PathSpot, StudySpot, UseSpot, resolve, spot_at

_MOST_ARGUMENTS = 40
_FUNCTIONS = {
    "abs": "abs(x)",
    "min": "min(a, b, …)",
    "max": "max(a, b, …)",
    "sum": "sum(list), true counts 1",
    "len": "len(list)",
    "floor": "floor(x)",
    "ceil": "ceil(x)",
    "round": "round(x)",
    "sqrt": "sqrt(x)",
    "log2": "log2(x)",
    "int": "int(x), true is 1",
    "float": "float(x)",
}


def hover(analysis: Analysis, offset: int) -> tuple[str, Span] | None:
    """The text and what it is about; None where there is nothing to say."""
    spot = spot_at(analysis.module, offset)
    if spot is None:
        return None
    text = ""
    match spot:
        case StudySpot(key=key):
            text = _study(key)
        case MetricSpot(name=name):
            text = f"metric `{name}`: {study_table.METRICS.get(name, 'what the job reports under this name')}"
        case UseSpot(path=path):
            text = _use(analysis, path)
        case CalleeSpot(call=call):
            text = _callee(analysis, call)
        case DefSpot(name=name):
            text = _def(analysis, name)
        case NameSpot(expr=ast.Name(name)) if name in analysis.places.defs:
            text = _def(analysis, name)
        case PathSpot() | NameSpot() | OwnSpot():
            slot = resolve(analysis, spot)
            if slot is not None:
                text = _slot(analysis, slot)
            elif isinstance(spot, OwnSpot) and spot.call is not None:
                text = _argument(spot.call.callee, spot.name)
    return (text, spot.span) if text else None


# -- places -----------------------------------------------------------------------------------------------------------------------


def _slot(analysis: Analysis, slot: Slot) -> str:
    parts = [_parameter(analysis, param) for param in analysis.params(slot)]
    if not parts:
        parts.append(_fixed(analysis, slot))
    found = components(analysis.trees(slot))
    parts += [_signature(comp.cls) for comp in dict.fromkeys(found[:3])]
    owner = slot.parent.component if slot.parent is not None else None
    if owner is not None and not slot.is_let and not slot.name.startswith("@"):
        parts.append(_argument(owner.cls, slot.name))
    return "\n\n".join(part for part in parts if part)


def _parameter(analysis: Analysis, param: ir.Param) -> str:
    program = analysis.checked.program
    lines = [
        f"**{_code(param.id)}** ~ {_code(domain_text(param.domain))}",
        f"- size: {size_text(param.domain)}",
        f"- baseline: {_code(baseline_text(param.baseline))}",
        f"- label: {_code(param.label)}" if param.label else "",
        f"- sets: {', '.join(_code(target) for target in param.targets)}",
    ]
    if param.active is not None and program is not None:
        lines.append(f"- active when {_code(condition_text(param.active, program.params))}")
    if param.doc:
        lines.append(f"\n{param.doc}")
    return "\n".join(line for line in lines if line)


def _fixed(analysis: Analysis, slot: Slot) -> str:
    binding = slot.binding
    name = slot.path or slot.name
    if binding is None:
        return f"**{_code(name)}** has no value yet"
    where = _where(analysis, binding.span)
    searched = sites(slot)
    if searched:
        return f"**{_code(name)}** ~ {_code(analysis.text_of(searched[0].domain.span))}{where}"
    if isinstance(binding.value, Comp):
        return f"**{_code(name)}** is {_code(binding.value.cls)}{where}"
    span = getattr(getattr(binding.value, "expr", binding.value), "span", binding.span)
    return f"**{_code(name)}** = {_code(analysis.text_of(span))}{where}"


def _where(analysis: Analysis, span: Span) -> str:
    source = analysis.checked.sources.get(span.file)
    return f" ({Path(span.file).name}:{source.position(span.start)[0]})" if source is not None else ""


def _code(text: str) -> str:
    line = " ".join(text.split())
    return f"`{line if len(line) <= 200 else line[:199] + '…'}`" if line else ""


# -- classes, functions, defs -----------------------------------------------------------------------------------------------------


def _callee(analysis: Analysis, call: ast.Call) -> str:
    name = call.callee
    if name in analysis.places.defs:
        return _def(analysis, name)
    if name in _FUNCTIONS and name in FUNCTIONS:
        return f"```\n{_FUNCTIONS[name]}\n```\nbuilt-in function"
    specs = [value for key in ("controller", "pruner", "target") for value in study_table.KEYS[key].values]
    spec = next((value for value in specs if value.partition("(")[0] == name), None)
    return _signature(name) or (f"```\n{spec}\n```" if spec is not None else f"{_code(name)}: not in the table of known classes")


def _signature(cls: str) -> str:
    found = signatures.signatures(cls)
    if not found:
        return ""
    out: list[str] = []
    for signature in found[:3]:
        shown = [
            f"{parameter.name}{': ' + ' | '.join(parameter.kinds) if parameter.kinds else ''}{'' if parameter.required else ' = …'}"
            for parameter in signature.parameters[:_MOST_ARGUMENTS]
        ]
        if signature.open or len(signature.parameters) > _MOST_ARGUMENTS:
            shown.append("…")
        name = cls.rpartition(".")[2]
        one_line = f"{name}({', '.join(shown)})"
        text = one_line if len(one_line) <= 90 else f"{name}(\n" + "".join(f"  {each},\n" for each in shown) + ")"
        modules = ", ".join(_code(module) for module in signature.modules if module)
        out.append(f"```\n{text}\n```" + (f"\nin {modules}" if modules else ""))
    return "\n\n".join(out)


def _argument(cls: str, name: str) -> str:
    for signature in signatures.signatures(cls):
        for parameter in signature.parameters:
            if parameter.name == name:
                kinds = f": {' or '.join(parameter.kinds)}" if parameter.kinds else ""
                return f"argument {_code(name + kinds)} of {_code(cls)}{', required' if parameter.required else ''}"
    return ""


def _def(analysis: Analysis, name: str) -> str:
    found = analysis.places.defs.get(name)
    return f"```\n{analysis.text_of(found[0].span)}\n```{_where(analysis, found[0].span)}" if found is not None else ""


# -- the rest ---------------------------------------------------------------------------------------------------------------------


def _study(key: str) -> str:
    if key == "study":
        return "the study: what runs, what counts, and for how long"
    line = study_table.line_of(key)
    return f"**`{key}`**: {line.value}\n\ndefault: {line.default}" if line is not None else ""


def _use(analysis: Analysis, path: str) -> str:
    target = (analysis.document.path.parent / path).resolve()
    source = next((source for name, source in analysis.checked.sources.items() if Path(name).resolve() == target), None)
    if source is None:
        return f"{_code(str(target))}: not read"
    layer = next((layer for layer in analysis.checked.layers if layer.module.file == source.name), None)
    kind = "program"
    if layer is not None and (layer.legacy or layer.bundle):
        kind = "Clara training configuration" if layer.legacy else "MONAI bundle"
    return f"{kind} {_code(str(target))}, {source.text.count(chr(10)) + 1} lines"
