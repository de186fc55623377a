"""Makes the TextMate grammar, which VS Code, Zed, Sublime Text and GitHub colour programs with.

    python -m automl_run.dsl.highlight_textmate editors/automl.tmLanguage.json

Run it after a change of the grammar's terminals; a test says when.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from .highlight import Kind, rules

_SCOPES: dict[Kind, str] = {
    "comment": "comment.line.number-sign",
    "string": "string.quoted.double",
    "open_string": "invalid.illegal.unclosed-string",
    "quantity": "constant.numeric.quantity",
    "float": "constant.numeric.float",
    "integer": "constant.numeric.integer",
    "statement": "keyword.control",
    "word": "keyword.operator.word",
    "constant": "constant.language",
    "attribute": "entity.other.attribute-name",
    "component": "entity.name.type",
    "function": "entity.name.function",
    "name": "variable.other",
    "operator": "keyword.operator",
    "bracket": "punctuation.section",
    "punctuation": "punctuation.separator",
}
_IN_STRINGS = [
    {"name": "constant.character.escape.automl", "match": r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'},
    {"name": "variable.other.placeholder.automl", "match": r"\{[A-Za-z_][A-Za-z0-9_]*\}"},
]


def textmate() -> str:
    """The grammar as JSON text."""
    patterns: list[dict[str, object]] = []
    for kind, pattern in rules():
        entry: dict[str, object] = {"name": f"{_SCOPES[kind]}.automl", "match": pattern}
        if kind == "string":
            entry["captures"] = {"0": {"patterns": _IN_STRINGS}}
        patterns.append(entry)
    document = {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": "automl-run",
        "scopeName": "source.automl",
        "fileTypes": ["automl"],
        "patterns": patterns,
    }
    return json.dumps(document, indent=2) + "\n"


def main(argv: Sequence[str]) -> int:
    if len(argv) != 1:
        print("usage: python -m automl_run.dsl.highlight_textmate FILE", file=sys.stderr)
        return 2
    Path(argv[0]).write_text(textmate(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
