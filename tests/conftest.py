"""Every run of the tests draws the same examples; `make soak` draws new ones (HYPOTHESIS_PROFILE=soak).

What is trained in them is said at the top of a run: volumes of a real brain everywhere, files of others where they are at hand.
"""

from __future__ import annotations

import os

from brain import TEMPLATE
from bundle_volumes import BUNDLES
from clara_mmar import CLARA
from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("soak", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


def pytest_report_header() -> list[str]:
    others = (("Clara's configurations", CLARA), ("the model zoo's bundles", BUNDLES))
    return [
        f"volumes: blocks of the ICBM 152 brain in {TEMPLATE}",
        *(f"{what}: {place if place.is_dir() else 'not here, their tests are skipped'}" for what, place in others),
    ]
