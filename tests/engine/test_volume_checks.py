"""Missing files and headers that do not fit, found in a data list before anything trains."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import nibabel
import numpy as np
import pytest

from automl_run.engine.targets.volume_checks import Findings, check_volumes, told


def volume(path: Path, *shape: int) -> str:
    nibabel.save(nibabel.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4)), path)
    return path.name


def check(tmp_path: Path, *items: Mapping[str, object]) -> Findings:
    return check_volumes(items, base=tmp_path)


def test_a_whole_list_passes(tmp_path: Path) -> None:
    image, label = volume(tmp_path / "a.nii.gz", 5, 6, 7), volume(tmp_path / "b.nii", 5, 6, 7)
    assert check(tmp_path, {"image": image, "label": label, "fold": 3}) == Findings((), 2)


def test_every_missing_file_is_counted_once_and_the_first_are_named(tmp_path: Path) -> None:
    image = volume(tmp_path / "a.nii", 2, 2, 2)
    items = [{"image": image, "label": f"l{index % 5}.nii"} for index in range(20)]
    found = check(tmp_path, *items)
    assert [(fault.kind, fault.index, fault.key, Path(fault.path or "").name) for fault in found.faults] == [
        ("missing", index, "label", f"l{index}.nii") for index in range(5)
    ]
    assert told(found, "`training` of x.json").splitlines() == [
        "5 of the 6 files named by `training` of x.json are not there:",
        *(f"  [{index}].label: {tmp_path}/l{index}.nii" for index in range(3)),
        "  and 2 more",
    ]


def test_items_without_a_path_that_is_needed_are_told_first(tmp_path: Path) -> None:
    items: list[dict[str, object]] = [
        {"image": "a.nii", "label": None},
        {"image": "a.nii"},
        {"image": ["a.nii", 5], "label": "l.nii"},
        {"image": "", "label": []},
        {"image": "a.nii", "label": "l.nii", "age": 5},
    ]
    found = check_volumes(items, needed=("image", "label"), base=tmp_path)
    assert [(fault.index, fault.key, fault.message) for fault in found.faults] == [
        (0, "label", "null is no path"),
        (1, "label", "there is no such key; the item has `image`"),
        (2, "image", "5 is no path"),
        (3, "image", '"" is no path'),
        (3, "label", "an empty list is no path"),
    ]
    assert told(found, "`x`").splitlines()[0] == "4 of the 5 items of `x` have no path where one is loaded:"


def test_only_those_that_are_to_be_alike_are_compared(tmp_path: Path) -> None:
    items = [{"image": volume(tmp_path / "a.nii", 5, 6, 7), "prior": volume(tmp_path / "b.nii", 2, 2, 2)}]
    assert check_volumes(items, ("image", "prior"), alike=("image",), base=tmp_path).faults == ()
    assert len(check_volumes(items, ("image", "prior"), base=tmp_path).faults) == 1


def test_a_label_on_another_grid_is_found(tmp_path: Path) -> None:
    image, label = volume(tmp_path / "a.nii.gz", 5, 6, 7), volume(tmp_path / "b.nii.gz", 5, 6, 8)
    found = check(tmp_path, {"image": image, "label": image}, {"image": image, "label": label})
    assert told(found, "`x`").splitlines() == [
        "1 of the 2 files named by `x` has another shape than the image:",
        f"  [1].label: {tmp_path}/b.nii.gz: it has 5 x 6 x 8 voxels, the image 5 x 6 x 7",
    ]


@pytest.mark.parametrize(
    ("image", "label", "fits"),
    [
        ((4, 4, 3, 2), (4, 4, 3), True),  # channels
        ((4, 4), (4, 4, 1), True),  # a slice
        ((4, 4, 3), (4, 4, 3, 1, 2), True),
        ((4, 4, 3), (4, 3, 4), False),
        ((4, 4, 1), (4, 4, 2), False),
    ],
)
def test_only_the_spatial_extents_count(tmp_path: Path, image: tuple[int, ...], label: tuple[int, ...], fits: bool) -> None:
    item = {"image": volume(tmp_path / "a.nii", *image), "label": volume(tmp_path / "b.nii", *label)}
    assert (check(tmp_path, item).faults == ()) is fits


def test_channels_in_several_files_are_of_one_shape(tmp_path: Path) -> None:
    channels = [volume(tmp_path / "a.nii", 4, 4, 4), volume(tmp_path / "b.nii", 4, 4, 5)]
    (fault,) = check(tmp_path, {"image": channels}).faults
    assert (fault.kind, fault.key, Path(fault.path or "").name) == ("shape", "image", "b.nii")


@pytest.mark.parametrize(("content", "message"), [(b"", "it is empty"), (b"not a header", "it is no NIfTI file")])
def test_a_file_that_is_no_volume_is_found(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.nii.gz").write_bytes(content)
    (fault,) = check(tmp_path, {"image": "a.nii.gz"}).faults
    assert fault.kind == "unreadable"
    assert fault.message.startswith(message)


def test_other_formats_folders_and_values_are_let_be(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").touch()
    (tmp_path / "series.nii").mkdir()
    assert check(tmp_path, {"image": "a.nrrd", "label": "series.nii"}, {"image": ["series.nii"], "label": 3}).faults == ()
    assert check(tmp_path, {"label": volume(tmp_path / "b.nii", 2, 2, 2)}).faults == ()
    (fault,) = check(tmp_path, {"image": "a\0b.nii"}).faults
    assert fault.kind == "missing"


def test_a_long_list_is_looked_at_all_over_and_not_for_long(tmp_path: Path) -> None:
    image, label = volume(tmp_path / "a.nii", 2, 2, 2), volume(tmp_path / "b.nii", 2, 2, 3)
    items: list[Mapping[str, object]] = [{"image": image, "label": image}] * 1000
    items[960] = {"image": image, "label": label}
    ticks = itertools.count()
    found = check_volumes(items, base=tmp_path, limit_s=50, clock=lambda: float(next(ticks)))
    assert [fault.index for fault in found.faults] == [960]
    assert found.unread == 951
    assert check_volumes(items, base=tmp_path).unread == 0
