"""What a user may try when a job ran out of memory: the values of its configuration that decide how much it takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from automl_run.dsl.ir import Value

_SIZES: Final = ("batch_size", "train_batch_size", "val_batch_size", "sw_batch_size", "num_samples")
_PATCHES: Final = ("roi_size", "spatial_size", "patch_size", "img_size")
_LOADING: Final = ("num_workers", "cache_rate", "cache_num", "prefetch_factor", "buffer_size")
_ADVICE: Final = {
    "oom_gpu": ((*_SIZES, *_PATCHES), "a smaller batch or patch, or mixed precision (amp)"),
    "oom_host": ((*_LOADING, *_SIZES), "fewer data loader workers, a smaller cache or a smaller batch"),
}
_MOST: Final = 6


def suggestion(cause: str | None, config: dict[str, Value]) -> str:
    """One sentence with the job's own values, where its configuration names them; "" for any other cause."""
    if cause not in _ADVICE:
        return ""
    keys, otherwise = _ADVICE[cause]
    found = dict.fromkeys(f"{where} = {json.dumps(value)}" for where, key, value in _settings(config, "") if key in keys)
    if not found:
        return f"try {otherwise}"
    amp = "; mixed precision (amp) is off, and would take about half" if cause == "oom_gpu" and config.get("amp") is False else ""
    more = ", ..." if len(found) > _MOST else ""
    return f"try smaller values: the job had {', '.join(list(found)[:_MOST])}{more}{amp}"


def _settings(node: Value, place: str) -> Iterator[tuple[str, str, Value]]:
    """(where, key, value) of each number and each list of numbers; in a component, `where` is its class and the key."""
    if isinstance(node, list):
        for item in node:
            yield from _settings(item, place)
    if not isinstance(node, dict) or node.get("disabled") is True:
        return
    name = node.get("name") or node.get("_target_") or node.get("path")
    if isinstance(name, str) and name:
        place = name.rpartition(".")[2]
    for key, value in node.items():
        if _is_number(value) or (isinstance(value, list) and value and all(map(_is_number, value))):
            yield (f"{place}.{key}" if place else key), key, value
        else:
            yield from _settings(value, place if key == "args" else f"{place}.{key}".lstrip("."))


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
