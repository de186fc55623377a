"""A training config of Clara 3.x (TensorFlow) in the form of Clara 4.x: what Clara did there by itself is written out.

    image_pipeline   ->  dataset and dataloader
    lr_policy        ->  lr_scheduler, and the handler that steps it
    learning_rate    ->  the optimizer's `lr`
    metrics          ->  MeanDice under the name of the key one
    aux_ops, num_training_epoch_per_valid  ->  what the validation does, and when

Names of components stay old: `old_names.py` has them. The network keeps its final activation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from automl_run.dsl.ir import Value

Node = dict[str, Value]
Config = Mapping[str, Value]

#: Keys of a section that 4.x has no longer.
_GONE: Final = ("image_pipeline", "lr_policy", "aux_ops", "metrics", "batch_transforms")
_DATA: Final = ("data_list_file_path", "data_file_base_dir", "data_list_key")
_SEGMENTATION: Final = "Segmentation"


def is_classic(config: Config) -> bool:
    """Whether it is a config of Clara 3.x."""
    train = config.get("train")
    return isinstance(train, dict) and "image_pipeline" in train and "trainer" not in train


def modern(config: Config) -> Node:
    """`config`, one of Clara 3.x, as one of 4.0, whose parts are wired by `wiring.py`. Pure."""
    train, validate = _node(config.get("train")), _node(config.get("validate"))
    network = _args(_first(train.get("model")))
    key = _key_metric(validate.get("metrics"), _skips_background(train))
    return {
        **config,
        "train": {
            **{name: value for name, value in train.items() if name not in _GONE},
            **_scheduler(train.get("lr_policy"), config),
            "loss": _losses(train.get("loss")),
            "optimizer": _optimizers(train.get("optimizer"), config),
            **_data(train.get("image_pipeline"), shuffle=True),
            "inferer": {"name": "SimpleInferer"},
            "handlers": _handlers(train, config),
            "trainer": {"name": "SupervisedTrainer"},
        },
        "validate": {
            **{name: value for name, value in validate.items() if name not in _GONE},
            **_data(validate.get("image_pipeline"), shuffle=False),
            "post_transforms": _post_transforms(network.get("num_classes"), network.get("final_activation", "softmax")),
            "key_metric": key,
            "evaluator": {"name": "SupervisedEvaluator"},
        },
    }


def _node(value: Value) -> Node:
    return value if isinstance(value, dict) else {}


def _first(value: Value) -> Node:
    return _node(value[0] if isinstance(value, list) and value else value)


def _args(part: Config) -> Node:
    return _node(part.get("args"))


def _component(name: str, /, **args: Value) -> Node:
    return {"name": name, "args": args}


# -- data -------------------------------------------------------------------------------------------------------------------


def _data(pipeline: Value, *, shuffle: bool) -> Node:
    """A pipeline as dataset and loader; one that is not for segmentation stays, to be told by its name."""
    part = _node(pipeline)
    if not str(part.get("name", "")).startswith(_SEGMENTATION):
        return {"dataset": part} if part else {}
    args = _args(part)
    # Batches that transforms make are those of a crop with several samples of one item.
    size = 1 if args.get("batched_by_transforms") is True else args.get("output_batch_size", 1)
    dataset = _component("CacheDataset", **({"cache_num": args["num_cache_objects"]} if "num_cache_objects" in args else {}))
    dataset |= {key: args[key] for key in _DATA if key in args}
    return {"dataset": dataset, "dataloader": _component("DataLoader", batch_size=size, shuffle=shuffle)}


# -- optimisation -------------------------------------------------------------------------------------------------------------


def _losses(loss: Value) -> Value:
    """`Dice` is a name of today, too: an argument that only 3.x's has says which is meant."""
    if isinstance(loss, list):
        return [_losses(item) for item in loss]
    part = _node(loss)
    return {**part, "args": {"is_onehot_targets": False, **_args(part)}} if part.get("name") in ("Dice", "Focal") else part


def _optimizers(optimizer: Value, config: Config) -> Value:
    if isinstance(optimizer, list):
        return [_optimizers(item, config) for item in optimizer]
    part = _node(optimizer)
    return {**part, "args": {"lr": config.get("learning_rate", 1e-4), **_args(part)}}


def _scheduler(policy: Value, config: Config) -> Node:
    part = _node(policy)
    if not part:
        return {}
    args, epochs = _args(part), config.get("epochs", 1)
    match part.get("name"):
        case "ReducePoly":
            return {"lr_scheduler": _component("PolynomialLR", total_iters=epochs, power=args.get("poly_power", 0.9))}
        case "ReduceCosine":
            return {"lr_scheduler": _component("CosineAnnealingLR", T_max=epochs)}
        case _:
            return {"lr_scheduler": part}


def _handlers(train: Config, config: Config) -> Value:
    interval = config.get("num_training_epoch_per_valid", 1)
    stepping: list[Value] = [_component("LrScheduleHandler", print_lr=True)] if _node(train.get("lr_policy")) else []
    return [*stepping, _component("ValidationHandler", interval=interval, epoch_level=True)]


# -- validation -----------------------------------------------------------------------------------------------------------------


def _skips_background(train: Config) -> bool:
    loss, operations = _first(train.get("loss")), train.get("aux_ops")
    parts = [loss, *(map(_node, operations) if isinstance(operations, list) else ())]
    return any(_args(part).get("skip_background") is True for part in parts)


def _key_metric(metrics: Value, skips_background: bool) -> Node:
    """Dice under the name of the key metric; of 3.x's other metrics nothing is made."""
    named = [_args(_node(metric)) for metric in (metrics if isinstance(metrics, list) else [metrics])]
    key = next((args for args in named if args.get("is_key_metric") is True), named[0] if named else {})
    return {
        **_component(
            "MeanDice",
            include_background=not skips_background,
            output_transform="#monai.handlers.from_engine(['pred', 'label'])",
        ),
        "log_label": key.get("name", "val_mean_dice"),
    }


def _post_transforms(classes: Value, activation: Value) -> Value:
    """Labels and predictions as one channel a class, for a network that has applied its activation."""
    if isinstance(classes, int) and classes > 1:
        return [_component("AsDiscreted", keys=["pred", "label"], argmax=[True, False], to_onehot=classes)]
    chain: list[Value] = []
    if activation in (None, "", "linear", "none"):
        chain.append(_component("Activationsd", keys="pred", sigmoid=True))
    return [*chain, _component("AsDiscreted", keys="pred", threshold=0.5)]
