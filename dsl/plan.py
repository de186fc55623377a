"""What a run would do, before it is started: the space as a tree, its size, how many jobs there are and what they cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from . import ir
from .controllers import CONTROLLERS, PRUNERS, defaults
from .diff import domain_text
from .elaborate.logic import conjuncts, reads
from .elaborate.support import unsupported
from .readiness import missing
from .spell import spell
from .summary import size


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter. `depth`: how many others it depends on, one below the other; `condition`: what it needs beyond its parent."""

    id: str
    domain: str
    baseline: str
    label: str
    depth: int
    parent: str | None
    condition: str | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """`jobs` None: nothing says how many. `wall_s` and `gpu_hours` None: nothing says how long a job takes.

    `at_most`: the figures are limits, not expectations.
    """

    jobs: int | None
    runs_per_job: int
    job_s: float | None
    wall_s: float | None
    gpu_hours: float | None
    at_most: bool


@dataclass(frozen=True, slots=True)
class Plan:
    rows: tuple[Row, ...]
    size: int | None
    requires: tuple[str, ...]
    objectives: tuple[str, ...]
    ensures: tuple[str, ...]
    controller: str
    pruner: str | None
    phases: tuple[str, ...]
    workers: tuple[str, ...]
    budget: dict[str, float]
    baseline: bool
    estimate: Estimate
    refused: tuple[str, ...]
    digest: str


def plan(program: ir.Program, job_s: float | None = None) -> Plan:
    """`job_s`: how long one job takes; None: at most the study's `job_time`."""
    study = program.study
    limits = msgspec.to_builtins(study.budget)
    return Plan(
        rows=_rows(program),
        size=size(program) if program.params else 1,
        requires=tuple(require.text or spell(require.condition, program) for require in program.requires),
        objectives=tuple(f"{objective.direction} {objective.metric}" for objective in study.objectives),
        ensures=tuple(ensure.text or spell(ensure.condition, program) for ensure in study.ensures),
        controller=_spec(study.controller),
        pruner=None if study.pruner is None else _spec(study.pruner),
        phases=tuple(_phase(phase) for phase in study.phases),
        workers=tuple(_worker(worker) for worker in study.workers),
        budget={key: value for key, value in limits.items() if value is not None},
        baseline=study.baseline,
        estimate=estimate(program, job_s),
        refused=(*missing(program), *(str(found) for found in unsupported(program))),
        digest=program.digest,
    )


# -- the space --------------------------------------------------------------------------------------------------------------------


def _rows(program: ir.Program) -> tuple[Row, ...]:
    """Depth first: a parameter stands below the last of those that its condition reads."""
    order = {param.id: number for number, param in enumerate(program.params)}
    below: dict[str | None, list[ir.Param]] = {}
    for param in program.params:
        parents = [id for id in reads(param.active) if id in order]
        below.setdefault(max(parents, key=order.__getitem__, default=None), []).append(param)
    out: list[Row] = []

    def visit(parent: str | None, depth: int) -> None:
        for param in below.get(parent, []):
            condition = _condition(program, param, parent)
            values = [spell(ir.Lit(value), program) for value in param.baseline]
            baseline = values[0] if len(values) == 1 else f"({', '.join(values)})"
            out.append(Row(param.id, domain_text(param.domain), baseline, param.label, depth, parent, condition))
            visit(param.id, depth + 1)

    visit(None, 0)
    return tuple(out)


def _condition(program: ir.Program, param: ir.Param, parent: str | None) -> str | None:
    if param.active is None:
        return None
    above = next((other.active for other in program.params if other.id == parent), None)
    known = () if above is None else conjuncts(above)
    parts = [spell(part, program) for part in conjuncts(param.active) if part not in known]
    return " and ".join(parts) or None


# -- the work ---------------------------------------------------------------------------------------------------------------------


def estimate(program: ir.Program, job_s: float | None = None) -> Estimate:
    """Jobs from the budget, else from the space where the controller goes through all of it; time from `job_s`."""
    study = program.study
    jobs = _jobs(program)
    runs = 1 if study.repeat is None else (study.repeat.folds or 1) * max(1, len(study.repeat.seeds))
    workers = max(1, len(study.workers))
    at_most = job_s is None
    each = study.budget.job_time_s if job_s is None else job_s
    limit, gpus = study.budget.time_s, sum(len(worker.gpus) for worker in study.workers)
    if study.budget.gpu_hours is not None and gpus:
        allowed = study.budget.gpu_hours * 3600 / gpus
        limit = allowed if limit is None else min(limit, allowed)
    if limit is not None and each and job_s is not None:
        possible = max(1, math.floor(limit / (each * runs))) * workers
        jobs = possible if jobs is None else min(jobs, possible)
    wall = None if each is None or jobs is None else math.ceil(jobs * runs / workers) * each
    if limit is not None:
        wall = limit if wall is None else min(wall, limit)
    hours = None if wall is None or not gpus else wall * gpus / 3600
    if hours is not None and each is not None and jobs is not None:
        hours = min(hours, jobs * runs * each * gpus / workers / 3600)
    return Estimate(jobs, runs, each, wall, hours, at_most)


