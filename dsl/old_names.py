"""Old names -> today's: what files of Clara 3.x, Clara 4.x and MONAI 0.x call things, and what MONAI, torch and ignite do.

One table, read by the checks (`signatures.py`), by the training (`engine/targets/mmar/names.py`) and by `docs/from-clara.md`.
`OLD_CLASSES` are classes that went away, `OLD_ARGUMENTS` arguments of classes that are still there, `WITHOUT_SUCCESSOR` what
nothing stands for, with what to do instead. Values that changed with their names are converted by the training; notes say how.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from .ir import Value


@dataclass(frozen=True, slots=True)
class OldClass:
    """Today's class for the old class `name`.

    `today`: dotted. `takes`: its arguments in the form of `signatures.json`. `renamed`: those with another name today, None for one
    that does nothing any more. `defaults`: arguments that make it do the same where the file does not give them. `note`: what else
    is made of its arguments.
    """

    name: str
    origin: str
    today: str
    takes: str
    renamed: Mapping[str, str | None] = field(default_factory=dict)
    defaults: Mapping[str, Value] = field(default_factory=dict)
    note: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(word.partition(":")[0].removesuffix("!") for word in self.takes.split())


_TRANSFORMS: Final = "monai.transforms"
_CHANNEL_FIRST: Final = f"{_TRANSFORMS}.EnsureChannelFirst"
_OWN: Final = "automl_run.engine.targets.mmar.networks"
_KEYS: Final[Mapping[str, str | None]] = {"fields": "keys"}
_RANDOM: Final[Mapping[str, str | None]] = {"fields": "keys", "probability": "prob"}
_HALF: Final[Mapping[str, Value]] = {"prob": 0.5}
_LABEL_NOTE: Final = '`is_label` chooses the `mode`: "nearest", else "bilinear"'
_VOLUME_NOTE: Final = '`is_label` chooses the `mode`: "nearest", else "trilinear"'
_CROP_NOTE: Final = "`image_field` and `label_field` are the `keys` where there are no `fields`"


def _transform(
    name: str,
    today: str,
    takes: str,
    renamed: Mapping[str, str | None],
    defaults: Mapping[str, Value] | None = None,
    note: str = "",
) -> OldClass:
    """A transform of Clara 3.x; `today` is one of MONAI's unless it is dotted."""
    path = today if "." in today else f"{_TRANSFORMS}.{today}"
    return OldClass(name, "Clara 3.x", path, takes, renamed, defaults or {}, note)


_CROP: Final[Mapping[str, str | None]] = {
    "fields": "keys",
    "label_field": "label_key",
    "size": "spatial_size",
    "batch_size": "num_samples",
    "image_field": None,
    "batches_to_gen_at_once": None,
    "deform": None,
    "rotation": None,
    "rotation_degree": None,
    "scale": None,
    "scale_factor": None,
    "fast_crop": None,
}
_CROP_TAKES: Final = "size! fields image_field:s label_field:s pos:if neg:if batch_size:i"

