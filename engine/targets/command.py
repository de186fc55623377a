"""`Command("python train.py --lr {lr}")`: a command line that trains, in whatever language.

It finds the whole configuration in AUTOML_PARAMS (JSON), its folders in AUTOML_JOB_DIR and AUTOML_CHECKPOINT_DIR and its seed in
AUTOML_SEED. It prints `automl: step=3 dice=0.81` to report, and `automl: dice=0.83` for its final values.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.evaluate import Resolved, to_plain
from automl_run.dsl.ir import Value
from automl_run.errors import InputError

from .base import Job, Result
from .conversation import Conversation

#: Linux allows 128 KiB for one variable of the environment.
_MAX_VARIABLE: Final = 120_000
_PLACEHOLDER = re.compile(r"\{([^\W\d]\w*(?:\[\d+\])*(?:\.(?:\w+)(?:\[\d+\])*)*)\}")


class CommandTarget:
    """Runs the command with `sh -c` in `base_dir`; `{a.b}` and `{a[0]}` are paths of the configuration, quoted for the shell.

    Braces that hold no path, as in `${HOME}` or `{1..3}`, are the shell's.
    """

    config_name = "params.json"

    def __init__(self, command: str, base_dir: Path) -> None:
        self.command = command
        self.base_dir = base_dir

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The paths that the command names, in order."""
        return tuple(match[1] for match in self._matches())

    def _matches(self) -> Iterator[re.Match[str]]:
        return (match for match in _PLACEHOLDER.finditer(self.command) if self.command[: match.start()][-1:] != "$")

    def check(self) -> None:
        if not self.base_dir.is_dir():
            raise InputError(f"Command: the folder {self.base_dir} does not exist")

    def render(self, config: dict[str, Resolved]) -> dict[str, Value]:
        """InputError when the command names a path that `config` lacks."""
        rendered = {key: to_plain(value) for key, value in config.items()}
        self.line(rendered)
        return rendered

    def line(self, config: Mapping[str, Value]) -> str:
        """The command for this rendered configuration. InputError for a path that it lacks."""
        out, position = "", 0
        for match in self._matches():
            out += self.command[position : match.start()] + shlex.quote(_text(_lookup(config, match[1])))
            position = match.end()
        return out + self.command[position:]

    def run(self, job: Job) -> Result:
        environment = dict(os.environ)
        environment |= {
            "AUTOML_JOB_DIR": str(job.dir),
            "AUTOML_CHECKPOINT_DIR": str(job.report.checkpoint_dir),
            "AUTOML_SEED": str(job.seed),
        }
        params = json.dumps(job.config)
        if len(params) <= _MAX_VARIABLE:
            environment["AUTOML_PARAMS"] = params
        else:
            print(f"automl-run: AUTOML_PARAMS would be too long; it is in {job.dir / 'config' / self.config_name}", flush=True)
        process = subprocess.Popen(
            ["/bin/sh", "-c", self.line(job.config)],
            cwd=self.base_dir,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        return Conversation(process, job.report).run()


def _lookup(config: Mapping[str, Value], path: str) -> Value:
    value: Value = dict(config)
    walked = ""
    for part in re.findall(r"\w+|\[\d+\]", path):
        if part.startswith("["):
            index = int(part[1:-1])
            if not isinstance(value, list) or index >= len(value):
                raise InputError(f"Command: `{{{path}}}` has no value: `{walked}` is no list with an item {index}")
            value = value[index]
            walked += part
        else:
            if not isinstance(value, dict) or part not in value:
                names = list(value) if isinstance(value, dict) else []
                place, help = f" in `{walked}`" if walked else "", did_you_mean(part, names)
                raise InputError(f"Command: `{{{path}}}` has no value: there is no `{part}`{place}" + (f"; {help}" if help else ""))
            value = value[part]
            walked += f".{part}" if walked else part
    return value


def _text(value: Value) -> str:
    """As a command line has it: a text bare, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
