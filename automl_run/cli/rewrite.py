"""Reading a text to change it, and putting the changed one in its place."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from automl_run.errors import InputError


def read_text(path: Path) -> str:
    """The text as it stands, line ends included. InputError if there is none."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError(f"no file `{path}`") from None
    except IsADirectoryError:
        raise InputError(f"`{path}` is a folder") from None
    except UnicodeDecodeError as error:
        raise InputError(f"`{path}` is not UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {error.strerror}") from None


def replace_file(path: Path, text: str) -> None:
    """Replaces the file at once: a reader, or a crash, meets the old text or the new one. A link stays a link."""
    path = path.resolve()
    try:
        mode = path.stat().st_mode
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(f"`{path}` cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode & 0o7777)
        Path(name).replace(path)
    except OSError as error:
        with suppress(OSError):
            Path(name).unlink()
        raise InputError(f"`{path}` cannot be written: {error.strerror}") from None