_OF_CLARA_3: Final = (
    OldClass(
        "SegAhnet",
        "Clara 3.x",
        f"{_OWN}.SegAhnet",
        "num_classes!:i if_use_psp:b pretrain_weight_name:ns plane:s final_activation:ns n_spatial_dim:i layers in_channels:i "
        "num_input_channels:i psp_block_num:i upsample_mode:s norm:s if_from_scratch:b data_format:s",
        {"num_input_channels": "in_channels", "if_from_scratch": None, "data_format": None},
        note="MONAI's `AHNet` with Clara's arguments and final activation: `num_classes` are its `out_channels`, `if_use_psp` "
        "adds as many pyramid blocks as fit the patch",
    ),
    OldClass(
        "SegResnet",
        "Clara 3.x",
        f"{_OWN}.SegResnet",
        "num_classes!:i blocks_down blocks_up init_filters:i in_channels:i num_input_channels:i dropout_prob:fn "
        "final_activation:ns use_group_norm:b use_group_normG:i use_batch_norm:b use_vae:b reg_weight:f data_format:s",
        {"num_input_channels": "in_channels", "data_format": None, "reg_weight": None, "use_batch_norm": None},
        note="MONAI's `SegResNet` with Clara's arguments and final activation; `blocks_down = \"1,2,2,4\"` is a list",
    ),
    OldClass(
        "Unet",
        "Clara 3.x",
        f"{_OWN}.Unet",
        "num_classes!:i nf_enc nf_dec in_channels:i num_input_channels:i dropout_prob:fn final_activation:ns use_group_norm:b "
        "use_batch_norm:b data_format:s",
        {"num_input_channels": "in_channels", "nf_dec": None, "data_format": None, "use_batch_norm": None},
        note="MONAI's `UNet` with the `channels` of `nf_enc` and Clara's final activation",
    ),
    _transform(
        "LoadNifti",
        "LoadImaged",
        "fields! as_closest_canonical:b",
        _KEYS,
        note="`as_closest_canonical` is nibabel's",
    ),
    _transform("LoadPng", "LoadImaged", "fields!", _KEYS, defaults={"reader": "PILReader"}),
    _transform("LoadJpg", "LoadImaged", "fields!", _KEYS, defaults={"reader": "PILReader"}),
    _transform("ConvertToChannelsFirst", "EnsureChannelFirstd", "fields!", _KEYS),
    _transform("ConvertToMultiChannelBasedOnBratsClasses", "ConvertToMultiChannelBasedOnBratsClassesd", "fields!", _KEYS),
    _transform(
        "ScaleByResolution",
        "Spacingd",
        "fields! target_resolution! is_label:b",
        {**_KEYS, "target_resolution": "pixdim"},
        note=_LABEL_NOTE,
    ),
    _transform(
        "ScaleBySpacing",
        "Spacingd",
        "fields! target_spacing! is_label:b interpolation_order:i",
        {**_KEYS, "target_spacing": "pixdim", "interpolation_order": None},
        note=_LABEL_NOTE,
    ),
    _transform(
        "ScaleByFactor",
        "Zoomd",
        "fields! factor! is_label:b",
        {**_KEYS, "factor": "zoom"},
        defaults={"keep_size": False},
        note=_VOLUME_NOTE,
    ),
    _transform(
        "ScaleToShape",
        "Resized",
        "fields! target_shape! is_label:b",
        {**_KEYS, "target_shape": "spatial_size"},
        note=_VOLUME_NOTE,
    ),
    _transform(
        "ScaleIntensityRange",
        "ScaleIntensityRanged",
        "fields! a_min!:if a_max!:if b_min!:if b_max!:if a_offset:if clip:b",
        {**_KEYS, "a_offset": None},
    ),
    _transform(
        "ScaleIntensityOscillation",
        "RandShiftIntensityd",
        "fields! magnitude!:if probability:if",
        {**_RANDOM, "magnitude": "offsets"},
        defaults={"prob": 1.0},
    ),
    _transform(
        "ScaleShiftIntensity",
        "RandShiftIntensityd",
        "fields! shift:if scale:if",
        {**_KEYS, "shift": "offsets", "scale": None},
        defaults={"prob": 1.0, "offsets": 0.1},
        note="for its `scale` add `RandScaleIntensityd`",
    ),
    _transform(
        "AddGaussianNoise",
        "RandGaussianNoised",
        "fields! probability:if variance:if",
        {**_RANDOM, "variance": "std"},
        defaults={**_HALF, "std": 0.316},
        note="`std` is the root of `variance`",
    ),
    _transform(
        "NormalizeNonzeroIntensities", "NormalizeIntensityd", "fields!", _KEYS, defaults={"nonzero": True, "channel_wise": True}
    ),
    _transform("CenterData", "NormalizeIntensityd", "fields! subtrahend divisor", _KEYS),
    _transform("RandomAxisFlip", "automl_run.kernels.RandAxisFlipd", "fields! probability:f", _RANDOM, defaults=dict(_HALF)),
    _transform("RandomSpatialFlip", "RandAxisFlipd", "fields! probability:if", _RANDOM, defaults=dict(_HALF)),
    _transform("RandomRotate3D", "RandRotate90d", "fields! probability:if", _RANDOM, defaults=dict(_HALF)),
    _transform(
        "RandomZoom",
        "RandZoomd",
        "fields image_field:s label_field:s lower_limits upper_limits probability:if",
        {**_RANDOM, "lower_limits": "min_zoom", "upper_limits": "max_zoom", "image_field": None, "label_field": None},
        defaults=dict(_HALF),
        note=_CROP_NOTE,
    ),
    *(
        _transform(name, "RandCropByPosNegLabeld", f"{_CROP_TAKES} {more}", _CROP, note=_CROP_NOTE)
        for name, more in (
            ("CropByPosNegRatio", "batches_to_gen_at_once:i deform:b rotation:b rotation_degree:if scale:b scale_factor:if"),
            ("FastCropByPosNegRatio", "batches_to_gen_at_once:i"),
            ("FastPosNegRatioCropROI", "deform:b rotation:b rotation_degree:if scale:b scale_factor:if fast_crop:b"),
        )
    ),
    _transform(
        "CropFixedSizeRandomCenter",
        "RandSpatialCropd",
        "fields! size!",
        {**_KEYS, "size": "roi_size"},
        defaults={"random_size": False},
    ),
    _transform(
        "CropRandomSizeWithDisplacement",
        "RandSpatialCropd",
        "fields! lower_size! max_displacement",
        {**_KEYS, "lower_size": "roi_size", "max_displacement": None},
        defaults={"random_size": True},
    ),
    _transform("RepeatChannel", "RepeatChanneld", "fields! repeat_times!:i", {**_KEYS, "repeat_times": "repeats"}),
    _transform("SplitAcrossChannels", "SplitDimd", "fields! channel_names", {**_KEYS, "channel_names": "output_postfixes"}),
    _transform("ArgmaxAcrossChannels", "AsDiscreted", "fields!", _KEYS, defaults={"argmax": True}),
    _transform(
        "KeepLargestCC",
        "KeepLargestConnectedComponentd",
        "fields! applied_labels is_independent:b",
        {**_KEYS, "is_independent": "independent"},
    ),
    _transform(
        "SaveAsNifti", "SaveImaged", "fields! out_dir!:s interrupt:b", {**_KEYS, "out_dir": "output_dir", "interrupt": None}
    ),
    _transform(
        "AddExtremePointsChannel",
        "AddExtremePointsChanneld",
        "image_field! label_field! dtype sigma:if permutation:if rescale_min:if rescale_max:if points_channel_field:s",
        {
            "image_field": "keys",
            "label_field": "label_key",
            "permutation": "pert",
            "dtype": None,
            "points_channel_field": None,
        },
    ),
    OldClass(
        "Dice",
        "Clara 3.x",
        "monai.losses.DiceLoss",
        "skip_background:b is_onehot_targets:b squared_pred:b jaccard:b smooth:f data_format:s label_weights",
        {
            "skip_background": "include_background",
            "is_onehot_targets": "to_onehot_y",
            "smooth": "smooth_nr",
            "data_format": None,
            "label_weights": "weight",
        },
        {"to_onehot_y": True},
        "the two switches mean the opposite; `smooth` is `smooth_dr` too",
    ),
    OldClass(
        "Focal",
        "Clara 3.x",
        "automl_run.engine.targets.mmar.losses.Focal",
        "skip_background:b is_onehot_targets:b gamma:f alpha:f data_format:s",
        {"skip_background": "include_background", "is_onehot_targets": "to_onehot_y", "data_format": None},
        {"to_onehot_y": True},
        "MONAI's `FocalLoss` of probabilities; the two switches mean the opposite",
    ),
    OldClass("CrossEntropy", "Clara 3.x", "torch.nn.CrossEntropyLoss", "data_format:s", {"data_format": None}),
    OldClass("BinaryClassificationLoss", "Clara 3.x", "torch.nn.BCEWithLogitsLoss", "", {}),
    OldClass("MulticlassClassificationLoss", "Clara 3.x", "torch.nn.CrossEntropyLoss", "", {}),
    OldClass(
        "NovoGrad",
        "Clara 3.x",
        "monai.optimizers.Novograd",
        "params lr:f beta1:f beta2:f epsilon:f weight_decay:f grad_averaging:b",
        {"epsilon": "eps", "beta1": None, "beta2": None},
        note="`beta1` and `beta2` are `betas`",
    ),
    OldClass("TFSimpleInferer", "Clara 3.x", "monai.inferers.SimpleInferer", "", {}),
    *(
        OldClass(
            name,
            "Clara 3.x",
            "monai.inferers.SlidingWindowInferer",
            "roi_size! batch_size:i sw_batch_size:i overlap:f",
            {"batch_size": "sw_batch_size"},
        )
        for name in ("TFScanWindowInferer", "ScanWindowInferer")
    ),
    OldClass(
        "DecayLRonStep",
        "Clara 3.x",
        "torch.optim.lr_scheduler.StepLR",
        "optimizer decay_ratio:f decay_freq:i",
        {"decay_ratio": "gamma", "decay_freq": "step_size"},
    ),
)

