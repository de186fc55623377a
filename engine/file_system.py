"""Whether a place can hold a journal: locks that exclude, and writes that stay. Network file systems may lack either."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final

from automl_run.errors import InputError

_KERNEL = "nfs nfs4 cifs smb3 smbfs ncpfs afs ceph lustre gpfs beegfs glusterfs 9p orangefs pvfs2 panfs wekafs"
_FUSE = "sshfs glusterfs ceph ceph-fuse rclone s3fs gcsfuse juicefs davfs2"
#: as /proc/self/mountinfo names them
NETWORK: Final = frozenset(_KERNEL.split()) | {f"fuse.{name}" for name in _FUSE.split()}
_MOUNTS: Final = Path("/proc/self/mountinfo")


def file_system(place: Path, mounts: Path = _MOUNTS) -> str:
    """The type of the file system that holds `place`, an existing folder: `ext4`, `nfs4`; "" where it is unknown."""
    found, length = "", -1
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    real = str(place.resolve())
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) > 4 and kind:
            at = _unescaped(fields[4])
            inside = real == at or real.startswith(at.rstrip("/") + "/")
            # Of two mounts on one place the later one is seen.
            if inside and len(at) >= length:
                found, length = kind[0], len(at)
    return found


def _unescaped(text: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text


def check_place(folder: Path, mounts: Path = _MOUNTS) -> list[str]:
    """Warnings about `folder`, an existing one. InputError, which names --out, when a journal would not be safe there."""
    kind = file_system(folder, mounts)
    wrong = _probe(folder)
    if wrong is not None:
        named = f" (file system {kind})" if kind else ""
        raise InputError(f"{folder}{named} cannot hold a run: {wrong}; choose a local place with --out")
    if kind not in NETWORK:
        return []
    return [f"{folder} is on a network file system ({kind}): one host at a time may run or resume there; a local --out is safer"]


def _probe(folder: Path) -> str | None:
    """What does not work there, or None."""
    path = folder / f".probe.{os.getpid()}"
    fds: list[int] = []
    try:
        return _lock_probe(path, fds) or _sync_probe(path, fds[0])
    except OSError as error:
        return f"it cannot be written: {error.strerror or error}"
    finally:
        for fd in fds:
            os.close(fd)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _lock_probe(path: Path, fds: list[int]) -> str | None:
    for _ in range(2):
        fds.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    try:
        fcntl.flock(fds[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return f"files cannot be locked there: {error.strerror}"
    try:
        fcntl.flock(fds[1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None
    return "its locks exclude nobody"


def _sync_probe(path: Path, fd: int) -> str | None:
    wanted = b"automl-run"
    try:
        os.write(fd, wanted)
        os.fsync(fd)
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
    except OSError as error:
        return f"writes cannot be made durable there: {error.strerror}"
    return None if path.read_bytes() == wanted else "what is written there is not what is read"
