"""What an old component becomes: the table of old names applied, and the values that changed with their names.

The table is `automl_run.dsl.old_names`, which the checks and the documentation read too. Here are the conversions of values, and
where the name of a component is looked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Final

from automl_run.dsl.ir import Value
from automl_run.dsl.old_names import OLD_FUNCTIONS, OldClass
from automl_run.dsl.signatures import old_class, renamed

Arguments = dict[str, Value]

#: Where a bare name is looked for first, by the key of the section it stands under; after these come all others.
MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "model": ("monai.networks.nets", "torch.nn"),
    "loss": ("monai.losses", "torch.nn"),
    "optimizer": ("torch.optim", "monai.optimizers"),
    "lr_scheduler": ("torch.optim.lr_scheduler", "monai.optimizers"),
    "pre_transforms": ("monai.transforms",),
    "post_transforms": ("monai.transforms",),
    "dataset": ("monai.data",),
    "dataloader": ("monai.data", "torch.utils.data"),
    "inferer": ("monai.inferers",),
    "handlers": ("monai.handlers", "ignite.handlers"),
    "key_metric": ("monai.handlers", "ignite.metrics"),
    "additional_metrics": ("monai.handlers", "ignite.metrics"),
    "trainer": ("monai.engines",),
    "evaluator": ("monai.engines",),
}
ALL_MODULES: Final[tuple[str, ...]] = tuple(
    dict.fromkeys([*(module for modules in MODULES.values() for module in modules), "monai.metrics", "monai.networks.blocks"])
)

#: Losses that take raw network output, whatever their arguments.
LOGIT_LOSSES: Final = frozenset(
    {
        "BCEWithLogitsLoss",
        "CrossEntropyLoss",
        "DiceCELoss",
        "DiceFocalLoss",
        "FocalLoss",
        "GeneralizedDiceFocalLoss",
        "UnifiedFocalLoss",
    }
)

#: Arguments that name a place to write to: relative ones are taken from the job's folder.
OUTPUT_ARGUMENTS: Final = frozenset({"save_dir", "log_dir", "output_dir"})
#: Arguments that name a file of the MMAR: relative ones are taken from its root.
INPUT_ARGUMENTS: Final = frozenset({"load_path", "pretrain_weight_name"})


def modernise(name: str, args: Mapping[str, Value]) -> tuple[str, Arguments, list[str]]:
    """Today's name and arguments of component `name`, and a line for the log per thing that could not be carried over."""
    row = old_class(name, args)
    if row is not None:
        return _of_old_class(row, args)
    short = name.rpartition(".")[2]
    converted = CONVERSIONS[short](args) if short in CONVERSIONS else dict(args)
    out: Arguments = {}
    dropped: list[str] = []
    for key, value in converted.items():
        is_old, new = renamed(name, key)
        if not is_old:
            out[key] = value
        elif new is None:
            dropped.append(f"{short}: `{key}` does nothing any more")
        elif new not in converted:
            out[new] = value
    return name, out, dropped


def _of_old_class(row: OldClass, args: Mapping[str, Value]) -> tuple[str, Arguments, list[str]]:
    args, taken = _OF_OLD_CLASSES[row.name](args) if row.name in _OF_OLD_CLASSES else (dict(args), frozenset())
    out: Arguments = {}
    dropped: list[str] = []
    for key, value in args.items():
        new = row.renamed.get(key, key)
        if new is not None:
            out[new] = value
        elif key not in taken:
            dropped.append(f"{row.name}: `{key}` does nothing any more")
    for key, value in row.defaults.items():
        out.setdefault(key, value)
    return row.today, out, dropped


def modern_expression(python: str) -> str:
    """The Python of an expression with today's names for functions that moved."""
    for old, new in OLD_FUNCTIONS.items():
        python = re.sub(rf"\b{re.escape(old)}\b", new, python)
    return python


# -- values that changed with their names -------------------------------------------------------------------------------------


def _as_discrete(args: Mapping[str, Value]) -> Arguments:
    """`to_onehot` was a flag beside the number of classes, `threshold_values` one beside the threshold; each pair is one now."""
    out = dict(args)
    classes = [out.pop(old) for old in ("n_classes", "num_classes") if old in out]
    if classes:
        out["to_onehot"] = _flagged(out.get("to_onehot"), classes[0])
    if "threshold_values" in out or "logit_thresh" in out:
        level = out.pop("logit_thresh", 0.5)
        flag = out.pop("threshold_values", False)
        out.setdefault("threshold", _flagged(flag, level))
    return {key: value for key, value in out.items() if value is not None}


