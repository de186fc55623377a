"""Random damage to programs: every question gets an answer, whatever is being typed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytest.importorskip("pygls", reason="the language server needs pygls (automl-run[lsp])")

from automl_run.dsl.language_server.analysis import Analyser
from automl_run.dsl.language_server.completion import complete
from automl_run.dsl.language_server.documents import Document
from automl_run.dsl.language_server.fixes import actions
from automl_run.dsl.language_server.formatting import format_edits
from automl_run.dsl.language_server.hover import hover
from automl_run.dsl.language_server.navigate import definition, symbols
from automl_run.dsl.language_server.publish import by_file
from automl_run.dsl.language_server.text import Lines

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
FILES = [
    EXAMPLES / "first_search" / "first.automl",
    EXAMPLES / "brain_tissue" / "brain_tissue.automl",
    EXAMPLES / "brain_tissue" / "config" / "config_train.json",
]
PIECES = [*'(){}[]~|=,."#@\n\r 🎉', "let ", "def ", "study {", "when ", 'use "', "train.", "\ufeff", "\ud83d", "is "]


def damaged(text: str, dice: random.Random) -> str:
    for _ in range(dice.randrange(1, 4)):
        at = dice.randrange(len(text) + 1)
        match dice.randrange(3):
            case 0:
                text = text[:at] + text[at + dice.randrange(1, 8) :]
            case 1:
                text = text[:at] + dice.choice(PIECES) + text[at:]
            case _:
                text = text[:at]
    return text


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_every_question_has_an_answer(file: Path) -> None:
    dice = random.Random(0)
    analyser = Analyser()
    original = file.read_text(encoding="utf-8")
    for version in range(40):
        text = damaged(original, dice)
        documents = {file: Document(file.as_uri(), file, version, text)}
        analysis = analyser.analyse(documents, file)
        if analysis is None:
            continue
        lines = Lines(text)
        by_file(analysis, documents, "utf-16")
        symbols(analysis, lines)
        actions(analysis, (0, len(text)), None, documents, "utf-16")
        for _ in range(5):
            offset = dice.randrange(len(lines.text) + 1)
            hover(analysis, offset)
            definition(analysis, offset)
            if not analysis.document.is_json:
                complete(analysis, lines, offset)
        if not analysis.document.is_json:
            format_edits(lines)