_OF_MONAI_0: Final = (
    *(
        OldClass(
            f"AddChannel{end}", "MONAI 0.x", f"{_TRANSFORMS}.EnsureChannelFirst{end}", takes, {}, {"channel_dim": "no_channel"}
        )
        for end, takes in (("", ""), ("d", "keys! allow_missing_keys:b"), ("D", "keys! allow_missing_keys:b"))
    ),
    *(
        OldClass(f"AsChannelFirst{end}", "MONAI 0.x", f"{_CHANNEL_FIRST}{end}", takes, {}, {"channel_dim": -1})
        for end, takes in (
            ("", "channel_dim:i"),
            ("d", "keys! channel_dim:i allow_missing_keys:b"),
            ("D", "keys! channel_dim:i allow_missing_keys:b"),
        )
    ),
    OldClass("SplitChannel", "MONAI 0.x", f"{_TRANSFORMS}.SplitDim", "channel_dim:i", {"channel_dim": "dim"}),
    *(
        OldClass(
            f"SplitChannel{end}",
            "MONAI 0.x",
            f"{_TRANSFORMS}.SplitDim{end}",
            "keys! output_postfixes channel_dim:i allow_missing_keys:b",
            {"channel_dim": "dim"},
        )
        for end in ("d", "D")
    ),
    *(
        OldClass(f"{kind}{end}", "MONAI 0.x", f"{_TRANSFORMS}.LoadImage{end}", f"{keys} dtype {more}".strip(), gone, given)
        for kind, given, gone, more in (
            ("LoadNifti", {}, {}, "as_closest_canonical:b image_only:b"),
            ("LoadPNG", {"reader": "PILReader"}, {}, "image_only:b"),
            ("LoadNumpy", {"reader": "NumpyReader"}, {"data_only": "image_only", "npz_keys": None}, "data_only:b npz_keys"),
        )
        for end, keys in (("d", "keys!"), ("D", "keys!"))
    ),
)

