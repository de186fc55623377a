"""A job's folder: where an attempt lives, and what lies in it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec

from automl_run.dsl.ir import Objective, Spec, Value
from automl_run.engine.files import write_whole
from automl_run.engine.folds import Fold

JOB_FILE = "job.json"
LOG_FILE = "log.txt"
#: what the log was before its last rotation
OLD_LOG_FILE = "log.1.txt"
RESULT_FILE = "result.json"
CHECKPOINTS = "checkpoints"
#: What a job's folder says of the job, beside what it trains.
ABOUT = frozenset({JOB_FILE, LOG_FILE, OLD_LOG_FILE, RESULT_FILE})

_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")
_TAIL_BYTES = 4096
_TAIL_LINES = 20


class JobSpec(msgspec.Struct, frozen=True):
    """Everything a job process needs beside its rendered configuration; kept as `job.json`, so that a job can be run by hand.

    `variables`, `base_dir`: what the target is made with. `allow_modules`: modules of the user's that components may come from.
    `accelerate`: see `acceleration.py`. `cache`: see `shared_cache.py`.
    `locks`: the locks of its GPUs. `measured`: built-in metrics that it adds to its final values. `judged`: see `Assign`.
    """

    job: str
    fence: int
    target: Spec
    config_name: str
    params: dict[str, Value]
    seed: int
    objectives: tuple[str, ...]
    gpus: tuple[int, ...]
    threads: int
    base_dir: str
    variables: dict[str, Value] = {}
    allow_modules: tuple[str, ...] = ()
    time_limit_s: float | None = None
    accelerate: bool = False
    cache: int | None = None
    stall_time_s: float | None = None
    locks: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    fold: Fold | None = None
    goal: Objective | None = None
    judged: bool = False

    @property
    def root(self) -> Path:
        """The folder that the target names: of an MMAR or a bundle."""
        path = next(iter(self.target.args.values()), "")
        return (Path(self.base_dir) / Path(str(path)).expanduser()).resolve()


def is_safe_name(name: str) -> bool:
    """True iff `name` is one component of a path that stays in its folder: names come from the wire."""
    return _SAFE_NAME.fullmatch(name) is not None


def attempt_dir(run_dir: Path, job: str, fence: int) -> Path:
    """The folder of this attempt: the job's own for its first, `attempt_<fence>` in it for the others. It need not exist yet."""
    folder = run_dir / job
    first = read_job_spec(folder)
    return folder if first is None or first.fence == fence else folder / f"attempt_{fence}"


def checkpoint_dir(run_dir: Path, job: str) -> Path:
    """Shared by all attempts of a job."""
    return run_dir / job / CHECKPOINTS


def read_job_spec(folder: Path) -> JobSpec | None:
    """None where there is no readable one."""
    try:
        return msgspec.json.decode((folder / JOB_FILE).read_bytes(), type=JobSpec)
    except (OSError, msgspec.MsgspecError):
        return None


def prepare(run_dir: Path, spec: JobSpec, config: dict[str, Value]) -> Path:
    """Makes the attempt's folder, with its configuration; `job.json` comes last. OSError when it cannot be written."""
    folder = attempt_dir(run_dir, spec.job, spec.fence)
    (folder / "config").mkdir(parents=True, exist_ok=True)
    checkpoint_dir(run_dir, spec.job).mkdir(exist_ok=True)
    text = json.dumps(config, indent=4, ensure_ascii=False, allow_nan=False)
    write_whole(folder / "config" / spec.config_name, (text + "\n").encode(errors="surrogatepass"))
    write_whole(folder / JOB_FILE, msgspec.json.format(msgspec.json.encode(spec), indent=2) + b"\n")
    return folder


def log_tail(folder: Path) -> str:
    """The last lines of the log, at most 20 lines and 4 KiB; "" if there is none."""
    data, size = _end_of(folder / LOG_FILE)
    if size < _TAIL_BYTES:
        # It may have been rotated a moment ago.
        older, more = _end_of(folder / OLD_LOG_FILE)
        data, size = (older + data)[-_TAIL_BYTES:], size + more
    lines = data.decode(errors="replace").splitlines()
    if size > _TAIL_BYTES and len(lines) > 1:
        lines = lines[1:]
    return "\n".join(lines[-_TAIL_LINES:])


def _end_of(path: Path) -> tuple[bytes, int]:
    """The last bytes of a file, and its size; nothing where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read(_TAIL_BYTES), size
    except OSError:
        return b"", 0
