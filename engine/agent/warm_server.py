"""The warm server: a process that has the libraries of a worker's jobs imported, and forks their keepers.

    python -m automl_run.engine.agent.warm_server --socket 5 --library torch --library monai.engines

It runs no user code and no operation that may start threads. Before each fork it looks whether it still is fit for one: a fork of a
process with threads, or with a GPU open, hangs or breaks the child. One keeper is always forked ahead, and waits. Over the socket
come a folder and the two descriptors of a keeper; back goes the keeper's number, or why it must be started elsewhere. The server
ends when the agent closes the socket.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.metadata  # a job's first look for a module needs it
import os
import select
import signal
import socket
import sys
import time
import weakref
from pathlib import Path
from typing import Final, NoReturn

import msgspec

# What every job needs of our own is loaded here, once.
from automl_run.engine.targets import command as _command  # noqa: F401
from automl_run.engine.targets import python_function as _python_function  # noqa: F401

from .birth import Nursery
from .environment import LARGE_PAGES
from .folders import read_job_spec
from .keeper import become_keeper
from .orders import Graces
from .processes import close_descriptors, die_with_parent, is_over

MAX_MESSAGE: Final = 65536
#: From one hand-over until the next keeper is forked ahead, unless that is asked for before.
_START_OF_A_JOB_S: Final = 0.1
#: Makes torch ask for GPUs without a start of CUDA.
NVML_CHECK: Final = "PYTORCH_NVML_BASED_CUDA_CHECK"


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The libraries are imported, in `seconds`."""

    seconds: float


class Unfit(msgspec.Struct, frozen=True, tag=True):
    """No keeper can be forked here."""

    reason: str


class Started(msgspec.Struct, frozen=True, tag=True):
    pid: int


class Request(msgspec.Struct, frozen=True):
    """The attempt in `folder`, which is prepared. With it come two descriptors: the keeper's orders, and the job's channel."""

    folder: str
    graces: Graces


def unfit_because() -> str | None:
    """Why this process must not be forked, or None."""
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    if threads != 1:
        return f"it has {threads} threads"
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            target = os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115
        except OSError:
            continue
        if target.startswith("/dev/nvidia"):
            return f"it has {target} open"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "CUDA is initialised in it"
    return None


def serve(sock: socket.socket, libraries: list[str], devices: str | None) -> None:
    """Until the agent hangs up. `devices`: CUDA_VISIBLE_DEVICES once everything is imported, None: not set."""
    began = time.monotonic()
    try:
        for name in libraries:
            importlib.import_module(name)
    except Exception as error:
        _say(sock, Unfit(f"{type(error).__name__} at the import of {name}: {error}"[:1000]))
        return
    for name, value in {"CUDA_VISIBLE_DEVICES": devices, NVML_CHECK: None}.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if os.environ.get("GLIBC_TUNABLES") == LARGE_PAGES:
        # For this process, and not for the programs that its jobs start.
        del os.environ["GLIBC_TUNABLES"]
    importlib.invalidate_caches()
    _leave_finalizers_here()
    gc.collect()
    # The pages of what lives for ever stay shared with the jobs.
    gc.freeze()
    reason = unfit_because()
    if reason is not None:
        _say(sock, Unfit(f"after its imports {reason}"))
        return
    standby = _fork_standby()
    _say(sock, Ready(time.monotonic() - began))
    while True:
        data, descriptors, _, _ = socket.recv_fds(sock, MAX_MESSAGE, 2)
        if not data:
            return
        try:
            answer = _hand_over(standby, data, descriptors)
            if answer is None:
                # Somebody killed the keeper in waiting.
                answer = _hand_over(_fork_standby(), data, descriptors)
            _say(sock, answer or Unfit("a keeper in waiting ends at once"))
        finally:
            for fd in descriptors:
                os.close(fd)
        # Not at once: the job that starts now has better use for the processors.
        select.select([sock], [], [], _START_OF_A_JOB_S)
        standby = _fork_standby()


def _leave_finalizers_here() -> None:
    """What libraries registered for the end of the process is not for each job to do: torch's alone takes tens of milliseconds."""
    for finalizer in list(getattr(weakref.finalize, "_registry", ())):
        finalizer.atexit = False


class _Standby:
    """A keeper without a job yet, waiting at the other end of `sock`; it ends when that is closed."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid, self.sock = pid, sock


def _hand_over(standby: _Standby | Unfit, data: bytes, descriptors: list[int]) -> Started | Unfit | None:
    """None when the keeper in waiting is gone."""
    if isinstance(standby, Unfit):
        return standby
    with standby.sock as sock:
        # Its nursery has the other end, too, until it closes it or dies after its keeper.
        if is_over(standby.pid):
            return None
        try:
            socket.send_fds(sock, [data], descriptors)
        except OSError:
            return None
    return Started(standby.pid)


def _fork_standby() -> _Standby | Unfit:
    """Forks twice, so that the keeper becomes a child of the agent: a subreaper, and this process is none."""
    reason = unfit_because()
    if reason is not None:
        return Unfit(reason)
    numbers, their_numbers = os.pipe()
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        between = os.fork()
        if between == 0:
            _fork_again(theirs, their_numbers)
        os.close(their_numbers)
        theirs.close()
        number = os.read(numbers, 32)
        os.waitpid(between, 0)
    except OSError as error:
        return Unfit(f"no keeper can be forked: {error.strerror}")
    finally:
        os.close(numbers)
    return _Standby(int(number), mine) if number else Unfit("no keeper could be forked")


def _fork_again(sock: socket.socket, numbers: int) -> NoReturn:
    """Never returns: the process between exits, the keeper waits."""
    try:
        pid = os.fork()
        if pid == 0:
            _stand_by(sock)
        os.write(numbers, str(pid).encode())
    finally:
        os._exit(0)


def _stand_by(sock: socket.socket) -> NoReturn:
    """Never returns. Nothing but `sock` stays open: what the agent or the server hang up on must not live on here."""
    try:
        gc.freeze()
        close_descriptors({sock.fileno()})
        nursery = Nursery()
        data, descriptors, _, _ = socket.recv_fds(sock, MAX_MESSAGE, 2)
        if data:
            request = msgspec.json.decode(data, type=Request)
            folder = Path(request.folder)
            spec = read_job_spec(folder)
            if spec is not None:
                orders, channel = descriptors
                graces = request.graces
                become_keeper(spec, folder, graces, socket.socket(fileno=orders), socket.socket(fileno=channel), nursery)
    finally:
        os._exit(0)


def _say(sock: socket.socket, answer: Ready | Unfit | Started) -> None:
    sock.send(msgspec.json.encode(answer))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m automl_run.engine.agent.warm_server", description="Forks keepers of jobs.")
    parser.add_argument("--socket", type=int, required=True, help="a descriptor: the agent is at its other end")
    parser.add_argument("--agent", type=int, required=True, help="the agent's process")
    parser.add_argument("--devices", help="CUDA_VISIBLE_DEVICES of the jobs; not given: none")
    parser.add_argument("--library", action="append", default=[], help="a module to import")
    options = parser.parse_args(argv)
    die_with_parent(options.agent)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        # The agent decides about its end.
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=options.socket) as sock:
        try:
            serve(sock, options.library, options.devices)
        except (BrokenPipeError, ConnectionResetError):
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
