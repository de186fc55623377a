"""`automl-run check FILE`: the parameters of a program, or its mistakes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from automl_run.cli.options import Parser, is_legacy
from automl_run.cli.output import put, put_json
from automl_run.cli.read import add_source, program_of, read
from automl_run.dsl.diagnostics import Diagnostic
from automl_run.dsl.ir import Choice, Param, Program
from automl_run.dsl.readiness import remarks
from automl_run.dsl.summary import check_document


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="automl-run check", description=__doc__)
    add_source(parser, legacy=is_legacy(argv))
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    args = parser.parse_args(argv)
    checked, _ = read(args)
    checked = replace(checked, diagnostics=(*checked.diagnostics, *remarks(checked)))
    if args.json:
        put_json(check_document(checked))
        return 0 if checked.program is not None else 2
    program = program_of(checked)
    put(describe(program, checked.diagnostics))
    return 0


def describe(program: Program, diagnostics: Sequence[Diagnostic] = ()) -> str:
    """What was found in one line, then one per parameter: id, domain, baseline."""
    counts = Counter(found.severity for found in diagnostics)
    remarks = "".join(f", {counts[kind]} {kind}{'s' * (counts[kind] > 1)}" for kind in ("warning", "note") if counts[kind])
    end = f"(digest {program.digest[:16]}){remarks}"
    if not program.params:
        return f"ok: nothing is searched in this file {end}"
    width = max(len(param.id) for param in program.params)
    lines = [f"{param.id:<{width}}  {_domain(param)}" for param in program.params]
    return "\n".join([f"ok: {len(program.params)} parameters {end}", *lines])


def _domain(param: Param) -> str:
    domain = param.domain
    baseline = ", ".join(json.dumps(value) for value in param.baseline[:1] if len(param.baseline) == 1) or json.dumps(
        list(param.baseline)
    )
    if isinstance(domain, Choice):
        text = " | ".join(alternative.label for alternative in domain.alts)
    else:
        text = f"{'log ' if domain.scale == 'log' else ''}{domain.lo}..{domain.hi}"
        if domain.step is not None:
            text += f" step {'*' if domain.step.kind == 'mul' else ''}{domain.step.size:g}"
    label = f"  @{param.label}" if param.label else ""
    return f"{text}  (baseline {baseline}){label}"
