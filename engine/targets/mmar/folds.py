"""A fold of an MMAR: the list that `train.dataset` names, split, one part of it to validate on.

The lists of a fold and the config that names them are written into the job's `config/`, so that what lies there is what was run.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from automl_run.dsl.ir import Value
from automl_run.engine.files import write_whole
from automl_run.engine.folds import Fold, split
from automl_run.errors import InputError

from . import data_list

#: The data list of a fold, in the job's `config/`: `training` and `validation`, all paths absolute.
FILE: Final = "data_list.json"
_KEYS: Final = {"train": "training", "validate": "validation"}


def check_folds(config: Mapping[str, Value], root: Path, count: int) -> None:
    """InputError unless the training data of a rendered config can be split into `count` folds."""
    source = _source(config, root)
    items = data_list.read(source)
    if len(items) < count:
        raise InputError(f"folds = {count}: `{source.key}` of the data list {source.file} has only {len(items)} items")


def with_fold(config: Mapping[str, Value], root: Path, fold: Fold, folder: Path, config_name: str) -> dict[str, Value]:
    """`config` on the data of this fold; it and its lists are in `folder` when this returns. InputError as `check_folds`."""
    source = _source(config, root)
    own = folder / FILE
    if source.file.name == FILE and _fold_of(source.file) == fold:
        return dict(config)  # run again, by hand
    training, validation = split(data_list.resolved(source), fold)
    new = copy.deepcopy(dict(config))
    for section, key in _KEYS.items():
        for dataset in _datasets(new, section):
            dataset |= {"data_list_file_path": str(own), "data_list_key": key}
            dataset.pop("data_file_base_dir", None)
    write_whole(own, _json({"fold": msgspec.to_builtins(fold), "training": training, "validation": validation}))
    write_whole(folder / config_name, _json(new))
    return new


def with_absolute_data(config: Mapping[str, Value], root: Path) -> dict[str, Value]:
    """`config` with data lists, and what their paths are relative to, as absolute paths: it means the same from any folder."""
    new = copy.deepcopy(dict(config))
    for section in _KEYS:
        for dataset in _datasets(new, section):
            source = data_list.source_of(dataset, root, f"{section}.dataset")
            if source is not None:
                dataset |= {"data_list_file_path": str(source.file), "data_file_base_dir": str(source.base)}
    return new


def _json(data: object) -> bytes:
    return (json.dumps(data, indent=4, ensure_ascii=False) + "\n").encode(errors="surrogatepass")


def _fold_of(file: Path) -> Fold | None:
    """The fold that a data list is of."""
    try:
        return msgspec.convert(json.loads(file.read_bytes()).get("fold"), Fold)
    except (OSError, ValueError, AttributeError):
        return None


def _source(config: Mapping[str, Value], root: Path) -> data_list.DataSource:
    found = [data_list.source_of(dataset, root, "train.dataset") for dataset in _datasets(config, "train")]
    if not found or found[0] is None:
        raise InputError("folds need a data list to split: `train.dataset` has no `data_list_file_path`")
    return found[0]


def _datasets(config: Mapping[str, Value], section: str) -> Iterator[dict[str, Value]]:
    part = config.get(section)
    node = part.get("dataset") if isinstance(part, dict) else None
    for item in node if isinstance(node, list) else [node]:
        if isinstance(item, dict) and item.get("data_list_file_path") is not None:
            yield item
