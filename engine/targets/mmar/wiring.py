"""What Clara 4.0 wired by itself, written out as Clara 4.1 wants it: references between the parts, and metrics by their role.

    {"name": "Adam", "args": {"lr": 1e-4}}  ->  {"name": "Adam", "args": {"params": "#@model.parameters()", "lr": 1e-4}}

A config of Clara 3.x is brought into that form first. A config of 4.1 comes out as it went in: only what is not given is added,
and an engine is wired only where it has no network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from automl_run.dsl.ir import Value

from .classic import is_classic, modern

Node = dict[str, Value]
Config = Mapping[str, Value]

_SECTIONS: Final = ("train", "validate")
_PARTS: Final[Mapping[str, Node]] = {
    "optimizer": {"params": "#@model.parameters()"},
    "lr_scheduler": {"optimizer": "@optimizer"},
    "dataloader": {"dataset": "@dataset"},
}
_HANDLERS: Final[Mapping[str, Node]] = {
    "LrScheduleHandler": {"lr_scheduler": "@lr_scheduler"},
    "ValidationHandler": {"validator": "@evaluator"},
}
_DICTS: Final = ("load_dict", "save_dict")
#: Argument of an engine -> the part of its section (of `train` where it has none) that stands for it.
_ENGINES: Final[Mapping[str, Mapping[str, str]]] = {
    "trainer": {
        "train_data_loader": "dataloader",
        "network": "model",
        "loss_function": "loss",
        "optimizer": "optimizer",
        "inferer": "inferer",
        "iteration_update": "iteration",
        "postprocessing": "post_transforms",
        "key_train_metric": "key_metric",
        "additional_metrics": "additional_metrics",
        "train_handlers": "handlers",
    },
    "evaluator": {
        "val_data_loader": "dataloader",
        "network": "model",
        "inferer": "inferer",
        "iteration_update": "iteration",
        "postprocessing": "post_transforms",
        "key_val_metric": "key_metric",
        "additional_metrics": "additional_metrics",
        "val_handlers": "handlers",
    },
}
_MODEL: Final = "model"


def wired(config: Config) -> Node:
    """`config` with every reference that a part needs and does not give. Pure: nothing of `config` is changed."""
    config = modern(config) if is_classic(config) else config
    out = dict(config)
    train = config.get("train")
    for name in _SECTIONS:
        section = config.get(name)
        if isinstance(section, dict):
            out[name] = _section(section, train if isinstance(train, dict) else {}, config)
    return out


def _section(section: Config, train: Config, config: Config) -> Node:
    out = _metrics_by_role(section)
    for key, given in _PARTS.items():
        if key in out:
            out[key] = _each(out[key], partial(_with, given=given))
    if "dataset" in out and "pre_transforms" in out:
        out["dataset"] = _each(out["dataset"], _transformed)
    if "handlers" in out:
        out["handlers"] = _each(out["handlers"], _handler)
    for key, arguments in _ENGINES.items():
        if key in out:
            known = {*out, *((_MODEL,) if _MODEL in train else ())}
            engine: Node = {argument: f"@{part}" for argument, part in arguments.items() if part in known}
            if key == "trainer" and "epochs" in config:
                engine["max_epochs"] = config["epochs"]
            out[key] = _each(out[key], partial(_engine, given=engine))
    return out


def _metrics_by_role(section: Config) -> Node:
    """`metrics`, one of them the key metric, as `key_metric` and `additional_metrics`."""
    out = dict(section)
    metrics = section.get("metrics")
    if "key_metric" in section or not isinstance(metrics, list):
        return out
    named = [metric for metric in metrics if isinstance(metric, dict)]
    key = next((metric for metric in named if metric.get("is_key_metric") is True), named[0] if named else None)
    if key is None:
        return out
    del out["metrics"]
    others: list[Value] = [metric for metric in named if metric is not key]
    return {**out, "key_metric": key, **({"additional_metrics": others} if others else {})}


def _each(node: Value, change: Callable[[Node], Node]) -> Value:
    """`node` with `change` made to the component there, or to those of its list."""
    if isinstance(node, list):
        return [_each(item, change) for item in node]
    return change(node) if isinstance(node, dict) and ("name" in node or "path" in node) else node


def _args(part: Config) -> Node:
    args = part.get("args")
    return args if isinstance(args, dict) else {}


def _with(part: Node, given: Config) -> Node:
    args = _args(part)
    missing = {key: value for key, value in given.items() if key not in args}
    return {**part, "args": {**missing, **args}} if missing else part


def _engine(part: Node, given: Config) -> Node:
    return part if "network" in _args(part) else _with(part, given)


def _transformed(part: Node) -> Node:
    """A dataset that is made from a data list goes through the section's transforms."""
    if part.get("data_list_file_path") is None:
        return part
    no_cache: Node = {"cache_dir": None} if part.get("name") == "PersistentDataset" else {}
    return _with(part, {"transform": "@pre_transforms", **no_cache})


def _handler(part: Node) -> Node:
    name = str(part.get("name", "")).partition("#")[0]
    part = _with(part, _HANDLERS.get(name, {}))
    args = _args(part)
    lists = {key: args[key] for key in _DICTS if isinstance(args.get(key), list)}
    if not lists:
        return part
    made: Node = {key: {str(name): f"@{name}" for name in value} for key, value in lists.items() if isinstance(value, list)}
    return {**part, "args": {**args, **made}}
