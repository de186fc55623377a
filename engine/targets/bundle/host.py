"""One job's configuration made to fit where it runs: its seed, its folder, a host without a GPU. Values in, values out.

What is changed is written into the job's own configuration, so that MONAI alone does the same from it.
"""

from __future__ import annotations

import copy
import importlib.util
import re
from pathlib import Path
from typing import Final

from automl_run.dsl.ir import Value

from .layout import FOLD, FOLDS, Ids, dicts, short

_SEEDS = re.compile(r"\bset_determinism\(")
_LITERAL_SEED = re.compile(r"\bset_determinism\(\s*(?:seed\s*=\s*)?(\d+)")


def fitted(config: dict[str, Value], root: Path, has_gpu: bool) -> tuple[dict[str, Value], list[str]]:
    """The configuration of a bundle at `root` as it can be run here, and the ids of handlers that are silent."""
    config = rooted(config if has_gpu else without_gpu(config), root)
    absent = [prefix for package, prefix in LOGGERS.items() if importlib.util.find_spec(package) is None]
    return without_handlers(config, tuple(absent))


def own_seed(config: dict[str, Value], ids: Ids) -> int:
    """The seed that the bundle itself sets as a number; 0 where it sets none."""
    for expression in _expressions(config.get(ids.initialize)):
        found = _LITERAL_SEED.search(expression)
        if found:
            return int(found[1])
    return 0


def seeded(config: dict[str, Value], ids: Ids, seed: int) -> dict[str, Value]:
    """With `seed` in place of the bundle's own; a bundle that sets none is seeded before all else."""
    ours = f"$monai.utils.set_determinism(seed={seed})"
    out: list[Value] = []
    for expression in _expressions(config.get(ids.initialize)):
        out.append(expression)
        if _SEEDS.search(expression):
            # What follows may change what it also sets, such as cuDNN's benchmark.
            out.append(ours)
    if ours not in out:
        out.insert(0, ours)
    return {**config, ids.initialize: out}


def _expressions(value: Value) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str)]


def folded(config: dict[str, Value], number: int, count: int) -> dict[str, Value]:
    """With fold `number` of `count`, for a configuration that has the ids for them."""
    return {**config, **{id: value for id, value in ((FOLD, number), (FOLDS, count)) if id in config}}


def rooted(config: dict[str, Value], root: Path) -> dict[str, Value]:
    """With texts like `../data`, which name something seen from the bundle's root, absolute: a job's folder lies elsewhere."""
    return {key: _rooted(value, root) for key, value in config.items()}


def _rooted(value: Value, root: Path) -> Value:
    match value:
        case str() if value == ".." or value.startswith("../"):
            return str((root / value).resolve()) if (root / value).exists() else value
        case dict():
            return {key: _rooted(child, root) for key, child in value.items()}
        case list():
            return [_rooted(child, root) for child in value]
        case _:
            return value


# -- no GPU -----------------------------------------------------------------------------------------------------------------

_DEVICE = re.compile(r"(?:cuda|gpu)(?::\d+)?")
#: Expressions that only a host with a GPU can evaluate, and what they are here.
_CUDA: Final = (
    (re.compile(r"""torch\.device\(\s*f?(['"])cuda[^()]*(?:\([^()]*\)[^()]*)*\)"""), "torch.device('cpu')"),
    (re.compile(r"\.cuda\([^()]*\)"), ".cpu()"),
    (re.compile(r"""(backend\s*=\s*)(['"])nccl\2"""), r"\1'gloo'"),
)
_NOTHING_HERE = re.compile(r"\$\s*torch\.cuda\.(?:set_device|empty_cache|manual_seed\w*)\(.*\)\s*")
_ARGUMENTS_OF_DDP: Final = ("device_ids", "output_device")


def without_gpu(config: dict[str, Value]) -> dict[str, Value]:
    """The configuration for a host that has none: devices are the CPU, no mixed precision, `gloo` between processes."""
    config = copy.deepcopy(config)
    for part in dicts(config):
        for name in [name for name in _ARGUMENTS_OF_DDP if str(part.get("_target_", "")).endswith("DistributedDataParallel")]:
            part.pop(name, None)
        if "amp" in part and (part["amp"] is True or isinstance(part["amp"], str)):
            part["amp"] = False
    return {key: _on_cpu(value) for key, value in config.items()}


def _on_cpu(value: Value) -> Value:
    match value:
        case str() if _DEVICE.fullmatch(value):
            return "cpu"
        case str() if _NOTHING_HERE.fullmatch(value):
            return "$None"
        case str() if value.startswith("$") and "is_available" not in value:
            for pattern, there in _CUDA:
                value = pattern.sub(there, value)
            return value
        case dict():
            return {key: _on_cpu(child) for key, child in value.items()}
        case list():
            return [_on_cpu(child) for child in value]
        case _:
            return value


# -- what is not installed ----------------------------------------------------------------------------------------------------

#: Packages that handlers log to, each with what the handlers' names begin with.
LOGGERS: Final = {"tensorboard": "TensorBoard", "mlflow": "MLFlow", "clearml": "ClearML"}


#: A handler that attaches nothing: lists keep their length, which configurations count on, and references their meaning.
_SILENT: Final[dict[str, Value]] = {"_target_": "StatsHandler", "iteration_log": False, "epoch_log": False}


def without_handlers(config: dict[str, Value], prefixes: tuple[str, ...]) -> tuple[dict[str, Value], list[str]]:
    """With silent handlers in place of those whose class is called so, and their ids."""
    replaced: list[str] = []
    return {key: _silenced(value, key, prefixes, replaced) for key, value in config.items()}, replaced


def _silenced(value: Value, id: str, prefixes: tuple[str, ...], replaced: list[str]) -> Value:
    match value:
        case dict() if prefixes and short(value.get("_target_")).startswith(prefixes):
            replaced.append(id)
            kept = {key: value[key] for key in ("_disabled_",) if key in value}
            return {**_SILENT, **kept}
        case dict():
            return {key: _silenced(child, f"{id}#{key}", prefixes, replaced) for key, child in value.items()}
        case list():
            return [_silenced(child, f"{id}#{index}", prefixes, replaced) for index, child in enumerate(value)]
        case _:
            return value
