"""The texts that are open in the editor, and how files are read while they are: an unsaved text stands before the disk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from pygls import uris

_AUTOML_CONFIG = re.compile(r'"(?:controller|executor|handlers)"\s*:')
_SEARCHES = re.compile(r'"(?:search|lr_search|train)"\s*:')


@dataclass(frozen=True, slots=True)
class Document:
    """One open text. `path` is resolved; a text that has no file yet lies in the current folder."""

    uri: str
    path: Path
    version: int | None
    text: str

    @property
    def is_json(self) -> bool:
        return self.path.suffix == ".json"

    @property
    def is_program(self) -> bool:
        """Whether it is one to check: not every JSON file in a folder is a training configuration."""
        if self.path.suffix == ".automl":
            return True
        if not self.is_json or '"_target_"' in self.text:
            return False
        return self.is_automl_config or _SEARCHES.search(self.text) is not None

    @property
    def is_automl_config(self) -> bool:
        """Whether it is the other file of an MMAR, `config_automl.json`, which says how to search."""
        is_called_so = self.is_json and "automl" in self.path.name
        return is_called_so and _SEARCHES.search(self.text) is None and _AUTOML_CONFIG.search(self.text) is not None


#: The open texts at one moment, by resolved path.
Snapshot = Mapping[Path, Document]


def path_of(uri: str) -> Path:
    """The resolved path of `uri`."""
    path = uris.to_fs_path(uri) if uri.startswith("file:") else None
    if path is None:
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", unquote(uri).rpartition("/")[2].rpartition(":")[2]) or "untitled"
        return Path.cwd() / (name if name.endswith((".automl", ".json")) else f"{name}.automl")
    return Path(path).resolve()


def uri_of(path: Path, documents: Snapshot) -> str:
    """The address that the editor knows `path` by."""
    document = documents.get(path.resolve())
    return document.uri if document is not None else uris.from_fs_path(str(path)) or path.as_uri()


#: What a file was when it was read: the version of an open text, or time and size on disk, None if it was missing.
Stamp = tuple[object, ...] | None


@dataclass(slots=True)
class Overlay:
    """Reads files for one check, and remembers what they were."""

    documents: Snapshot
    stamps: dict[Path, Stamp] = field(default_factory=dict)

    def read_bytes(self, path: Path) -> bytes:
        resolved = path.resolve()
        self.stamps[resolved] = stamp(resolved, self.documents)
        document = self.documents.get(resolved)
        return path.read_bytes() if document is None else document.text.encode("utf-8", "surrogatepass")


def stamp(path: Path, documents: Snapshot) -> Stamp:
    document = documents.get(path)
    if document is not None:
        return (document,)
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size)
