"""What people see for each mistake, word for word: a text, a line of dashes, and the diagnostics.

After a change of wording: `UPDATE_SNAPSHOTS=1 pytest tests/dsl/test_snapshots.py`, and read the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from automl_run.dsl.load import check_text

HERE = Path(__file__).parent
SNAPSHOTS = sorted((HERE / "snapshots").glob("*.txt"))
RULE = "-" * 80


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: path.stem)
def test_snapshot(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAME", raising=False)
    text, _, expected = path.read_text(encoding="utf-8").partition(f"{RULE}\n")
    suffix = ".json" if text.lstrip().startswith(("{", '"')) else ".automl"
    shown = check_text(text.rstrip("\n"), name=f"search{suffix}", folder=HERE / "data" / "design").rendered() + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(f"{text}{RULE}\n{shown}", encoding="utf-8")
    else:
        assert shown == expected


def test_there_are_many_and_they_differ() -> None:
    firsts = {path.read_text(encoding="utf-8").partition(f"{RULE}\n")[2].split("\n")[0] for path in SNAPSHOTS}
    assert len(firsts) >= 60
