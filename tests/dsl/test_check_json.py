"""The document of `automl-run check --json`."""

from __future__ import annotations

import json

import pytest

from automl_run.dsl.load import check_text
from automl_run.dsl.summary import check_document


def test_the_document() -> None:
    text = 'lr = 3e-4 ~ log 1e-4..1e-2\nn ~ 16..64 step *2\n(a, b) ~ (true, "p") | (false, "q") @net\n'
    checked = check_text(text)
    document = check_document(checked)
    assert document == {
        "ok": True,
        "digest": checked.unwrap().digest,
        "parameters": [
            {
                "id": "lr",
                "label": "lr",
                "kind": "float",
                "low": 1e-4,
                "high": 1e-2,
                "scale": "log",
                "step": None,
                "choices": None,
                "targets": ["lr"],
                "baseline": [3e-4],
            },
            {
                "id": "n",
                "label": "other",
                "kind": "int",
                "low": 16,
                "high": 64,
                "scale": "linear",
                "step": "*2",
                "choices": None,
                "targets": ["n"],
                "baseline": [32],
            },
            {
                "id": "(a,b)",
                "label": "net",
                "kind": "choice",
                "low": None,
                "high": None,
                "scale": None,
                "step": None,
                "choices": [[True, "p"], [False, "q"]],
                "targets": ["a", "b"],
                "baseline": [True, "p"],
            },
        ],
        "size": None,
        "diagnostics": [],
    }
    assert json.loads(json.dumps(document)) == document


def test_a_program_with_a_mistake() -> None:
    document = check_document(check_text("x = 1\ny = foo", name="a.automl"))
    assert document == {
        "ok": False,
        "digest": None,
        "parameters": [],
        "size": None,
        "diagnostics": [
            {
                "code": "AM101",
                "severity": "error",
                "message": "nothing is named `foo` here",
                "file": "a.automl",
                "line": 2,
                "column": 5,
            }
        ],
    }


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("x = 1", 1),
        ("x ~ 1..3\ny ~ 1 | 2", 6),
        ("x ~ 0.0..1.0 step 0.25", 5),
        ("x ~ 16..256 step *2", 5),
        ("x ~ 0.0..1.0", None),
        ("m ~ A(k ~ 1..3) | B()", 4),
        ("m ~ A(k ~ 1..3) | B()\nx ~ 1..2", 8),
        ("x ~ 1..3\ny ~ 1..3\nrequire x < y", 3),
        ("x ~ 1..1000\ny ~ 1..1000\nm ~ A(k ~ 1..3) | B()", 4_000_000),
    ],
)
def test_size(text: str, size: int | None) -> None:
    assert check_document(check_text(text))["size"] == size
