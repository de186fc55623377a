"""Printing to someone who may have left: a closed pipe or terminal costs the text, not the run and not its exit code."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from collections.abc import Mapping
from typing import TextIO


def settle_streams() -> None:
    """Gives a process that was started without stdin, stdout or stderr the null device, and no encoding a reason to raise."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            # The lowest free descriptor, which is `fd`: otherwise the next file that is opened would be taken for it.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, "r" if fd == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def put(text: str, stream: TextIO | None = None) -> None:
    """`text` and a newline on `stream` (default: stdout); nothing if nobody reads it any more."""
    stream = sys.stdout if stream is None else stream
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        # Later writes, the interpreter's own flush at exit included, go nowhere instead of failing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if error.errno not in (errno.EPIPE, errno.EIO):
            raise


def put_json(document: Mapping[str, object]) -> None:
    """`document` as indented JSON on stdout."""
    put(json.dumps(document, indent=2))
