"""The VS Code extension refers to what exists."""

from __future__ import annotations

import json
from pathlib import Path

EXTENSION = Path(__file__).resolve().parents[3] / "editors" / "vscode"


def test_the_extension_names_files_that_exist() -> None:
    package = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    given = package["contributes"]
    names = [
        package["main"],
        *(each["configuration"] for each in given["languages"]),
        *(each["path"] for each in given["grammars"]),
    ]
    assert [name for name in names if not (EXTENSION / name).is_file()] == []
    grammar = json.loads((EXTENSION / given["grammars"][0]["path"]).read_text(encoding="utf-8"))
    assert grammar["scopeName"] == given["grammars"][0]["scopeName"]
    json.loads((EXTENSION / given["languages"][0]["configuration"]).read_text(encoding="utf-8"))


def test_the_extension_starts_the_server() -> None:
    text = (EXTENSION / "extension.js").read_text(encoding="utf-8")
    assert 'args: ["lsp"]' in text
    package = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    assert package["contributes"]["configuration"]["properties"]["automl.command"]["default"] == "automl-run"
