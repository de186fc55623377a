"""Asks a process of its own what is wrong with a bundle, and says it with its places. Imports neither torch nor MONAI."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from automl_run.dsl.ir import Value
from automl_run.dsl.legacy import decode, read_json
from automl_run.dsl.legacy.json_tree import JsonArray, JsonNode, JsonObject
from automl_run.dsl.source import Source, Span
from automl_run.errors import InputError

from .layout import config_folder

#: A list of data may come from a slow disk; what takes longer is left to the first job.
_LIMIT_S: Final = 180.0
_SHOWN: Final = 5
_OTHERS: Final = ("metadata", "inference", "evaluate")


def inspect(root: Path, config: Mapping[str, Value], starts: Sequence[str], metrics: Collection[str]) -> None:
    """InputError with everything that is found wrong with the rendered `config`."""
    question = {"root": str(root), "config": dict(config), "starts": list(starts), "metrics": list(metrics)}
    words = [sys.executable, "-m", "automl_run.engine.targets.bundle.probe"]
    try:
        done = subprocess.run(words, input=json.dumps(question), capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return
    if done.returncode != 0:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), f"exit code {done.returncode}")
        raise InputError(f"Bundle: {root} cannot be looked through: {last}")
    found: list[tuple[str, str]] = json.loads(done.stdout)
    if found:
        lines = [f"{_place(root, id)}{message}" for id, message in found[:_SHOWN]]
        more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        raise InputError("\n".join([*lines, *more]))


def _place(root: Path, id: str) -> str:
    """`train#dataset#data (configs/train.json:118): `, as far as the bundle's own files say."""
    if not id:
        return ""
    shown = id.replace("::", "#")
    parts = id.split("::")
    best: tuple[int, str] = (0, "")
    for file in _files(config_folder(root)):
        depth, line = _line(file, parts)
        if depth > best[0]:
            best = depth, f" ({file.relative_to(root)}:{line})"
    return f"{shown}{best[1]}: "


def _files(folder: Path) -> list[Path]:
    """Configurations of training first."""
    files = [file for file in sorted(folder.iterdir()) if file.suffix in (".json", ".yaml", ".yml") and file.stem not in _OTHERS]
    return sorted(files, key=lambda file: file.stem != "train")


def _line(file: Path, parts: list[str]) -> tuple[int, int]:
    """How many of `parts` the file has, and the line of the last one of these."""
    try:
        source, _ = decode(str(file), file.read_bytes())
    except OSError:
        return 0, 0
    node, depth, at = _read(source, file), 0, Span(source.name, 0, 0)
    while depth < len(parts):
        found = next(_steps(node, parts[depth:]), None)
        if found is None:
            break
        node, at, used = found
        depth += used
    return depth, source.position(at.start)[0]


def _steps(node: JsonNode | None, parts: list[str]) -> Iterator[tuple[JsonNode, Span, int]]:
    """What of `node` the first of `parts` name, where it stands, and how many that are: `"train#trainer"` may be one key."""
    match node:
        case JsonObject():
            for entry in node:
                names = re.split("#|::", entry.key.removeprefix("+"))
                if parts[: len(names)] == names:
                    yield entry.value, entry.key_span, len(names)
        case JsonArray(items) if parts[0].isdecimal() and int(parts[0]) < len(items):
            yield items[int(parts[0])], items[int(parts[0])].span, 1
        case _:
            pass


def _read(source: Source, file: Path) -> JsonNode | None:
    if file.suffix == ".json":
        return read_json(source)[0]
    from automl_run.dsl.bundle_yaml import read_yaml

    return read_yaml(source)[0]
