"""Locks that keep a GPU out of two live attempts, whichever runs and schedulers of this host they belong to.

A lock is a `flock` on a file of the GPU, by its UUID, or by its index where no driver tells one. A keeper takes it before it starts
its job, and the job inherits it: as long as any process of the attempt lives, the GPU is taken. A worker that is alone on its GPU
locks the file `<id>`; one of several that share it shares that file, and locks `<id>.<share>`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from automl_run.engine.wire.server import private_root

#: Of all users of this host: a GPU has one memory, whoever's it is.
FOLDER: Final = Path("/tmp/automl-gpus")
_ALONE: Final = -1


def lock_names(gpus: Sequence[str], shares: Sequence[int]) -> tuple[str, ...]:
    """The locks of a worker's GPUs: `<id>`, or `<id>.<share>` for a shared one. `shares` (): none is shared."""
    each = shares or (_ALONE,) * len(gpus)
    return tuple(gpu if share == _ALONE else f"{gpu}.{share}" for gpu, share in zip(gpus, each, strict=True))


def share_numbers(workers: Sequence[tuple[str, tuple[int, ...]]], worker: str) -> tuple[int, ...]:
    """For each GPU of `worker`, how many workers before it use that one too; -1 where it is alone. `workers`: (name, GPUs)."""
    mine = dict(workers)[worker]
    numbers = []
    for gpu in mine:
        users = [name for name, gpus in workers if gpu in gpus]
        numbers.append(_ALONE if len(users) == 1 else users.index(worker))
    return tuple(numbers)


def acquire(names: Sequence[str], folder: Path | None = None) -> list[int] | None:
    """Descriptors that hold all the locks; None while another attempt has one of them. OSError when no lock can be made."""
    held: list[int] = []
    for name in sorted(names):
        gpu, _, share = name.rpartition(".") if re.search(r"\.\d+$", name) else (name, "", "")
        wanted = [(gpu, fcntl.LOCK_SH), (name, fcntl.LOCK_EX)] if share else [(name, fcntl.LOCK_EX)]
        for file, how in wanted:
            fd = _lock(file, how, FOLDER if folder is None else folder)
            if fd is None:
                release(held)
                return None
            held.append(fd)
    return held


def release(held: Sequence[int]) -> None:
    for fd in held:
        os.close(fd)


def _lock(name: str, how: int, folder: Path) -> int | None:
    while True:
        path = _place(folder) / (re.sub(r"[^\w.-]", "_", name) + ".lock")
        fd = _open(path)
        try:
            fcntl.flock(fd, how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        except OSError:
            os.close(fd)
            raise
        # A cleaner of /tmp may have removed the file meanwhile: a lock on a nameless file keeps nobody out.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), path.stat()):
                with contextlib.suppress(OSError):
                    os.utime(fd)
                return fd
        os.close(fd)


def _open(path: Path) -> int:
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666)
    except PermissionError:
        # Another user's file: to lock it, reading is enough.
        return os.open(path, os.O_RDONLY | flags)
    with contextlib.suppress(PermissionError):
        # Whatever the umask is: other users' jobs must be able to open it.
        os.fchmod(fd, 0o666)
    return fd


def _place(folder: Path) -> Path:
    """`folder`, made for everyone; a folder of this user's own where someone made that impossible."""
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o1777)
        folder.chmod(0o1777)
    if folder.is_dir() and not folder.is_symlink() and os.access(folder, os.W_OK | os.X_OK):
        return folder
    own = private_root() / "gpus"
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    return own


# -- which GPU is which ---------------------------------------------------------------------------------------------------


def gpu_ids(devices: str) -> tuple[str, ...]:
    """The identity of each entry of a job's CUDA_VISIBLE_DEVICES: its UUID, or `gpu<index>` where no driver tells it."""
    entries = [entry.strip() for entry in devices.split(",") if entry.strip()]
    known = _uuids() if entries else []
    return tuple(_identity(entry, known) for entry in entries)


def _identity(entry: str, known: Sequence[str]) -> str:
    if entry.isdecimal():
        return known[int(entry)] if int(entry) < len(known) else f"gpu{int(entry)}"
    # CUDA takes the beginning of a UUID for the whole.
    return next((uuid for uuid in known if uuid.startswith(entry)), entry)


def _uuids() -> list[str]:
    """Of this host's GPUs, in the driver's order; [] without a driver."""
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in listing.splitlines() if line.strip().startswith("GPU-")]