def _jobs(program: ir.Program) -> int | None:
    study = program.study
    counts = [study.budget.trials]
    if study.phases and study.budget.trials is None:
        each = [phase.budget.trials for phase in study.phases]
        known = [count for count in each if count is not None]
        counts.append(sum(known) if len(known) == len(each) else None)
    if not program.params:
        counts.append(1)
    elif study.controller.name == "Grid" and "points" not in study.controller.args and not study.phases:
        points = size(program)
        # The baseline is a trial of its own; a grid that holds it goes over it once.
        counts.append(None if points is None else points + 1 if study.baseline else points)
    found = [count for count in counts if count is not None]
    return min(found) if found else None


# -- texts ------------------------------------------------------------------------------------------------------------------------


def _spec(spec: ir.Spec) -> str:
    args = {**defaults({**CONTROLLERS, **PRUNERS}, spec.name), **spec.args}
    return f"{spec.name}({', '.join(f'{key} = {value}' for key, value in args.items())})"


def _phase(phase: ir.Phase) -> str:
    parts = [_spec(phase.controller)] if phase.controller is not None else []
    if phase.budget.trials is not None:
        parts.append(f"{phase.budget.trials} trials")
    if phase.budget.time_s is not None:
        parts.append(duration(phase.budget.time_s))
    if phase.search is not None:
        parts.append(f"searches {', '.join(phase.search)}")
    if phase.warm_start:
        parts.append(f"starts from the best {phase.warm_start}")
    return f"{phase.name}: {', '.join(parts)}" if parts else phase.name


def _worker(worker: ir.Worker) -> str:
    if worker.gpus:
        return f"GPU {', '.join(map(str, worker.gpus))}"
    return f"CPU, {worker.threads} thread{'s' if worker.threads > 1 else ''}"


def duration(seconds: float) -> str:
    """`1 d 2 h`, `5 min`, `30 s`: the two largest units."""
    parts: list[str] = []
    rest = round(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or f"{seconds:g} s"


def render(found: Plan) -> str:
    """The plan for people."""
    lines: list[str] = []
    if found.rows:
        width = max(2 * row.depth + len(row.id) for row in found.rows)
        for row in found.rows:
            name = "  " * row.depth + row.id
            when = f"  when {row.condition}" if row.condition else ""
            lines.append(f"{name:<{width}}  {row.domain}  (baseline {row.baseline})  @{row.label}{when}")
    else:
        lines.append("nothing is searched")
    lines.append("")
    count = "infinite, or not counted" if found.size is None else f"{found.size} points"
    facts = [
        ("space", f"{len(found.rows)} parameters, {count}"),
        *(("require", text) for text in found.requires),
        ("objective", ", ".join(found.objectives) or "none"),
        *(("ensure", text) for text in found.ensures),
        ("controller", found.controller),
        *((("pruner", found.pruner),) if found.pruner is not None else ()),
        *(("phase", text) for text in found.phases),
        ("workers", "; ".join(found.workers) or "one, with all GPUs or all CPUs"),
        ("budget", ", ".join(_limit(key, value) for key, value in found.budget.items()) or "none"),
        ("jobs", _job_count(found)),
        ("cost", _cost(found.estimate)),
        *(("refused", text) for text in found.refused),
        ("digest", found.digest[:16]),
    ]
    lines += [f"{name:<10} {text}" for name, text in facts]
    return "\n".join(lines)


def _limit(key: str, value: float) -> str:
    if key in ("time_s", "job_time_s"):
        return f"{key.removesuffix('_s')} = {duration(value)}"
    return f"{key} = {value:g}"


def _job_count(found: Plan) -> str:
    estimate = found.estimate
    text = "not known beforehand" if estimate.jobs is None else f"at most {estimate.jobs}"
    if found.baseline:
        text += ", the baseline first"
    return text if estimate.runs_per_job == 1 else f"{text}, each {estimate.runs_per_job} times"


def _cost(found: Estimate) -> str:
    if found.wall_s is None:
        return "not known: say how long a job takes with --job-time 10min"
    hours = "" if found.gpu_hours is None else f", {found.gpu_hours:.3g} GPU hours"
    return f"{'at most' if found.at_most else 'about'} {duration(found.wall_s)}{hours}"


__all__ = ["Estimate", "Plan", "Row", "duration", "estimate", "plan", "render"]
