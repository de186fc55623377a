"""The table of study keys that hover and completion show says what the elaborator knows."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("pygls", reason="the language server needs pygls (automl-run[lsp])")

from automl_run.dsl.language_server.study_table import KEYS, keys_of, line_of
from automl_run.dsl.load import check_text

HEAD = "automl 1\nlr ~ 1 | 2\n"


def codes(study: str) -> dict[str, str]:
    return {found.code: found.help for found in check_text(f"{HEAD}study {{ {study} }}\n").diagnostics}


def test_every_key_that_the_elaborator_knows_has_a_line() -> None:
    help = codes("zzqqzzqq = 1")["AM401"]
    known = re.findall(r"[a-z_]+", help.partition("known here:")[2])
    assert len(known) > 10
    assert {*known} <= {*keys_of("")}


@pytest.mark.parametrize("key", [key for key in KEYS if "." not in key and key not in ("maximize", "minimize", "ensure", "phase")])
def test_every_line_is_a_key_that_the_elaborator_knows(key: str) -> None:
    assert "AM401" not in codes(f"{key} = 1")


@pytest.mark.parametrize(
    ("section", "key"), [(section, key) for section in ("budget", "repeat", "phase") for key in keys_of(section)]
)
def test_every_key_of_a_section_is_known(section: str, key: str) -> None:
    head = "phase first" if section == "phase" else section
    text = "budget { trials = 3 }" if key == "budget" else f"{key} = 1"
    assert "AM401" not in codes(f"{head} {{ {text} }}")


@pytest.mark.parametrize(
    "key", [key for key, line in KEYS.items() if line.values and key not in ("repeat.score", "repeat.abandon")]
)
def test_completed_values_are_accepted(key: str) -> None:
    for value in KEYS[key].values:
        found = set(codes(f"{key} = {value}")) - {"AM199", "AM404"}
        assert not {code for code in found if code.startswith("AM4") or code.startswith("AM0")}, (key, value, found)


def test_a_phase_has_keys_of_the_study_and_its_own() -> None:
    assert {"controller", "search", "warm_start"} <= {*keys_of("phase")}
    assert line_of("phase.budget") is KEYS["budget"]
    assert line_of("nothing") is None
