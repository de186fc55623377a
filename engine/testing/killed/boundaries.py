"""Where a process can be killed, and how it is."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

PLAN: Final = "AUTOML_PROOF_KILL"


def _scheduler_commit() -> tuple[Any, str]:
    from automl_run.engine.journal import Journal

    return Journal, "append"


def _scheduler_send() -> tuple[Any, str]:
    from automl_run.engine.wire.server import Server

    return Server, "send"


def _scheduler_spawn() -> tuple[Any, str]:
    from automl_run.engine.launchers.local import LocalLauncher

    return LocalLauncher, "start"


def _scheduler_rename() -> tuple[Any, str]:
    return Path, "replace"


def _scheduler_best() -> tuple[Any, str]:
    from automl_run.engine.run_folder import RunFolder

    return RunFolder, "set_best"


def _agent_connect() -> tuple[Any, str]:
    from automl_run.engine.agent.effects import Effects

    return Effects, "connect"


def _agent_send() -> tuple[Any, str]:
    from automl_run.engine.agent.uplink import Uplink

    return Uplink, "send"


def _agent_spawn() -> tuple[Any, str]:
    from automl_run.engine.agent.effects import Effects

    return Effects, "spawn"


def _agent_reap() -> tuple[Any, str]:
    from automl_run.engine.agent.effects import Effects

    return Effects, "reap"


def _agent_reads_result() -> tuple[Any, str]:
    from automl_run.engine.agent.effects import Effects

    return Effects, "read_outcome"


def _agent_hears_the_end() -> tuple[Any, str]:
    from automl_run.engine.agent.orders import Kept

    return Kept, "is_over"


def _keeper_stages() -> tuple[Any, str]:
    from automl_run.engine.agent.outcome import ResultFile

    return ResultFile, "stage"


def _keeper_result() -> tuple[Any, str]:
    from automl_run.engine.agent.outcome import ResultFile

    return ResultFile, "write"


def _keeper_kills() -> tuple[Any, str]:
    from automl_run.engine.agent import keeping

    return keeping, "kill_descendants"


def _job_report() -> tuple[Any, str]:
    from automl_run.engine.agent.report import ChannelReport

    return ChannelReport, "_send"


#: boundary -> the function that is it; the first word is the process.
BOUNDARIES: Final[dict[str, Callable[[], tuple[Any, str]]]] = {
    "scheduler commit": _scheduler_commit,
    "scheduler send": _scheduler_send,
    "scheduler spawn": _scheduler_spawn,
    "scheduler rename": _scheduler_rename,
    "scheduler best": _scheduler_best,
    "agent connect": _agent_connect,
    "agent send": _agent_send,
    "agent spawn": _agent_spawn,
    "agent reap": _agent_reap,
    "agent reads result": _agent_reads_result,
    "agent hears the end": _agent_hears_the_end,
    "keeper stages": _keeper_stages,
    "keeper result": _keeper_result,
    "keeper kills": _keeper_kills,
    "job report": _job_report,
}


def arm(process: str) -> None:
    """Puts the kill of this environment's plan into `process`, if it is about it (an agent's keepers and jobs inherit theirs)."""
    plan = os.environ.get(PLAN)
    if not plan:
        return
    boundary, when, number, mark = plan.split("|")
    inherits = process == "agent" and boundary.split()[0] in ("keeper", "job")
    if boundary.split()[0] != process and not inherits:
        return
    owner, name = BOUNDARIES[boundary]()
    original = getattr(owner, name)
    count = 0

    def reached(at: str) -> None:
        nonlocal count
        if at != when:
            return
        count += 1
        if count == int(number) and not Path(mark).exists():
            os.close(os.open(mark, os.O_CREAT | os.O_WRONLY, 0o644))
            os.kill(os.getpid(), signal.SIGKILL)

    def wrapped(*args: Any, **more: Any) -> Any:
        reached("before")
        result = original(*args, **more)
        reached("after")
        return result

    setattr(owner, name, wrapped)
