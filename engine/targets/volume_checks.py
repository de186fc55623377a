"""What can be known of a data list before anything trains: items without what is loaded, files that are not there, headers that do
not fit.

Only headers are read, of NIfTI files, and only for a bounded time: a list of thousands on a slow disk must not hold a study up.
Of a file in another format, and of a folder (a DICOM series), it is known that it exists. Imports neither torch nor MONAI.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

#: How long headers are read, whatever the length of the list.
TIME_LIMIT_S: Final = 5.0
#: The volume, and what must be on its grid.
KEYS: Final = ("image", "label")
_ENDS: Final = (".nii", ".nii.gz", ".hdr", ".img")
_SPATIAL: Final = 3
_NAMED: Final = 3

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with what item number `index` has under `key`: with the file at `path`, or None where there is no path."""

    kind: Literal["pathless", "missing", "unreadable", "shape"]
    index: int
    key: str
    path: Path | None
    message: str


@dataclass(frozen=True, slots=True)
class Findings:
    """`faults`: one per file, in the order of the list; `files`: of how many. Where items lack paths, one per item, of that many.

    `unread`: items whose headers there was no time for.
    """

    faults: tuple[Fault, ...]
    files: int
    unread: int = 0


def check_volumes(
    items: Sequence[Mapping[str, object]],
    keys: Sequence[str] = KEYS,
    *,
    needed: Sequence[str] = (),
    alike: Sequence[str] | None = None,
    base: Path | None = None,
    limit_s: float = TIME_LIMIT_S,
    clock: Callable[[], float] = time.monotonic,
) -> Findings:
    """Items without a path under a `needed` key; else every missing file; else headers that cannot be read, and other grids.

    An item holds a path or a list of paths (channels) under one of `keys`. Of `alike`, all `keys` if None, the others have the grid
    of the first. `base`: what paths are relative to. Items are taken in an order that spreads over the list, so that what there is
    time for is no mere beginning.
    """
    pathless = tuple(fault for index, item in enumerate(items) for fault in _pathless(item, index, needed))
    if pathless:
        return Findings(pathless, len(items))
    files = {file: (index, key) for index, key, file in reversed(list(_files(items, keys, base)))}
    missing = [Fault("missing", *files[file], file, "there is no such file") for file in reversed(files) if not _exists(file)]
    if missing:
        return Findings(tuple(missing), len(files))
    shapes: dict[Path, Shape | str | None] = {}
    found: dict[Path, Fault] = {}
    end = clock() + limit_s
    for done, index in enumerate(_spread(len(items))):
        if clock() >= end:
            return Findings(_in_order(found), len(files), len(items) - done)
        for path, fault in _item(items[index], index, keys, keys if alike is None else alike, base, shapes):
            found.setdefault(path, fault)
    return Findings(_in_order(found), len(files))


def told(findings: Findings, named_by: str) -> str:
    """All faults of the first one's kind in a sentence or two: all counted, the first few named. "" where there are none.

    `named_by` says what names the files: "`training` of /data/list.json".
    """
    if not findings.faults:
        return ""
    kind = findings.faults[0].kind
    alike = [fault for fault in findings.faults if fault.kind == kind]
    noun = "item" if kind == "pathless" else "file"
    number = len({fault.index for fault in alike}) if noun == "item" else len(alike)
    count = f"{number} of the {findings.files} {noun}s" if findings.files > 1 else f"the {noun}"
    verb = "are" if number > 1 else "is"
    what = {
        "pathless": f"{count} of {named_by} {'have' if number > 1 else 'has'} no path where one is loaded",
        "missing": f"{count} named by {named_by} {verb} not there",
        "unreadable": f"{count} named by {named_by} cannot be read",
        "shape": f"{count} named by {named_by} {'have' if number > 1 else 'has'} another shape than the image",
    }[kind]
    named = [f"  [{fault.index}].{fault.key}: {_shown_fault(fault)}" for fault in alike[:_NAMED]]
    more = [f"  and {len(alike) - _NAMED} more"] if len(alike) > _NAMED else []
    return "\n".join([f"{what}:", *named, *more])


