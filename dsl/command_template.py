"""The text of a command and the places in it: `python train.py --lr {lr} {--amp} {model.depth=}`.

`{a.b[0]}` is the value of that path. `{--learning-rate}` is a flag with it, `{--wd=optimizer.weight_decay}` one for another path,
and `{model.lr=}` the assignment `model.lr=0.001`; these two are left out where the path has no value in a trial, and a flag also
for `false`. `{{lr}}` is the text `{lr}`. All other braces are the shell's, and so is what follows a `$`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["value", "flag", "assign"]

#: What a command may name beside the configuration; a key of its own with such a name goes first.
PROVIDED: Final = ("python", "program_dir", "job_dir", "checkpoint_dir", "config_json", "config_yaml", "seed", "fold", "folds")

_PATH = r"[^\W\d]\w*(?:\[\d+\])*(?:\.\w+(?:\[\d+\])*)*"
_PLACE: Final = re.compile(
    rf"\{{(?:(?P<escaped>\{{(?:--?)?[^\W\d][\w.\[\]=-]*\}})"
    rf"|(?P<flag>--?[^\W\d][\w.-]*)(?:=(?P<of>{_PATH}))?"
    rf"|(?P<path>{_PATH})(?P<assign>=)?)\}}"
)
_FLAG_PATH: Final = re.compile(_PATH)


@dataclass(frozen=True, slots=True)
class Place:
    """`path`: what it names. `flag`: the text before the value: `--lr`, or `model.lr=`; "" for a bare value."""

    kind: Kind
    path: str
    flag: str = ""

    @property
    def first(self) -> str:
        """The key of the configuration that it begins with."""
        return re.split(r"[.\[]", self.path, maxsplit=1)[0]


def parts(template: str) -> Iterator[str | Place]:
    """`template` as the texts and places that it consists of, in order."""
    at = 0
    for match in _PLACE.finditer(template):
        place = None if template[: match.start()].endswith("$") else _place(match)
        if place is None:
            continue
        if match.start() > at:
            yield template[at : match.start()]
        yield place
        at = match.end()
    if at < len(template):
        yield template[at:]


def places(template: str) -> list[Place]:
    return [part for part in parts(template) if isinstance(part, Place)]


def _place(match: re.Match[str]) -> str | Place | None:
    if (escaped := match["escaped"]) is not None:
        return escaped
    if (flag := match["flag"]) is not None:
        path = match["of"] or flag.lstrip("-").replace("-", "_")
        return Place("flag", path, flag) if _FLAG_PATH.fullmatch(path) else None
    path = match["path"]
    return Place("assign", path, f"{path}=") if match["assign"] else Place("value", path)
