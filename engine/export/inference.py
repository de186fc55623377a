"""The chains of a validation made into those of an inference: no label, and a label map in the space of the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from automl_run.dsl.ir import Value

#: What an item's keys are called in Clara's configs; all but these are the network's.
LABEL: Final = "label"
PREDICTION: Final = "pred"
#: Arguments that have one value for each key, where they are lists as long as the keys.
_BY_KEY: Final = frozenset(
    {
        "mode", "padding_mode", "align_corners", "dtype", "data_type", "argmax", "to_onehot", "threshold", "rounding", "sigmoid",
        "softmax", "other", "nearest_interp", "to_tensor", "orig_keys", "meta_keys", "orig_meta_keys", "post_func", "device",
    }
)  # fmt: skip


def without_label(transforms: list[Value]) -> list[Value]:
    """The transforms that are left when items have no label; those of several keys keep the values of the other keys."""
    found = [_without(transform) for transform in transforms]
    return [transform for transform in found if transform is not None]


def _without(transform: Value) -> Value:
    if not isinstance(transform, dict) or "keys" not in transform:
        return transform
    keys = transform["keys"]
    names = keys if isinstance(keys, list) else [keys]
    kept = [at for at, key in enumerate(names) if key != LABEL]
    if not kept:
        return None
    if len(kept) == len(names):
        return transform
    out: dict[str, Value] = dict(transform)
    out["keys"] = [names[at] for at in kept]
    for name, value in transform.items():
        if name in _BY_KEY and isinstance(value, list) and len(value) == len(names):
            out[name] = [value[at] for at in kept]
    return out


def predictions_to_files(transforms: list[Value], image: str) -> list[Value]:
    """The post transforms of an inference: activation, back into the space of the image, one label a voxel, a file."""
    kept = without_label(transforms)
    invert: dict[str, Value] = {
        "_target_": "monai.transforms.Invertd",
        "keys": PREDICTION,
        "transform": "@preprocessing",
        "orig_keys": image,
        "nearest_interp": False,
        "to_tensor": True,
    }
    at = next((at for at, transform in enumerate(kept) if _short(transform).startswith("AsDiscrete")), len(kept))
    if not any(_short(transform) == "Invertd" for transform in kept):
        kept.insert(at, invert)
    save: dict[str, Value] = {
        "_target_": "monai.transforms.SaveImaged",
        "keys": PREDICTION,
        "output_dir": "@output_dir",
        "output_ext": "@output_ext",
        "output_postfix": "@output_postfix",
        "resample": False,
        "separate_folder": True,
    }
    return [*(_as_label_map(transform) for transform in kept), save]


def _as_label_map(transform: Value) -> Value:
    """One-hot channels are for the metric."""
    if isinstance(transform, dict) and _short(transform).startswith("AsDiscrete"):
        argmax = transform.get("argmax")
        if argmax is True or argmax == [True]:
            return {key: value for key, value in transform.items() if key != "to_onehot"}
    return transform


def _short(transform: Value) -> str:
    target = transform.get("_target_") if isinstance(transform, Mapping) else None
    return str(target or "").rpartition(".")[2]
