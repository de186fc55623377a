"""Which line ends end a statement."""

import pytest

from automl_run.dsl.parser import parse_module
from automl_run.dsl.source import Source


def count(text: str) -> int:
    module, diagnostics = parse_module(Source("a", text), require_edition=False)
    assert not diagnostics, diagnostics
    return len(module.body)


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("a = 1\nb = 2", 2),
        ("a = 1\n\n\n# comment\n\nb = 2\n\n", 2),
        ("a = 1, b = 2", 2),
        ("a = 1,\nb = 2,", 2),
        ("a = [1,\n2]\nb = 3", 2),
        ("a = C(\nk = 1\n)\nb = 3", 2),
        ('a = {\n"k": 1,\n}\nb = 3', 2),
        ("a = 1 +\n2\nb = 3", 2),
        ("a =\n\n# far away\n3\nb = 3", 2),
        ("a ~\n1 |\n2\nb = 3", 2),
        ("a ~ 1\n| 2\n\n# three\n| 3\nb = 3", 2),
        ("a\n~ 1..2\nwhen c\nand d\nor e\nb = 3", 2),
        ("a = 1\nif c\nelse 2\nb = 3", 2),
        ("orange = 1\nandy = 2\nwhenever = 3\niffy = 4\nelsewhere = 5", 5),
        ("s { a = 1 }\nb = 3", 2),
        ("s {\na = 1, c = 2\n}\nb = 3", 2),
        ("s { t { a = 1 } }\nb = 3", 2),
        ('s { use "x" }\nb = 3', 2),
        ("s { a ~ 1..2 @lr }\nb = 3", 2),
        ("s { a ~ 1..2 @lr, @rank = 1 }\nb = 3", 2),
        ('s { require c because "d", b = 1 }', 1),
        ("a.@x { b = 1 }\nc = 2", 2),
        ("a[0] { b = 1 }\nc = 2", 2),
        ('s "label" { }\nc = 2', 2),
        ('a = x if y else {"k": 1}\nb = 3', 2),
        ('a ~ {} | {"k": 1}\nb = 3', 2),
        ("a = 1\r\nb ~ 1\r\n  | 2\r\n", 2),
        ("a = 1 # no line end", 1),
        ("a = 1 # one\n  # deeper\n  | 2".replace("=", "~"), 1),
        ("x.step = 1\nx.log = 2\nx.step\n= 3".replace("\n=", " ="), 3),
    ],
)
def test_statements(text: str, statements: int) -> None:
    assert count(text) == statements
