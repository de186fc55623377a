"""Suggestions cost a bounded time, however many names are unknown."""

import difflib
import json

import pytest

from automl_run.dsl.diagnostics import Hints
from automl_run.dsl.load import check_text


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every word that is compared with the known ones."""
    words: list[str] = []
    original = difflib.get_close_matches

    def counted(word: str, possibilities: list[str], n: int = 3, cutoff: float = 0.6) -> list[str]:
        words.append(word)
        return original(word, possibilities, n=n, cutoff=cutoff)

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    return words


def test_a_thousand_unknown_names(comparisons: list[str]) -> None:
    text = "learning_rate = 1\n" + "\n".join(f"key{number} = learning_rat{number}" for number in range(1000))
    checked = check_text(text)
    assert len(checked.diagnostics) == 1000
    assert checked.diagnostics[0].help == "did you mean `learning_rate`?"
    assert len(set(comparisons)) <= Hints().most


def test_a_thousand_unknown_classes(comparisons: list[str]) -> None:
    transforms = [{"name": f"RandFlip{chr(97 + number % 26)}{number}", "args": {}} for number in range(1000)]
    text = json.dumps({"train": {"pre_transforms": transforms}}, indent=1)
    checked = check_text(text, name="a.json")
    assert sum(each.code == "AM131" for each in checked.diagnostics) == 1000
    assert len({word.lower() for word in comparisons}) <= Hints().most


def test_the_same_name_is_asked_for_as_often_as_it_likes() -> None:
    hints = Hints(most=1)
    assert hints.did_you_mean("ab", lambda: ["abc"]) == hints.did_you_mean("ab", lambda: ["abc"]) != ""
    assert hints.did_you_mean("abcd", lambda: ["abc"]) == ""
