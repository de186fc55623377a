"""`best/`: the best job's model as something to be used by itself.

    README.md        what it is: scores, parameters, whose weights it has, and how to go on
    commands/        train.sh trains it again, evaluate.sh scores it (of an MMAR)
    config/          the resolved configuration: nothing searched, no variables, data by absolute paths
    models/, ...     what the job left in its folder; of a function or a command its checkpoints, too
    job.json         what the commands need beside that; best.json: scores and parameters for programs

It is built beside and takes the old one's place in one step: a reader sees the old or the new one.
"""

from __future__ import annotations

import ctypes
import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from automl_run.errors import InputError

from .agent.folders import CHECKPOINTS, LOG_FILE, OLD_LOG_FILE, JobSpec, attempt_dir, checkpoint_dir, read_job_spec
from .files import BEST, BEST_INFO, LAST_WEIGHTS, write_whole
from .words import counted

_NEW: Final = ".best.new"
_OLD: Final = ".best.old"
_EXCHANGE: Final = 2
_AT_FDCWD: Final = -100
#: Not of the model: what attempts are called, and the log's rotation.
_LEFT_OUT: Final = ("attempt_", CHECKPOINTS)
#: What of a bundle's job is no part of the bundle: logs and outputs.
_ASIDE: Final = frozenset({LOG_FILE, OLD_LOG_FILE, "eval"})
_HERE: Final = 'here=$(cd "$(dirname "$0")/.." && pwd)\n'


def write_best(run: Path, job: str, fence: int, info: object) -> None:
    """Makes `best/` of this attempt: hard links where the file system has them, copies elsewhere. OSError when it cannot."""
    attempt = attempt_dir(run, job, fence)
    new = run / _NEW
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    aside = _ASIDE if (attempt / "configs").is_dir() else frozenset()
    # A job that ran in a thread has no folder.
    for entry in sorted(attempt.iterdir()) if attempt.is_dir() else ():
        if entry.name not in aside and not entry.name.startswith((*_LEFT_OUT, ".")):
            _take(entry, new / entry.name)
    spec = read_job_spec(attempt)
    if spec is not None:
        _make_usable(run, spec, new, info)
    (new / BEST_INFO).write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    _put_in_place(new, run / BEST, run / _OLD)


def _make_usable(run: Path, spec: JobSpec, new: Path, info: object) -> None:
    is_mmar = spec.target.name == "Mmar"
    trains_itself = spec.target.name not in ("Mmar", "Bundle")
    kept = checkpoint_dir(run, spec.job)
    if trains_itself and kept.is_dir() and any(kept.iterdir()):
        _take(kept, new / CHECKPOINTS)
    if is_mmar:
        _stand_alone(new / "config" / spec.config_name, spec)
    commands = new / "commands"
    commands.mkdir(exist_ok=True)
    again = 'exec {} -m automl_run.engine.agent.again "$here" "${{1:-again}}"\n'
    _script(commands / "train.sh", "Trains this again: same configuration, data and seed. $1: the folder to make, `again`.", again)
    if is_mmar:
        evaluate = 'exec {} -m automl_run.engine.export.evaluate "$here" "$@"\n'
        _script(commands / "evaluate.sh", "Scores the model on its validation list.", evaluate)
    # A bundle may have one of its own.
    name = "AUTOML.md" if (new / "README.md").exists() else "README.md"
    (new / name).write_text(_readme(run, new, spec, info, is_mmar), encoding="utf-8")


def _script(path: Path, about: str, command: str) -> None:
    python = f'"${{PYTHON:-{sys.executable}}}"'
    path.write_text(f"#!/bin/sh\n# {about}\nset -e\n{_HERE}{command.format(python)}", encoding="utf-8")
    path.chmod(0o755)


