"""The keeper: parent of one job's processes. It outlives them, ends them all, and leaves `result.json` before it ends itself.

    agent, or its warm server --fork--> keeper --fork--> job --> whatever the job starts

The keeper talks to its agent over one socket pair: bytes to it are orders, and the end of the stream means that the agent is gone.
"""

from __future__ import annotations

import errno
import gc
import os
import socket
import sys
from pathlib import Path
from typing import Final, NoReturn

from .birth import Nursery
from .folders import LOG_FILE, JobSpec
from .keeping import KILL_TIMEOUT_S as KILL_TIMEOUT_S
from .keeping import Keeping
from .orders import DEFAULT_GRACES as DEFAULT_GRACES
from .orders import Graces as Graces
from .orders import Kept as Kept
from .orders import Order as Order
from .processes import become_subreaper, close_descriptors, reset_signals
from .streams import set_streams

#: A keeper's exit code when it could not write `result.json` for lack of space.
DISK_FULL: Final = 28


def start_keeper(spec: JobSpec, folder: Path, graces: Graces) -> Kept:
    """Forks the keeper of this attempt, whose folder is prepared. The calling process must have one thread.

    A fork, not a new interpreter: it takes milliseconds, and nothing that a training library minds is loaded in an agent.
    """
    orders, their_orders = socket.socketpair()
    channel, their_channel = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        become_keeper(spec, folder, graces, their_orders, their_channel)
    their_orders.close()
    their_channel.close()
    return Kept(pid, os.pidfd_open(pid), orders, channel)


def become_keeper(
    spec: JobSpec,
    folder: Path,
    graces: Graces,
    orders: socket.socket,
    channel: socket.socket,
    nursery: Nursery | None = None,
) -> NoReturn:
    """Never returns: the frames above are a copy of its parent's. With a `nursery`, where the job's process waits already, nothing
    begins before `Order.GO`."""
    code = 1
    try:
        # What its parent had allocated stays out of the way of the collector, and of destructors that would close our descriptors.
        gc.freeze()
        reset_signals()
        os.setsid()
        close_descriptors({orders.fileno(), channel.fileno(), *((nursery.sock.fileno(),) if nursery else ())})
        if nursery is not None and orders.recv(1) != Order.GO.value:
            os._exit(0)
        # Its own output, of which it has none but last words; the job's goes through a pipe.
        log = os.open(folder / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        set_streams(log)
        os.close(log)
        become_subreaper()
        Keeping(spec, folder, graces, orders, channel, nursery).keep()
        code = 0
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            code = DISK_FULL
        print(f"automl-run: the keeper of {spec.job} failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)
