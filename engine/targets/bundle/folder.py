"""A job's folder as a bundle of its own: the user's, seen through links, with its own configurations, models and outputs.

Nothing that a job writes lands in the user's bundle: what the configuration writes to is never linked. Code and configurations are
copied, so that the folder says what the job ran; weights that the configuration names are copied because handlers write over them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from automl_run.dsl.ir import Value

from .layout import CONFIGS, MODELS, dicts, texts

#: Outputs by the habit of MONAI's bundles and handlers, and what is nobody's input.
_NEVER: Final = frozenset({MODELS, "eval", "runs", "automl", "__pycache__"})
_COPIED_LIMIT: Final = 4 << 20
_CODE: Final = (".py", ".json", ".yaml", ".yml", ".conf", ".txt", ".md", ".csv")
_ARGUMENTS_OF_OUTPUTS: Final = ("key_metric_filename", "final_filename")


def make(root: Path, job_dir: Path, config: dict[str, Value], *, to_read: bool = False) -> None:
    """Fills `job_dir` from the bundle at `root`. What is there already stays. OSError when it cannot be written.

    `to_read`: nothing will be trained there, so that weights need no copies.
    """
    _into(root, job_dir, job_dir.resolve())
    models = job_dir / MODELS
    if to_read and (root / MODELS).is_dir():
        models.symlink_to((root / MODELS).resolve())
        return
    models.mkdir(exist_ok=True)
    for file in _named_weights(root / MODELS, config):
        copy = models / file.relative_to(root / MODELS)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)


def unlink(job_dir: Path, outputs: Iterable[Path]) -> None:
    """Takes away the links through which `outputs`, absolute or relative to `job_dir`, would be written."""
    for output in outputs:
        place = job_dir
        for part in Path(os.path.relpath(job_dir / output, job_dir)).parts:
            place = place / part
            if part == ".." or not (place.exists() or place.is_symlink()):
                break
            if place.is_symlink():
                place.unlink()
                break


def _into(source: Path, folder: Path, job_dir: Path) -> None:
    for entry in sorted(source.iterdir()):
        place = folder / entry.name
        is_outside = entry.name in _NEVER or entry.name.startswith(".") or entry.suffix == ".automl"
        if is_outside or job_dir.is_relative_to(entry.resolve()):
            continue
        if place.is_dir() and entry.is_dir() and not place.is_symlink():
            _into(entry, place, job_dir)
        elif place.exists() or place.is_symlink():
            continue
        elif entry.is_dir() and (entry.name == CONFIGS or _is_code(entry)):
            place.mkdir()
            _into(entry, place, job_dir)
        elif entry.is_file() and entry.suffix in _CODE and entry.stat().st_size <= _COPIED_LIMIT:
            shutil.copy2(entry, place)
        else:
            place.symlink_to(entry.resolve(), target_is_directory=entry.is_dir())


def _is_code(folder: Path) -> bool:
    """Whether Python can import something from here."""
    return any(entry.suffix == ".py" for entry in folder.iterdir())


def _named_weights(models: Path, config: dict[str, Value]) -> Iterator[Path]:
    """The files of the bundle's `models/` that the configuration names, other than as what it writes."""
    if not models.is_dir():
        return
    written = {value for part in dicts(config) for key in _ARGUMENTS_OF_OUTPUTS if isinstance(value := part.get(key), str)}
    said = [text for text in texts(config) if text not in written]
    for file in sorted(models.rglob("*")):
        if file.is_file() and any(file.name in text for text in said):
            yield file