def _flagged(flag: Value, value: Value) -> Value:
    """`value` where `flag` is true, None where it is false, `flag` itself where it is a value already; item by item for lists."""
    if isinstance(flag, list):
        values = value if isinstance(value, list) else [value] * len(flag)
        return [_flagged(one, level) for one, level in zip(flag, values, strict=False)]
    if isinstance(flag, bool):
        return value if flag else None
    return flag


CONVERSIONS: Final[Mapping[str, Callable[[Mapping[str, Value]], Arguments]]] = {
    "AsDiscrete": _as_discrete,
    "AsDiscreted": _as_discrete,
    "AsDiscreteD": _as_discrete,
    "AsDiscreteDict": _as_discrete,
}

# -- values of old classes: made to fit today's class, with the old arguments that are spent on it ------------------------------

_Converted = tuple[Arguments, frozenset[str]]


def _without(args: Mapping[str, Value], *names: str) -> Arguments:
    return {key: value for key, value in args.items() if key not in names}


def _by_label(otherwise: str) -> Callable[[Mapping[str, Value]], _Converted]:
    """`is_label` as an interpolation `mode`."""

    def convert(args: Mapping[str, Value]) -> _Converted:
        mode = "nearest" if args.get("is_label") is True else otherwise
        return {**_without(args, "is_label"), "mode": mode}, frozenset()

    return convert


def _image_and_label(args: Mapping[str, Value]) -> _Converted:
    """`image_field` and `label_field` as `fields`, where those are not given."""
    out = dict(args)
    fields: list[Value] = [args.get("image_field", "image"), args.get("label_field", "label")]
    out.setdefault("fields", fields)
    return out, frozenset({"image_field", "label_field"})


def _crop(args: Mapping[str, Value]) -> _Converted:
    out, taken = _image_and_label(args)
    out.setdefault("label_field", "label")
    return out, taken


def _switched(args: Mapping[str, Value]) -> _Converted:
    """A loss of Clara 3.x, whose switches mean the opposite of MONAI's; its smoothing is that of both terms."""
    out = dict(args)
    for switch in ("skip_background", "is_onehot_targets"):
        if isinstance(value := args.get(switch), bool):
            out[switch] = not value
    if "smooth" in args:
        out["smooth_dr"] = args["smooth"]
    return out, frozenset()


def _noise(args: Mapping[str, Value]) -> _Converted:
    variance = args.get("variance")
    if isinstance(variance, (int, float)) and not isinstance(variance, bool) and variance >= 0:
        return {**args, "variance": math.sqrt(variance)}, frozenset()
    return dict(args), frozenset()


def _betas(args: Mapping[str, Value]) -> _Converted:
    if not {"beta1", "beta2"} & args.keys():
        return dict(args), frozenset()
    return {**args, "betas": [args.get("beta1", 0.95), args.get("beta2", 0.98)]}, frozenset({"beta1", "beta2"})


def _nibabel(args: Mapping[str, Value]) -> _Converted:
    """An argument of the reader goes to the one that has it."""
    return {**args, **({"reader": "NibabelReader"} if "as_closest_canonical" in args else {})}, frozenset()


_OF_OLD_CLASSES: Final[Mapping[str, Callable[[Mapping[str, Value]], _Converted]]] = {
    "LoadNifti": _nibabel,
    "LoadNiftid": _nibabel,
    "LoadNiftiD": _nibabel,
    "ScaleByResolution": _by_label("bilinear"),
    "ScaleBySpacing": _by_label("bilinear"),
    "ScaleByFactor": _by_label("trilinear"),
    "ScaleToShape": _by_label("trilinear"),
    "RandomZoom": _image_and_label,
    "CropByPosNegRatio": _crop,
    "FastCropByPosNegRatio": _crop,
    "FastPosNegRatioCropROI": _crop,
    "AddGaussianNoise": _noise,
    "Dice": _switched,
    "Focal": _switched,
    "NovoGrad": _betas,
}
