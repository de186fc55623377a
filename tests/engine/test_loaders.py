"""Which keys of an item a chain of transforms reads from files."""

from __future__ import annotations

import pytest

from automl_run.engine.targets.loaders import Loaded, Step, keys_of, loaded

BOTH = ("image", "label")
LOAD = Step("LoadImaged", BOTH)


@pytest.mark.parametrize(
    ("chain", "found"),
    [
        ([LOAD], Loaded(BOTH, BOTH)),
        ([Step("EnsureTyped"), LOAD], Loaded(BOTH, BOTH)),
        ([Step("CopyItemsd"), LOAD], Loaded(BOTH)),
        ([Step("mine.Finds"), LOAD], Loaded(BOTH)),
        ([Step("LoadImaged", ("image",)), Step("mine.Finds"), LOAD], Loaded(BOTH, ("image",))),
        ([Step("monai.transforms.LoadImageDict", BOTH, lenient=True)], Loaded(BOTH)),
        ([Step("LoadImaged", None)], Loaded()),
        ([], Loaded()),
    ],
)
def test_loaded(chain: list[Step], found: Loaded) -> None:
    assert loaded(chain) == found


def test_keys() -> None:
    assert keys_of("image") == ("image",)
    assert keys_of(["image", "label"]) == BOTH
    assert keys_of("@keys") is keys_of(["$x"]) is keys_of(None) is keys_of(3) is None
