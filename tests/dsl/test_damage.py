"""Random damage: every outcome is a program or rendered diagnostics, and most of these say what was probably meant.

`AUTOML_MUTATIONS=10000` (`make soak`) tries more of it.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest
from damage import damaged

from automl_run.dsl.load import check_text

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = sorted([*(Path(__file__).parent / "data" / "programs").glob("*.automl"), *ROOT.glob("examples/*/*.automl")])
MUTATIONS = int(os.environ.get("AUTOML_MUTATIONS", "1500"))


@pytest.mark.timeout(1200)
def test_damage_is_told_by_name() -> None:
    choose = random.Random(11)
    texts = [path.read_text(encoding="utf-8") for path in PROGRAMS]
    codes: Counter[str] = Counter()
    for _ in range(MUTATIONS):
        text = damaged(choose.choice(texts), choose)
        checked = check_text(text, name="damaged.automl", folder=ROOT / "examples" / "brain_tissue")
        assert (checked.program is None) == any(found.severity == "error" for found in checked.diagnostics), text
        assert checked.diagnostics == () or checked.rendered()
        codes.update(found.code for found in checked.diagnostics)
    assert codes["AM009"] <= 0.12 * codes.total(), codes
