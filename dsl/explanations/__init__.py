"""A page for every code: what it means, a wrong example, the right one. The pages are the Markdown files beside this one.

A page begins with `## AM105 Title`. The second word of a fence says what its text is: `wrong`, `right`, or the name of a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

_HEAD = re.compile(r"^## (AM[0-9]{3}) (.+)$", re.M)
_FENCE = re.compile(r"^```(\w+) (\S+)\n(.*?)^```\n?", re.M | re.S)
_INTRODUCED = {"wrong": "Wrong:", "right": "Right:"}


@dataclass(frozen=True, slots=True)
class Example:
    """`language`: automl, json, console, or text for one that is too long to be shown."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """`files`: what stands beside the examples, by name."""

    code: str
    title: str
    body: str
    wrong: Example
    right: Example
    files: Mapping[str, str]

    def rendered(self) -> str:
        """The page as plain text."""
        out = [f"{self.code}: {self.title}", "", *self.body.splitlines()]
        for name, text in self.files.items():
            out += ["", f"Given {name}:", "", *_indented(text)]
        for name, example in (("wrong", self.wrong), ("right", self.right)):
            out += ["", _INTRODUCED[name], "", *_indented(example.text)]
        return "\n".join(out)


def page(code: str) -> Page | None:
    """The page of `code`, in either case; None if there is none."""
    return pages().get(code.upper())


@cache
def pages() -> Mapping[str, Page]:
    """All pages by code, in order."""
    found: dict[str, Page] = {}
    for file in resources.files(__name__).iterdir():
        if file.name.endswith(".md"):
            _, *parts = _HEAD.split(file.read_text(encoding="utf-8"))
            for code, title, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
                found[code] = _page(code, title, text)
    return dict(sorted(found.items()))


def _page(code: str, title: str, text: str) -> Page:
    fences = {name: Example(language, body.rstrip("\n")) for language, name, body in _FENCE.findall(text)}
    files = {name: example.text for name, example in fences.items() if name not in _INTRODUCED}
    return Page(code, title, _FENCE.sub("", text).strip(), fences["wrong"], fences["right"], files)


def _indented(text: str) -> list[str]:
    return [f"    {line}".rstrip() for line in text.splitlines()]
