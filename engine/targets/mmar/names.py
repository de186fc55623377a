"""Old names -> today's: what files of Clara 3.x and 4.x call things, and what torch and MONAI call them now.

Renamed arguments of classes that still exist stand in `automl_run.dsl.signatures.OLD_ARGUMENTS`, which the checks read too. Here
are the classes that went away, the values that changed with their names, and where the name of a component is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from automl_run.dsl.ir import Value
from automl_run.dsl.signatures import renamed

Arguments = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Successor:
    """Today's class for an old one: its dotted name, renamed arguments (None: dropped), and arguments that make it do the same."""

    path: str
    renamed: Mapping[str, str | None] = field(default_factory=dict)
    added: Mapping[str, Value] = field(default_factory=dict)


_FIELDS: Final[Mapping[str, str | None]] = {"fields": "keys"}

#: Classes that went away.
SUCCESSORS: Final[Mapping[str, Successor]] = {
    # Clara Train 3.x (TensorFlow)
    "SegAhnet": Successor(
        "automl_run.engine.targets.mmar.networks.SegAhnet",
        {"num_input_channels": "in_channels", "if_from_scratch": None, "data_format": None},
    ),
    "RandomAxisFlip": Successor("automl_run.kernels.RandAxisFlipd", {**_FIELDS, "probability": "prob"}),
    "LoadNifti": Successor("monai.transforms.LoadImaged", _FIELDS),
    "ConvertToChannelsFirst": Successor("monai.transforms.EnsureChannelFirstd", _FIELDS),
    # MONAI 0.x
    "AddChannel": Successor("monai.transforms.EnsureChannelFirst", added={"channel_dim": "no_channel"}),
    "AddChanneld": Successor("monai.transforms.EnsureChannelFirstd", added={"channel_dim": "no_channel"}),
    "AsChannelFirst": Successor("monai.transforms.EnsureChannelFirst", added={"channel_dim": -1}),
    "AsChannelFirstd": Successor("monai.transforms.EnsureChannelFirstd", added={"channel_dim": -1}),
    "SplitChanneld": Successor("monai.transforms.SplitDimd"),
}

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
    successor = SUCCESSORS.get(name)
    dropped: list[str] = []
    if successor is not None:
        out: Arguments = {}
        for key, value in args.items():
            new = successor.renamed.get(key, key)
            if new is not None:
                out[new] = value
        out.update(successor.added)
        return successor.path, out, dropped
    short = name.rpartition(".")[2]
    converted = CONVERSIONS[short](args) if short in CONVERSIONS else dict(args)
    out = {}
    for key, value in converted.items():
        is_old, new = renamed(name, key)
        if not is_old:
            out[key] = value
        elif new is None:
            dropped.append(f"{short}: `{key}` does nothing any more")
        elif new not in converted:
            out[new] = value
    return name, out, dropped


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
}
