"""Volumes that one job has loaded and prepared, on disk for all jobs of the run.

What MONAI's `CacheDataset` keeps in memory, an item after all transforms before the first random one, is stored in `<run>/cache`
under a key of its content: the item with size and time of the files that it names, the transforms with everything they were given,
and the versions of the libraries. Jobs with another value of a searched transform have another key, so nothing is mixed up.
"""

from __future__ import annotations

import contextlib
import copyreg
import fcntl
import hashlib
import io
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from automl_run.engine.files import CACHE

from .import_hook import when_imported

_MODULE: Final = "monai.data.dataset"
_SHARED: Final = "_shared_by_automl_run"
#: Of what is free on the disk when a job starts, where the study names no limit.
_USUAL_SHARE: Final = 0.25
_READERS: Final = "monai.data.image_reader"
#: What MONAI's readers remember of the file that they read last, and set anew for the next one.
_REMEMBERED: Final = frozenset({"filenames", "has_series"})


class SharedCache:
    """Files of at most `limit` bytes together. Safe for several processes and threads; one makes an item, others wait for it."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """What is stored under `key`, else what `make` returns, stored for others if there is room and a disk that works."""
        stored = self.folder / f"{key}.pt"
        try:
            return _load(stored)
        except FileNotFoundError:
            pass
        except Exception as error:  # damaged: what a pickle raises is anything
            print(f"automl-run: {stored} cannot be read ({type(error).__name__}: {error}); it is made again", flush=True)
        with self._alone(key):
            with contextlib.suppress(Exception):
                return _load(stored)
            value = make()
            try:
                self._store(stored, value)
            except (OSError, RuntimeError, pickle.PicklingError, AttributeError, TypeError) as error:
                print(f"automl-run: an item of the cache is not kept: {error}", flush=True)
            return value

    @contextlib.contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """While others wait; where there is no folder to lock in, nobody waits."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / f"{key}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError:
            yield
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _store(self, place: Path, value: Any) -> None:
        import torch

        descriptor, name = tempfile.mkstemp(dir=self.folder, suffix=".writing")
        try:
            with os.fdopen(descriptor, "wb") as file:
                torch.save(value, file)
            if self._size() > self.limit:
                return
            Path(name).replace(place)
        finally:
            Path(name).unlink(missing_ok=True)

    def _size(self) -> int:
        with os.scandir(self.folder) as entries:
            return sum(entry.stat().st_size for entry in entries)


def share_prepared_items(run_dir: Path, limit: int | None, every_dataset: bool) -> None:
    """From now on, in this process and its forks. `limit`: bytes, 0 for none at all, None for a quarter of what is free now.

    `every_dataset`: plain `Dataset`s, too, which prepare an item again whenever it is wanted.
    """
    if limit is None:
        limit = int(shutil.disk_usage(run_dir).free * _USUAL_SHARE)
    if limit > 0:
        cache = SharedCache(run_dir / CACHE, limit)
        when_imported(_MODULE, lambda module: _share(module, cache, every_dataset))


def _load(path: Path) -> Any:
    if not path.exists():
        raise FileNotFoundError(path)
    import torch

    return torch.load(path, weights_only=False)


def _share(module: ModuleType, cache: SharedCache, every_dataset: bool) -> None:
    cached, plain = module.CacheDataset, module.Dataset
    if hasattr(cached._load_cache_item, _SHARED):
        return
    prepare, transform_item = cached._load_cache_item, plain._transform

    @wraps(prepare)
    def prepare_once(self: Any, index: int) -> Any:
        key = key_of(self.data[index], prefix(self.transform), ("contiguous", self.as_contiguous))
        return prepare(self, index) if key is None else cache.get(key, lambda: prepare(self, index))

    @wraps(transform_item)
    def transform_once(self: Any, index: int) -> Any:
        first = prefix(self.transform) if type(self) is plain else []
        key = key_of(self.data[index], first, ()) if first else None
        if key is None:
            return transform_item(self, index)
        item = cache.get(key, lambda: self.transform(self.data[index], end=len(first)))
        return self.transform(item, start=len(first))

    setattr(prepare_once, _SHARED, True)
    cached._load_cache_item = prepare_once
    if every_dataset:
        plain._transform = transform_once


def prefix(transform: Any) -> list[Any]:
    """The transforms of a Compose before the first random one, as MONAI's own caches count; [] for anything else."""
    from monai.transforms import Compose, RandomizableTrait, Transform

    if type(transform) is not Compose:
        return []
    random = (i for i, t in enumerate(transform.transforms) if isinstance(t, RandomizableTrait) or not isinstance(t, Transform))
    return list(transform.transforms[: next(random, len(transform.transforms))])


def key_of(item: object, transforms: list[Any], more: tuple[object, ...]) -> str | None:
    """A key of what the transforms make of the item; None where that cannot be told, or there is nothing to keep."""
    if not transforms:
        return None
    said: list[object] = [version("monai"), version("torch"), more, files_of(item)]
    for part in (item, *transforms):
        pickled = _pickled(part)
        if pickled is None:
            return None
        module = sys.modules.get(type(part).__module__)
        said += [pickled, _stamp(getattr(module, "__file__", None))]
    return hashlib.sha256(repr(said).encode()).hexdigest()


def files_of(item: object) -> list[object]:
    """Size and time of each file that the item names, and of what is in a folder that it names."""
    if isinstance(item, (str, os.PathLike)):
        return [_stamp(item)]
    if isinstance(item, Mapping):
        return [stamp for value in item.values() for stamp in files_of(value)]
    if isinstance(item, (list, tuple)):
        return [stamp for value in item for stamp in files_of(value)]
    return []


def _stamp(path: object) -> object:
    if not isinstance(path, (str, os.PathLike)):
        return None
    try:
        place = Path(path)
        found = place.stat()
        if place.is_dir():
            inside = ((entry.name, entry.stat()) for entry in place.iterdir())
            return sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in inside)
        return found.st_size, found.st_mtime_ns
    except (OSError, ValueError):  # no file, or a text that cannot be the name of one
        return None


class _KeyPickler(pickle.Pickler):
    """Leaves out what a reader remembers: which item was loaded before, or came from the cache, is nothing of the next one."""

    def reducer_override(self, part: Any) -> Any:
        module = sys.modules.get(_READERS)
        if module is None or not isinstance(part, (module.NibabelReader, module.PydicomReader)):
            return NotImplemented
        state = {name: value for name, value in vars(part).items() if name not in _REMEMBERED}
        return copyreg.__newobj__, (type(part),), state  # type: ignore[attr-defined]


def _pickled(part: object) -> bytes | None:
    """Without references to what was pickled before, which depend on which objects happen to be the same one."""
    buffer = io.BytesIO()
    pickler = _KeyPickler(buffer, protocol=4)
    pickler.fast = True
    try:
        pickler.dump(part)
    except Exception:  # whatever a user's class raises: it cannot be told what it does
        return None
    return buffer.getvalue()
