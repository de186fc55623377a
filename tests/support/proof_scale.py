"""How much of the engine's proof is run: a little in every test run, more in `make proof`, all night in `make soak`.

AUTOML_PROOF is quick (default), proof or soak. A count can be set on its own: PROOF_SEEDS=100000 make soak.
Figures go as JSON lines to the file that AUTOML_PROOF_RECORD names, if it does.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil

SCALE = os.environ.get("AUTOML_PROOF", "quick")


def count(name: str, *, quick: int, proof: int, soak: int) -> int:
    given = os.environ.get(name)
    return int(given) if given else {"quick": quick, "proof": proof, "soak": soak}[SCALE]


#: when the test that runs began, on the monotonic clock
began_at = time.monotonic()


def record(what: str, **figures: object) -> None:
    """`seconds` are those of the whole test so far."""
    path = os.environ.get("AUTOML_PROOF_RECORD")
    if path:
        line = {
            "what": what,
            "scale": SCALE,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - began_at, 1),
            "kernel": platform.release(),
            "host": platform.machine(),
            "cores": os.cpu_count(),
            "file_system": _file_system(Path(tempfile.gettempdir())),
            **figures,
        }
        # One write: two processes of pytest share the file.
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _file_system(path: Path) -> str:
    """The type of the file system that `path` is on."""
    best, kind = "", "unknown"
    for part in psutil.disk_partitions(all=True):
        if str(path.resolve()).startswith(part.mountpoint) and len(part.mountpoint) > len(best):
            best, kind = part.mountpoint, part.fstype
    return kind
