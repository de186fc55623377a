"""Printing to someone who may have left: a closed pipe costs the text, not the run and not its exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import TextIO


def put(text: str, stream: TextIO | None = None) -> None:
    """`text` and a newline on `stream` (default: stdout); nothing if nobody reads it any more."""
    stream = sys.stdout if stream is None else stream
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        # Later writes, the interpreter's own flush at exit included, go nowhere instead of failing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def put_json(document: Mapping[str, object]) -> None:
    """`document` as indented JSON on stdout."""
    put(json.dumps(document, indent=2))
