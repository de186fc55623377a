"""A command's text with the values of one job in it, as the shell or the program shall see it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automl_run.dsl.command_template import Place, parts
from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.ir import Value
from automl_run.errors import InputError

from .shell_text import ShellText


class Absent(InputError):
    """A place has no value in this job."""


@dataclass(frozen=True, slots=True)
class Filling:
    """`config`: the job's configuration. `provided`: what else a command may name, such as `job_dir`; its keys go after those."""

    config: Mapping[str, Value]
    provided: Mapping[str, str]

    def shell(self, template: str) -> str:
        """For `bash -c`: each value is one word, also inside quotes. InputError for a place without a value."""
        line = ShellText()
        for part in parts(template):
            if isinstance(part, str):
                line.add(part)
            else:
                line.add_words(self._words(part))
        return line.text

    def words(self, template: Sequence[str]) -> list[str]:
        """Arguments of a program, without a shell between; a flag that is an argument by itself may become none or several."""
        out: list[str] = []
        for item in template:
            found = list(parts(item))
            if len(found) == 1 and isinstance(found[0], Place):
                out += self._words(found[0])
            else:
                out.append(self.text(item))
        return out

    def text(self, template: str) -> str:
        """One text, such as a path or a variable of the environment."""
        return "".join(part if isinstance(part, str) else " ".join(self._words(part)) for part in parts(template))

    def _words(self, place: Place) -> list[str]:
        try:
            value = self._value(place.path)
        except Absent:
            if place.kind == "value":
                raise
            return []
        match place.kind:
            case "value":
                return [text_of(value)]
            case "assign":
                return [place.flag + text_of(value)]
            case "flag" if value is None or value is False:
                return []
            case "flag" if value is True:
                return [place.flag]
            case _:
                return [place.flag, *(text_of(item) for item in (value if isinstance(value, list) else [value]))]

    def _value(self, path: str) -> Value:
        if path in self.provided and path not in self.config:
            return self.provided[path]
        return lookup(self.config, path)


def lookup(config: Mapping[str, Value], path: str) -> Value:
    """Absent where `path` leads nowhere in `config`."""
    value: Value = dict(config)
    walked = ""
    for part in re.findall(r"\w+|\[\d+\]", path):
        if part.startswith("["):
            index = int(part[1:-1])
            if not isinstance(value, list) or index >= len(value):
                raise Absent(f"Command: `{{{path}}}` has no value: `{walked}` is no list with an item {index}")
            value = value[index]
            walked += part
        else:
            if not isinstance(value, dict) or part not in value:
                names = list(value) if isinstance(value, dict) else []
                place, help = f" in `{walked}`" if walked else "", did_you_mean(part, names)
                raise Absent(f"Command: `{{{path}}}` has no value: there is no `{part}`{place}" + (f"; {help}" if help else ""))
            value = value[part]
            walked += f".{part}" if walked else part
    return value


def text_of(value: Value) -> str:
    """As a command line has it: a text bare, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
