"""The search space that an executor of the user's determines, for a configuration that searches nothing."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from automl_run.dsl import ir
from automl_run.dsl.digest import digest
from automl_run.dsl.ir import Program, Value
from automl_run.errors import InputError

from . import messages as m
from .loading import check, code_folders, own
from .locators import Locators
from .process import HostProcess, converse
from .session import CALL_LIMIT_S

_LOCATOR = re.compile(r"(\w+)\.(?:enum|float)\.(.*)\$\d+:(.+)")


def with_own_space(program: Program, allowed: Iterable[str] = ()) -> Program:
    """`program`, which searches what its executor says; itself without an own executor, or where that says the same.

    Calls the executor's `determine_search_space` in a process of its own. InputError when that fails, and when both the
    configuration and the executor say what is searched, and not the same.
    """
    executor = own(program.study.executor)
    if executor is None:
        return program
    folders = code_folders(program)
    check(executor, "executor", folders, allowed)
    said = Locators(program).choices()
    found = _determined(program, executor, folders, said)
    if found is None or found == said:
        return program
    if said:
        other = sorted(name for name in {*said, *found} if said.get(name) != found.get(name))
        raise InputError(
            f"executor `{executor.path}` determines another search space than the configuration has: they differ in `{other[0]}`; "
            "remove what is searched from the configuration, or return `ctx.get_prop(ContextKey.SEARCH_SPACE)`"
        )
    try:
        params = tuple(_param(name, choices) for name, choices in found.items())
    except ValueError as error:
        raise InputError(f"{executor.path}.determine_search_space: {error}") from None
    searched = msgspec.structs.replace(program, params=params)
    return msgspec.structs.replace(searched, digest=digest(searched))


def _determined(
    program: Program, executor: m.Part, folders: tuple[str, ...], said: dict[str, list[list[Value]] | m.Range]
) -> dict[str, list[list[Value]] | m.Range] | None:
    with tempfile.TemporaryFile() as output:
        try:
            host = HostProcess(Path(program.base_dir), output)
        except OSError as error:
            raise InputError(f"the process of user code cannot be started: {error}") from error
        try:
            limit_s = program.study.stall_time_s or CALL_LIMIT_S
            heard = converse(host, m.Determine(folders, executor, said), output, limit_s, time.monotonic)
        finally:
            host.kill()
    return next((each.choices for each in heard if isinstance(each, m.Determined)), None)


def _param(name: str, choices: list[list[Value]] | m.Range) -> ir.Param:
    """Called as the executor calls it. It sets nothing in the configuration, and has no baseline."""
    match = _LOCATOR.fullmatch(name)
    label, path, args = match.groups() if match is not None else ("", "", name)
    count = 1 if isinstance(choices, m.Range) else len(choices[0])
    names = args.split(",")
    if not isinstance(choices, m.Range) and len(names) != count:
        names = [args] if count == 1 else [f"{args}[{index}]" for index in range(count)]
    targets = tuple(f"{path}.{each}" if path else each for each in names)
    nothing: tuple[Value, ...] = (None,) * len(targets)
    if isinstance(choices, m.Range):
        if not choices.lo < choices.hi:
            raise ValueError(f"`{name}` has no range: {choices.lo:g} to {choices.hi:g}")
        return ir.Param(name, ir.Real(choices.lo, choices.hi), targets, nothing, label=label, doc=name)
    alternatives = tuple(ir.Alt(str(choice[0]) if count == 1 else str(choice), tuple(choice)) for choice in choices)
    return ir.Param(name, ir.Choice(alternatives), targets, nothing, label=label, doc=name)
