"""What a resume may change of a program: its workers, and its budget to a larger one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from automl_run.dsl.diff import diff, render
from automl_run.dsl.ir import Budget, Program
from automl_run.dsl.load import parse
from automl_run.errors import InputError, ProgramError

#: as the language writes a budget -> as a Budget names it
_PARTS: Final = {
    "trials": "trials", "time": "time_s", "job_time": "job_time_s", "gpu_hours": "gpu_hours", "target": "target",
    "patience": "patience",
}  # fmt: skip


def with_budget(program: Program, budget: Budget) -> Program:
    replace = msgspec.structs.replace
    return replace(program, study=replace(program.study, budget=budget))


def budget_from(program: Program, pairs: Mapping[str, str]) -> Budget:
    """The budget of `program` with `{"study.budget.time": "12h"}` set; `none` is no limit. InputError for anything else."""
    budget = program.study.budget
    for key, text in pairs.items():
        part = key.removeprefix("study.").removeprefix("budget.")
        if key not in (f"study.budget.{part}", f"budget.{part}") or part not in _PARTS:
            parts = ", ".join(_PARTS)
            raise InputError(
                f"a resume can change the budget only (`study.budget.` and {parts}), not `{key}`: all else is part of the study"
            )
        value = None if text.strip() == "none" else getattr(_parsed(part, text), _PARTS[part])
        budget = msgspec.structs.replace(budget, **{_PARTS[part]: value})
    return budget


def _parsed(part: str, text: str) -> Budget:
    if any(sign in text for sign in "\n#{}"):
        raise InputError(f"`budget.{part}={text}` is not one value")
    try:
        return parse(
            f'automl 1\nstudy "budget" {{\n  maximize score\n  budget {{ {part} = {text} }}\n}}\nx ~ 0.0..1.0\n'
        ).study.budget
    except ProgramError as error:
        said = "; ".join(found.message for found in error.diagnostics)
        raise InputError(f"`budget.{part}={text}`: {said}") from error


def refuse_smaller(program: Program, budget: Budget, trials: int = 0, seconds: float = 0.0, gpu_hours: float = 0.0) -> None:
    """InputError when a part of `budget` allows less than that of `program`.

    A limit where there was none is allowed: it is for what is to come, so it may not be less than the `trials`, `seconds` and
    `gpu_hours` that the run has had.
    """
    before, minimize = program.study.budget, bool(program.study.objectives) and program.study.objectives[0].direction == "minimize"
    for part, name in _PARTS.items():
        old, new = getattr(before, name), getattr(budget, name)
        if new is None or new == old:
            continue
        if old is None:
            had = {"trials": trials, "time": seconds, "gpu_hours": gpu_hours}.get(part)
            if had is not None and new < had:
                raise InputError(f"`{part}` cannot be {new:g}: the run, which had no such limit, is past it ({had:g})")
        elif new > old if part == "target" and minimize else new < old:
            raise InputError(f"a resume can enlarge the budget only: `{part}` was {old:g}, not {new:g}")


def refuse_other(stored: Program, program: Program, folder: object) -> None:
    """InputError, with what differs, unless `program` is the stored one but for its workers, its budget, its name and its place."""
    free = {name: getattr(stored.study, name) for name in ("workers", "budget", "name", "out")}
    same = msgspec.structs.replace(program, study=msgspec.structs.replace(program.study, **free))
    found = diff(stored, same)
    if found or program.digest != stored.digest:
        digests = f": its digest is {program.digest}, the run's {stored.digest}" if program.digest != stored.digest else ""
        raise InputError(
            f"this program is not the one of {folder}{digests}\n{render(found)}\n"
            "a resume may change the workers and enlarge the budget; for all else start a new run"
        )
