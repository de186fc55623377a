"""A job's command as a file, `config/command.sh`, for a person who runs it again: it reports to nobody then."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

SCRIPT_NAME = "command.sh"


def write_script(
    path: Path, arguments: Sequence[str], folder: Path, own: Mapping[str, str | None], given: Mapping[str, str]
) -> None:
    """`own`: variables of the command's environment, None for one that is taken away. `given`: those of the job, which whoever
    runs the file may set otherwise: a new checkpoint folder begins from the start."""
    lines = ["#!/bin/sh", f"cd {shlex.quote(str(folder))} || exit"]
    lines += [f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}" for name, value in own.items()]
    lines += [f'[ -n "${name}" ] || {name}={shlex.quote(value)}; export {name}' for name, value in given.items()]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([*lines, f"exec {shlex.join(arguments)}", ""]), encoding="utf-8", errors="surrogatepass")
    path.chmod(0o755)
