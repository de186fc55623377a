"""Files of a run folder that several processes know by name, and files that are whole or absent."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

#: Where the run's scheduler listens, while it lives.
ENDPOINT: Final = "endpoint.json"
#: What agents read at their start: `Program.to_bytes()`.
PROGRAM: Final = "program.msgpack"
SUMMARY: Final = "summary.json"
TRACE: Final = "trace.log"
REPORT: Final = "report.html"
#: The folder of the best job's model.
BEST: Final = "best"
#: In it: scores and parameters, for programs.
BEST_INFO: Final = "best.json"
#: Targets whose jobs leave a model, and in such a job's folder the weights that its scores are of, and the last ones.
WITH_WEIGHTS: Final = ("Mmar", "Bundle")
WEIGHTS: Final = "models/model.pt"
LAST_WEIGHTS: Final = "models/model_final.pt"
#: The folder of prepared volumes that jobs share.
CACHE: Final = "cache"


def write_whole(path: Path, data: bytes, *, sync: bool = False) -> None:
    """`path` has its old content or all of `data`; with `sync` it is on the disk when this returns."""
    put_in_place(stage(path, data, sync=sync), path, sync=sync)


def stage(path: Path, data: bytes, *, sync: bool) -> Path:
    """A file beside `path`, of this process, that `put_in_place` makes `path`; with `sync` its content is on the disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def put_in_place(staged: Path, path: Path, *, sync: bool) -> None:
    try:
        staged.replace(path)
    except OSError:
        staged.unlink(missing_ok=True)
        raise
    if sync:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def link_whole(source: Path, target: Path) -> None:
    """`target` is `source`, whole or not at all: its bytes are shared where the file system can, and copied elsewhere."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".writing.{target.name}")
    beside.unlink(missing_ok=True)
    try:
        os.link(source, beside)
    except OSError:
        shutil.copyfile(source, beside)
    beside.replace(target)