OLD_CLASSES: Final[Mapping[str, OldClass]] = {row.name: row for row in (*_OF_CLARA_3, *_OF_MONAI_0)}

#: Old classes that no class of today stands for -> what to do instead.
WITHOUT_SUCCESSOR: Final[Mapping[str, str]] = {
    "AlexNet": "use a network of MONAI, such as `DenseNet121`",
    "Unet3D": "use `UNet`",
    "UnetParallel": "use `UNet`",
    "CropForegroundObject": "use `SpatialCropForegroundd` of `monai.apps.deepgrow.transforms` by its `path`",
    "CropSubImage": "use `SpatialCropd`",
    "CopyProperties": "delete it: MONAI's tensors carry their own metadata",
    "LoadImageMasksFromNumpy": "use `LoadImaged` with `NumpyReader`",
    "MergeBatchDims": "delete it: crops with `num_samples` are batched by the data loader",
    "RandomRotate2D": "use `RandRotated`, whose angles are radians",
    "RandomGaussianSmooth": "use `RandGaussianSmoothd`",
    "RestoreOriginalShape": "use `Invertd` in `validate.post_transforms`",
    "SplitBasedOnBratsClasses": "use `ConvertToMultiChannelBasedOnBratsClassesd`",
    "SplitBasedOnLabel": "use `LabelToMaskd`",
    "ThresholdValues": "use `ThresholdIntensityd`",
    "DiceMaskedOutput": "use `MeanDice` as `validate.key_metric`",
    "NegLoss": "delete it: the loss is reported as `train_loss`",
    "ComputeAverage": "use `MeanDice` as `validate.key_metric`",
    "ComputeAverageDice": "use `MeanDice` as `validate.key_metric`",
    "ComputeAUC": "use `ROCAUC` as `validate.key_metric`",
    "ReducePoly": "use `PolynomialLR`, whose `power` is `poly_power` and `total_iters` the epochs",
    "ReduceCosine": "use `CosineAnnealingLR`, whose `T_max` are the epochs",
    "ReduceOnPlateau": "use `ReduceLROnPlateau`",
    "SegmentationImagePipeline": "use `CacheDataset` as `dataset` and `DataLoader` as `dataloader`",
    "SegmentationImagePipelineWithCache": "use `SmartCacheDataset` as `dataset` and `DataLoader` as `dataloader`",
    "SegmentationKerasImagePipeline": "use `CacheDataset` as `dataset` and `DataLoader` as `dataloader`",
    "SegmentationKerasImagePipelineWithCache": "use `SmartCacheDataset` as `dataset` and `DataLoader` as `dataloader`",
    "ClassificationImagePipeline": "use `CacheDataset` as `dataset` and `DataLoader` as `dataloader`",
    "SegmentationSaver": "use `SaveImaged` in `validate.post_transforms`",
    "TransformInverter": "use `Invertd` in `validate.post_transforms`",
}