def _stand_alone(file: Path, spec: JobSpec) -> None:
    """Data lists by absolute paths: the config means the same wherever it lies."""
    from .targets.mmar.folds import with_absolute_data

    try:
        config = with_absolute_data(json.loads(file.read_bytes()), spec.root)
    except (OSError, ValueError, InputError):
        return
    # A new file: the one that is there is the job's own, under another name.
    write_whole(file, (json.dumps(config, indent=4, ensure_ascii=False) + "\n").encode(errors="surrogatepass"))


def _readme(run: Path, new: Path, spec: JobSpec, info: object, is_mmar: bool) -> str:
    found = info if isinstance(info, Mapping) else {}
    lines = [f"# The best model of {run.name}", "", *_scores(spec, found), "", *_weights(new, found), "", "Parameters:", ""]
    lines += [f"- `{path}` = {json.dumps(value)}" for path, value in spec.params.items()] or ["- nothing was searched"]
    lines += ["", f"`config/{spec.config_name}` is the whole configuration, with nothing left to be searched.", "", "```"]
    lines += ["commands/train.sh again       # train it again, into the new folder `again`"]
    if is_mmar:
        lines += [
            "commands/evaluate.sh          # its metrics on the validation list",
            f"automl-run export {shlex.quote(str(run))} --bundle OUT     # a MONAI bundle of it",
        ]
    lines += ["```", ""]
    command = new / "config" / "command.sh"
    if command.is_file():
        lines += ["The job ran this (`config/command.sh`):", "", "```", command.read_text(encoding="utf-8").rstrip(), "```", ""]
    return "\n".join(lines)


def _scores(spec: JobSpec, found: Mapping[str, Any]) -> list[str]:
    """What counts, and where that is one number of several jobs, what this job alone has."""
    fold = f", fold {spec.fold.number + 1} of {spec.fold.count}" if spec.fold is not None else ""
    job = f"job {spec.job}, seed {spec.seed}{fold}"
    listed = [f"- {name}: {value}" for name, value in (found.get("scores") or {}).items()]
    repeated = found.get("repeated")
    if not repeated:
        return [f"J{job[1:]}:", "", *listed]
    own = [f"- {name}: {value}" for name, value in repeated["scores"].items()]
    jobs = repeated["jobs"]
    tried = f"These parameters were tried in {counted(len(jobs), 'job')} ({', '.join(jobs)})"
    return [
        f"{tried}. What counts is the {repeated['how']} of their scores:",
        "",
        *listed,
        "",
        f"The model here is that of one of them, {job}. Its own:",
        "",
        *own,
    ]


def _weights(new: Path, found: Mapping[str, Any]) -> list[str]:
    """Which weights lie here."""
    weights = found.get("weights")
    if weights:
        last = f"; `{LAST_WEIGHTS}` has the last ones" if (new / LAST_WEIGHTS).is_file() else ""
        if found.get("pruned"):
            return [
                f"A pruner stopped this job: these are its last values, `{weights}` has the weights of its best validation{last}."
            ]
        return [f"`{weights}` has the weights that these are of{last}."]
    if (new / CHECKPOINTS).is_dir():
        return [f"Which weights are kept, its own code says: `{CHECKPOINTS}/` is what it left."]
    return ["Which weights are kept, its own code says; it left none among its checkpoints."]


# -- files -----------------------------------------------------------------------------------------------------------------


def _take(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=_link)
    else:
        _link(str(source), str(target))


def _link(source: str, target: str, *, follow_symlinks: bool = False) -> str:
    try:
        os.link(source, target, follow_symlinks=follow_symlinks)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=follow_symlinks)
    return target


def _put_in_place(new: Path, place: Path, old: Path) -> None:
    """`new` becomes `place` at once where the kernel can exchange two names, else with a moment without."""
    shutil.rmtree(old, ignore_errors=True)
    if not place.exists():
        new.rename(place)
    elif _exchange(new, place):
        shutil.rmtree(new, ignore_errors=True)
    else:
        place.rename(old)
        new.rename(place)
        shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """False where the kernel or the file system has no such thing."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0)
