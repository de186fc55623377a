"""Data lists in the form of the Medical Segmentation Decathlon: one JSON file, a list of items per key, paths in the items.

    {"training": [{"image": "imagesTr/a.nii.gz", "label": "labelsTr/a.nii.gz"}], "validation": [...]}

An item may hold more keys than paths (a fold, a subject's number), and a list of paths where one array has several channels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.ir import Value
from automl_run.errors import InputError


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where a section's data come from. `base`: what paths in the list are relative to."""

    file: Path
    base: Path
    key: str


def source_of(dataset: Mapping[str, Value], root: Path, place: str) -> DataSource | None:
    """What `dataset` says, relative paths taken from `root`; None if it names no list. InputError for values of the wrong type."""
    if dataset.get("data_list_file_path") is None:
        return None
    texts: dict[str, str] = {}
    for name, default in (("data_list_file_path", None), ("data_file_base_dir", ""), ("data_list_key", "training")):
        value = dataset.get(name, default)
        if not isinstance(value, str):
            raise InputError(f"{place}: `{name}` must be a text, not {value!r}")
        texts[name] = value
    file = root / Path(texts["data_list_file_path"]).expanduser()
    base = root / Path(texts["data_file_base_dir"]).expanduser() if texts["data_file_base_dir"] else file.parent
    return DataSource(file, base, texts["data_list_key"])


def read(source: DataSource) -> list[Mapping[str, Value]]:
    """The items of the list as they are written. InputError when it cannot be read or has no such key."""
    try:
        data = json.loads(source.file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"the data list {source.file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"the data list {source.file} is not JSON: {error}") from error
    if not isinstance(data, dict) or source.key not in data:
        known = [key for key, value in data.items() if isinstance(value, list)] if isinstance(data, dict) else []
        hint = did_you_mean(source.key, known)
        raise InputError(f"the data list {source.file} has no list `{source.key}`" + (f" ({hint})" if hint else ""))
    items = data[source.key]
    if not isinstance(items, list) or not items:
        raise InputError(f"`{source.key}` of the data list {source.file} is empty or no list")
    out: list[Mapping[str, Value]] = []
    for index, item in enumerate(items):
        item = {"image": item} if isinstance(item, str) else item
        if not isinstance(item, dict):
            raise InputError(f"`{source.key}[{index}]` of the data list {source.file} is neither a path nor an object")
        out.append(item)
    return out


def resolved(source: DataSource) -> list[dict[str, Value]]:
    """The items with the paths of images and labels, and of other files that exist, made absolute. Raises as `read` does."""
    return [{key: _absolute(value, source.base, key in ("image", "label")) for key, value in item.items()} for item in read(source)]


def _absolute(value: Value, base: Path, surely: bool) -> Value:
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return [_absolute(item, base, surely) for item in value]
    if isinstance(value, str) and value and (surely or (base / value).exists()):
        return str(base / value)
    return value
