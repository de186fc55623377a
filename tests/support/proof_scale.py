"""How much of the engine's proof is run: a little in every test run, more in `make proof`, all night in `make soak`.

AUTOML_PROOF is quick (default), proof or soak. A count can be set on its own: PROOF_SEEDS=100000 make soak.
Figures go as JSON lines to the file that AUTOML_PROOF_RECORD names, if it does.
"""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

SCALE = os.environ.get("AUTOML_PROOF", "quick")


def count(name: str, *, quick: int, proof: int, soak: int) -> int:
    given = os.environ.get(name)
    return int(given) if given else {"quick": quick, "proof": proof, "soak": soak}[SCALE]


def record(what: str, **figures: object) -> None:
    path = os.environ.get("AUTOML_PROOF_RECORD")
    if path:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps(
            {"what": what, "scale": SCALE, "at": at, "kernel": platform.release(), "host": platform.machine(), **figures}
        )
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
