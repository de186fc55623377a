"""`automl-run lsp` where it cannot start."""

from __future__ import annotations

import importlib.util

import pytest

from automl_run.cli.lsp import main
from automl_run.errors import InputError


def test_without_pygls_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"automl-run\[lsp\]"):
        main([])


def test_it_takes_no_file() -> None:
    with pytest.raises(InputError, match=r"a\.automl"):
        main(["a.automl"])
