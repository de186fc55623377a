"""The side of who asks: a request to the scheduler of a run folder, and the end of a run, with or without a scheduler."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from automl_run.engine import journal, owner, view
from automl_run.engine.agent.processes import descendants
from automl_run.engine.core.apply import replay
from automl_run.engine.files import ENDPOINT
from automl_run.engine.identity import boot_id, start_time
from automl_run.engine.launchers.local import end_strays_of, living_agents
from automl_run.engine.run_folder import sweep
from automl_run.engine.summary import as_json, summarize
from automl_run.errors import JournalError, RunError

from .requests import Answer, AnyRequest, Show, Stop

#: a scheduler that was asked to stop has ended after this
STOP_S: Final = 25.0
#: an agent without a scheduler stops its job, with a checkpoint, within this
AGENT_S: Final = 20.0
#: what a killed agent leaves ends by itself within this: its keepers see to that
LEFT_S: Final = 5.0
_LOOK_S: Final = 0.05


def read_run(folder: Path) -> dict[str, Any]:
    """The summary of a run: its scheduler's answer while it lives, else from the journal. JournalError, RunError."""
    if journal.in_use(folder):
        answer = _ask_living(folder, Show())
        if not isinstance(answer, dict):
            raise RunError(f"the scheduler of {folder} gave no summary")
        return answer
    with contextlib.closing(journal.Journal.read(folder)) as store:
        state = replay(store.facts())
    return as_json(summarize(state, folder.resolve(), None, live=False))


def ask(folder: Path, request: AnyRequest) -> Any:
    """What the run's scheduler answers. RunError when none lives."""
    if not journal.in_use(folder):
        raise RunError(f"no scheduler has the run in {folder}; go on with it:  automl-run resume {folder}")
    return _ask_living(folder, request)


def _ask_living(folder: Path, request: AnyRequest) -> Any:
    try:
        endpoint = json.loads((folder / ENDPOINT).read_text(encoding="utf-8"))
        place = Path(endpoint["view"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"the scheduler of {folder} is just starting or ending: {error}") from error
    return view.ask(place, request)


def operate(folder: Path, request: AnyRequest) -> str:
    """What was done. RunError when it was refused, or no scheduler lives."""
    try:
        answer = msgspec.convert(ask(folder, request), Answer)
    except msgspec.ValidationError as error:
        raise RunError(f"the scheduler of {folder} gave no answer: {error}") from error
    if answer.refused:
        raise RunError(answer.said)
    return answer.said


def stop(folder: Path, *, now: bool = False) -> list[str]:
    """Ends the run, which can be resumed; returns what was done. RunError when processes are left.

    A scheduler that does not answer is ended by a signal. Agents without a scheduler are ended here, with all that they started.
    """
    done: list[str] = []
    if journal.in_use(folder):
        try:
            done.append(operate(folder, Stop(now)))
            ended = _until(lambda: not journal.in_use(folder), STOP_S)
        except RunError as error:
            done.append(f"{error}")
            ended = False
        if not ended:
            done += _end_scheduler(folder)
    done += _end_agents(folder, now)
    left = end_strays_of(folder)
    if left:
        done.append(f"processes that killed agents had left were killed: {', '.join(map(str, left))}")
    # A run that someone goes on with meanwhile, or that cannot be written, is left as it is.
    with contextlib.suppress(JournalError, OSError), contextlib.closing(journal.Journal.open(folder)):
        sweep(folder)
    return done or [f"nothing of the run in {folder} is alive"]


def _end_scheduler(folder: Path) -> list[str]:
    """SIGTERM, then SIGKILL."""
    who = owner.read(folder)
    if who is None or who.boot_id != boot_id():
        place = f"on the host {who.host}" if who is not None else "in a place that is not known"
        raise RunError(f"the scheduler of {folder} does not answer, and it runs {place}")
    with _held([(who.pid, who.start)]) as fds:
        _signal(fds, signal.SIGTERM)
        # A stopped process takes its SIGTERM when it goes on.
        _signal(fds, signal.SIGCONT)
        if _ended(fds, STOP_S):
            return [f"the scheduler (process {who.pid}) has ended"]
        _signal(fds, signal.SIGKILL)
        _ended(fds, LEFT_S)
    if journal.in_use(folder):
        raise RunError(f"the scheduler of {folder} (process {who.pid}) cannot be ended")
    return [f"the scheduler (process {who.pid}) was killed"]


def _end_agents(folder: Path, now: bool) -> list[str]:
    agents = living_agents(folder)
    if not agents:
        return []
    try:
        family = [pid for agent in agents.values() for pid in descendants(agent.pid)]
        with _held([(pid, start_time(pid)) for pid in family]) as left:
            for agent in agents.values():
                agent.signal(signal.SIGKILL if now else signal.SIGTERM)
                agent.signal(signal.SIGCONT)
            fds = [agent.fd for agent in agents.values()]
            how = "killed" if now else "ended"
            if not _ended(fds, AGENT_S):
                how = "killed"
                for agent in agents.values():
                    agent.signal(signal.SIGKILL)
                _ended(fds, LEFT_S)
            if not _ended(left, LEFT_S):
                _signal(left, signal.SIGKILL)
            if not (_ended(left, LEFT_S) and _ended(fds, 0.0)):
                raise RunError(f"processes of the run in {folder} cannot be ended")
    finally:
        for agent in agents.values():
            agent.close()
    return [f"the agent of {worker} (process {agent.pid}), which had no scheduler, was {how}" for worker, agent in agents.items()]


@contextlib.contextmanager
def _held(processes: Iterable[tuple[int, int | None]]) -> Iterator[list[int]]:
    """pidfds of those (number, start time) that live."""
    fds: list[int] = []
    try:
        for pid, start in processes:
            with contextlib.suppress(OSError):
                fd = os.pidfd_open(pid)
                fds.append(fd)
                # Compared after it was opened: from here on the number cannot be given to another process.
                if start is None or start_time(pid) != start:
                    os.close(fds.pop())
        yield fds
    finally:
        for fd in fds:
            os.close(fd)


def _signal(fds: Iterable[int], number: int) -> None:
    for fd in fds:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(fd, number)


def _ended(fds: Iterable[int], timeout_s: float) -> bool:
    """True when all of them have ended."""
    until = time.monotonic() + timeout_s
    for fd in fds:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            return False
    return True


def _until(condition: Callable[[], bool], timeout_s: float) -> bool:
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK_S)
    return True