#: Parts of a config of Clara 3.x, which is translated as a whole.
OF_CLASSIC_CONFIGS: Final = frozenset(
    name
    for name in WITHOUT_SUCCESSOR
    if name.startswith(("Compute", "Reduce", "Segmentation")) or name in ("DiceMaskedOutput", "NegLoss", "MergeBatchDims")
) - {"SegmentationSaver"}

#: Arguments that older files give and today's classes do not have: (classes, old name, today's name or None when it does nothing).
#: "*" stands for every class that has today's name.
OLD_ARGUMENTS: Final[tuple[tuple[str, str, str | None], ...]] = (
    ("*", "dimensions", "spatial_dims"),
    ("*", "channel_indexes", "channel_indices"),
    ("*", "as_tensor_output", None),
    ("*", "meta_keys", None),
    ("*", "meta_key_postfix", None),
    ("*", "do_softmax", "softmax"),
    ("*", "do_sigmoid", "sigmoid"),
    ("*", "do_onehot_y", "to_onehot_y"),
    ("AsDiscrete AsDiscreted AsDiscreteD", "n_classes", "to_onehot"),
    ("AsDiscrete AsDiscreted AsDiscreteD", "num_classes", "to_onehot"),
    ("AsDiscrete AsDiscreted AsDiscreteD", "threshold_values", "threshold"),
    ("AsDiscrete AsDiscreted AsDiscreteD", "logit_thresh", "threshold"),
    ("KeepLargestConnectedComponent KeepLargestConnectedComponentd", "independent_per_channel", "independent"),
    ("Resized Zoomd RandZoomd", "interp_order", None),
    ("Spacingd", "interp_order", None),
    ("SaveImaged SaveImage", "save_batch", None),
    ("SupervisedTrainer SupervisedEvaluator EnsembleEvaluator", "post_transform", "postprocessing"),
    ("MeanDice", "to_onehot_y", None),
    ("MeanDice", "mutually_exclusive", None),
    ("MeanDice", "sigmoid", None),
    ("MeanDice", "softmax", None),
    ("MeanDice", "other_act", None),
    ("MeanDice", "logit_thresh", None),
    ("MeanDice", "add_sigmoid", None),
    ("MeanDice SurfaceDistance HausdorffDistance ROCAUC", "device", None),
    ("ROCAUC", "to_onehot_y", None),
    ("ROCAUC", "softmax", None),
    ("ROCAUC", "other_act", None),
    (
        "ReduceLROnPlateau StepLR MultiStepLR ExponentialLR CosineAnnealingLR LambdaLR CyclicLR OneCycleLR PolynomialLR",
        "verbose",
        None,
    ),
    ("CosineAnnealingWarmRestarts LinearLR ConstantLR SequentialLR", "verbose", None),
)

#: Functions that `#expressions` may name by an old name.
OLD_FUNCTIONS: Final[Mapping[str, str]] = {
    "monai.metrics.compute_meandice": "monai.metrics.compute_dice",
}