def _shown_fault(fault: Fault) -> str:
    if fault.path is None:
        return fault.message
    return str(fault.path) if fault.kind == "missing" else f"{fault.path}: {fault.message}"


def _pathless(item: Mapping[str, object], index: int, needed: Sequence[str]) -> Iterator[Fault]:
    for key in needed:
        if key not in item:
            known = ", ".join(f"`{name}`" for name in item) or "nothing"
            yield Fault("pathless", index, key, None, f"there is no such key; the item has {known}")
        elif (wrong := _no_path(item[key])) is not None:
            yield Fault("pathless", index, key, None, f"{wrong} is no path")


def _no_path(value: object) -> str | None:
    """What is surely none, as the list has it. An array may be what a bundle's own code has read already."""
    match value:
        case None | bool() | int() | float() | str() if not value or not isinstance(value, str):
            return json.dumps(value)
        case list() | tuple() if not value:
            return "an empty list"
        case list() | tuple():
            return next((wrong for one in value if (wrong := _no_path(one)) is not None), None)
        case dict():
            return "an object"
        case _:
            return None


def _files(items: Iterable[Mapping[str, object]], keys: Sequence[str], base: Path | None) -> Iterator[tuple[int, str, Path]]:
    for index, item in enumerate(items):
        for key in keys:
            for file in _paths(item.get(key), base):
                yield index, key, file


def _paths(value: object, base: Path | None) -> Iterator[Path]:
    if isinstance(value, (str, Path)) and str(value):
        yield Path(value) if base is None else base / value
    elif isinstance(value, list):
        for one in value:
            yield from _paths(one, base)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _spread(count: int) -> Iterator[int]:
    """0..count-1, first every 64th, then those between."""
    stride = 64
    for start in sorted(range(stride), key=lambda offset: int(f"{offset:06b}"[::-1], 2)):
        yield from range(start, count, stride)


def _in_order(found: Mapping[Path, Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(found.values(), key=lambda fault: fault.index))


def _item(
    item: Mapping[str, object],
    index: int,
    keys: Sequence[str],
    alike: Sequence[str],
    base: Path | None,
    shapes: dict[Path, Shape | str | None],
) -> Iterator[tuple[Path, Fault]]:
    reference: Shape | None = None
    for key in keys:
        for file in _paths(item.get(key), base):
            if file not in shapes:
                shapes[file] = _shape(file)
            shape = shapes[file]
            if isinstance(shape, str):
                yield file, Fault("unreadable", index, key, file, shape)
            elif shape is None or key not in alike:
                continue
            elif reference is None:
                # What has a shape to compare is a volume under the first key only.
                if key == alike[0]:
                    reference = shape
            elif _grid(shape) != _grid(reference):
                text = f"it has {_shown(shape)} voxels, the {alike[0]} {_shown(reference)}"
                yield file, Fault("shape", index, key, file, text)


def _shape(path: Path) -> Shape | str | None:
    """The shape that the header says; a text where it cannot be read; None for a file of another format."""
    if not path.name.lower().endswith(_ENDS) or path.is_dir():
        return None
    import nibabel

    try:
        return tuple(int(extent) for extent in nibabel.load(path).shape)
    except Exception as error:  # whatever a damaged header makes of it
        return "it is empty" if _is_empty(path) else f"it is no NIfTI file ({type(error).__name__}: {error})"


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def _grid(shape: Shape) -> Shape:
    """The spatial extents: channels come after them in NIfTI, and an extent of 1 at the end is none."""
    spatial = list(shape[:_SPATIAL])
    while len(spatial) > 1 and spatial[-1] == 1:
        spatial.pop()
    return tuple(spatial)


def _shown(shape: Shape) -> str:
    return " x ".join(map(str, shape[:_SPATIAL]))
