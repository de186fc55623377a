"""Where a bundle's configuration writes to: found by evaluating it, and moved into the job's folder where it is elsewhere."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from monai.bundle import ConfigParser

from automl_run.dsl.ir import Value

from .layout import MODELS, short

#: Top-level ids of the bundle specification that name output folders, and what they are in a job.
_IDS: Final[Mapping[str, str]] = {"ckpt_dir": f"$@bundle_root + '/{MODELS}'", "output_dir": "$@bundle_root + '/eval'"}
#: Arguments that name a folder which a component writes to.
_ARGUMENTS: Final = ("save_dir", "log_dir", "output_dir", "tensorboard_dir", "log_path")
#: Those whose `output_dir` is where they read from.
_READERS: Final = frozenset({"CheckpointLoader"})


def settle(config: dict[str, Value], job_dir: Path) -> tuple[dict[str, Value], list[Path]]:
    """The configuration with every output folder inside `job_dir`, which is the working directory, and those folders."""
    config = copy.deepcopy(config)
    folders: list[Path] = []
    for id, inside in _IDS.items():
        if id in config:
            folder = _folder(config, id)
            if folder is not None and not _is_inside(folder, job_dir):
                config[id], folder = inside, _folder({**config, id: inside}, id)
            folders += [] if folder is None else [folder]
    for id, part, name in _writers(config, ""):
        folder = _folder(config, f"{id}::{name}" if id else name)
        if folder is not None and not _is_inside(folder, job_dir):
            folder = Path("eval", folder.name or "outputs")
            part[name] = str(folder)
        folders += [] if folder is None else [folder]
    return config, folders


def _writers(value: Value, id: str) -> Iterator[tuple[str, dict[str, Value], str]]:
    """The id of every component that writes, its dict, and the argument that says where."""
    match value:
        case dict():
            if "_target_" in value and short(value["_target_"]) not in _READERS:
                yield from ((id, value, name) for name in _ARGUMENTS if isinstance(value.get(name), str))
            for key, child in value.items():
                yield from _writers(child, f"{id}::{key}" if id else key)
        case list():
            for index, child in enumerate(value):
                yield from _writers(child, f"{id}::{index}")
        case _:
            pass


def _folder(config: dict[str, Value], id: str) -> Path | None:
    """What the text at `id` means; None where that is no path, or cannot be told before the run."""
    with contextlib.suppress(Exception), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        found = ConfigParser(copy.deepcopy(config)).get_parsed_content(id)
        if isinstance(found, (str, Path)) and str(found):
            return Path(found)
    return None


def _is_inside(folder: Path, job_dir: Path) -> bool:
    """Links are not followed: one is taken away where it is in the way of an output."""
    return (not folder.is_absolute() and ".." not in folder.parts) or folder.is_relative_to(job_dir)
