"""The agent's way to its scheduler: the run folder's `endpoint.json` names the socket."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from automl_run.engine.files import ENDPOINT
from automl_run.errors import WireError

from .connection import Connection
from .frames import decode_to_agent
from .messages import ToAgent


def connect(run_dir: Path, timeout_s: float = 5.0) -> Connection[ToAgent]:
    """A connection to the scheduler of the run in `run_dir`; the caller sends Hello and waits for Welcome.

    WireError while there is no scheduler: no or an unreadable endpoint.json, or nobody listens.
    """
    try:
        path = json.loads((run_dir / ENDPOINT).read_text(encoding="utf-8"))["socket"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WireError(f"no scheduler: {run_dir / ENDPOINT} cannot be read") from error
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_s)
        sock.connect(str(path))
    except OSError as error:
        sock.close()
        raise WireError(f"no scheduler: nobody listens on {path}") from error
    return Connection(sock, decode_to_agent)
