"""The table of old names: each row names an installed class that takes what the row makes, and the page shows it."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from pathlib import Path

import pytest

from automl_run.dsl import signatures
from automl_run.dsl.ir import Value
from automl_run.dsl.old_names import OLD_ARGUMENTS, OLD_CLASSES, OLD_FUNCTIONS, WITHOUT_SUCCESSOR
from automl_run.engine.targets.mmar.names import modern_expression, modernise

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.mark.parametrize("name", OLD_CLASSES)
def test_todays_class_takes_what_the_old_one_becomes(name: str) -> None:
    row = OLD_CLASSES[name]
    given: dict[str, Value] = dict.fromkeys(row.arguments, 1)
    path, args, _ = modernise(name, given)
    assert path == row.today
    module, _, short = path.rpartition(".")
    parameters = inspect.signature(getattr(importlib.import_module(module), short)).parameters
    is_open = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    assert is_open or set(args) <= set(parameters)


def test_a_name_of_today_is_the_old_class_only_with_its_arguments() -> None:
    assert modernise("Dice", {"softmax": True})[0] == "Dice"
    assert modernise("ScaleIntensityRange", {"a_min": 0})[0] == "ScaleIntensityRange"
    assert modernise("ScaleIntensityRange", {"fields": "image", "a_min": 0})[0] == "monai.transforms.ScaleIntensityRanged"


@pytest.mark.parametrize(
    ("name", "args", "today"),
    [
        ("ScaleByResolution", {"fields": "label", "target_resolution": [1, 1, 1], "is_label": True},
         {"keys": "label", "pixdim": [1, 1, 1], "mode": "nearest"}),
        ("ScaleByResolution", {"fields": "image", "target_resolution": [1, 1, 1]},
         {"keys": "image", "pixdim": [1, 1, 1], "mode": "bilinear"}),
        ("ScaleIntensityOscillation", {"fields": "image", "magnitude": 0.1}, {"keys": "image", "offsets": 0.1, "prob": 1.0}),
        ("AddGaussianNoise", {"fields": "image", "variance": 0.25}, {"keys": "image", "std": 0.5, "prob": 0.5}),
        ("CropByPosNegRatio", {"size": [8, 8, 8], "image_field": "i", "label_field": "l", "pos": 1, "neg": 2, "batch_size": 3},
         {"keys": ["i", "l"], "label_key": "l", "spatial_size": [8, 8, 8], "pos": 1, "neg": 2, "num_samples": 3}),
        ("Dice", {"skip_background": True, "smooth": 1e-4},
         {"include_background": False, "to_onehot_y": True, "smooth_nr": 1e-4, "smooth_dr": 1e-4}),
        ("NovoGrad", {"lr": 0.1, "beta1": 0.9}, {"lr": 0.1, "betas": [0.9, 0.98]}),
        ("LoadNifti", {"fields": ["image"], "as_closest_canonical": True},
         {"keys": ["image"], "as_closest_canonical": True, "reader": "NibabelReader"}),
    ],
)  # fmt: skip
def test_values_change_with_their_names(name: str, args: dict[str, Value], today: dict[str, Value]) -> None:
    assert modernise(name, args)[1:] == (today, [])


def test_what_is_lost_is_said() -> None:
    _, args, dropped = modernise("FastPosNegRatioCropROI", {"size": [8, 8, 8], "deform": True})
    assert "deform" not in args
    assert dropped == ["FastPosNegRatioCropROI: `deform` does nothing any more"]


def test_old_arguments_have_an_heir_or_none() -> None:
    for owners, old, new in OLD_ARGUMENTS:
        for cls in () if owners == "*" else owners.split():
            assert old not in (signatures.arguments(cls) or ()), f"{cls} has `{old}` today"
            assert new is None or new in (signatures.arguments(cls) or ()), f"{cls} has no `{new}`"


def test_without_successor_is_without_successor() -> None:
    for name, help in WITHOUT_SUCCESSOR.items():
        assert not signatures.signatures(name)
        assert help.startswith(("use ", "delete it"))


def test_functions_that_moved() -> None:
    for old, new in OLD_FUNCTIONS.items():
        module, _, name = new.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))
        assert modern_expression(f"{old}(x)") == f"{new}(x)"


def test_the_page_shows_the_table() -> None:
    spec = importlib.util.spec_from_file_location("make_old_names", DOCS / "make_old_names.py")
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    assert page.tables() in (DOCS / "from-clara.md").read_text(encoding="utf-8"), "run `python docs/make_old_names.py --write`"
