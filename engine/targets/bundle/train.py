"""Runs one job's configuration through MONAI's own workflow, in the job's folder.

`configs/train.json` there is what was run, complete: `command.txt` runs it again with nothing but MONAI.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigWorkflow

from automl_run.dsl.ir import Value
from automl_run.engine.files import write_whole
from automl_run.engine.targets.base import Job, Result

from . import folder, host, outputs
from .engines import met
from .failure import telling
from .layout import COMMAND, CONFIGS, LOGGING, METADATA, Ids, command, config_folder, side_files
from .watch import Watch

_log = logging.getLogger("automl_run.bundle")

#: The name of a job's configuration, in its `configs/`.
CONFIG: str = "train.json"
_POLL_S = 0.1
#: One process that trains alone, as torch's launcher would set it: configurations for several GPUs read it.
_ALONE = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}


def train(job: Job, root: Path, ids: Ids) -> Result:
    """What the validation gave whose weights are kept, and what is measured of the network. JobError where nothing counts."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    has_gpu = torch.cuda.is_available()
    if not has_gpu:
        _use_threads(job.threads)
    for name, value in _ALONE.items():
        os.environ.setdefault(name, value)
    file = prepare(job, root, ids, has_gpu) if job.rank == 0 else _wait(job)
    there = {name: str(file.parent / name) for name in side_files(file.parent)}
    enter(job)
    workflow = ConfigWorkflow(
        config_file=str(file),
        meta_file=there.get(METADATA),
        logging_file=there.get(LOGGING, False),
        init_id=ids.initialize,
        run_id=ids.run,
        final_id=ids.finalize,
    )
    watch = Watch(job, lambda: workflow.parser.ref_resolver.resolved_content)
    with met(watch.meet), telling():
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    return watch.finish()


def prepare(job: Job, root: Path, ids: Ids, has_gpu: bool) -> Path:
    """Makes the job's folder the bundle that it trains, and the working directory; its configuration's file."""
    config, left_out = host.fitted(job.config, root, has_gpu)
    if job.fold is not None:
        config = host.folded(config, job.fold.number, job.fold.count)
    for id in left_out:
        _log.info("%s: silent, because what it logs to is not installed", id)
    folder.make(root, job.dir, config)
    enter(job)
    config, written = outputs.settle(config, job.dir)
    folder.unlink(job.dir, written)
    config = host.seeded(config, ids, _mixed(host.own_seed(config, ids), job.seed))
    configs = job.dir / CONFIGS
    if config_folder(root) == root:
        _gather(job.dir, configs)
    configs.mkdir(exist_ok=True)
    _write(configs / CONFIG, config)
    write_whole(job.dir / COMMAND, (command(CONFIG, ids, side_files(configs)) + "\n").encode())
    return configs / CONFIG


def enter(job: Job) -> None:
    """The job's folder is where relative paths begin and code is imported from, as `monai.bundle run` has it."""
    os.chdir(job.dir)
    if sys.path[:1] != [str(job.dir)]:
        sys.path.insert(0, str(job.dir))
        importlib.invalidate_caches()


def _wait(job: Job) -> Path:
    """For the first rank's `prepare`, which writes the command last."""
    while not (job.dir / COMMAND).is_file():
        time.sleep(_POLL_S)
    return job.dir / CONFIGS / CONFIG


def _gather(job_dir: Path, configs: Path) -> None:
    """A bundle without `configs/` has its side files beside its configuration."""
    configs.mkdir(exist_ok=True)
    for name in side_files(job_dir):
        (job_dir / name).rename(configs / name)


def _write(file: Path, config: dict[str, Value]) -> None:
    text = json.dumps(config, indent=4, ensure_ascii=False, allow_nan=False)
    write_whole(file, (text + "\n").encode(errors="surrogatepass"))


def _use_threads(threads: int) -> None:
    torch.set_num_threads(max(1, threads))
    with contextlib.suppress(RuntimeError):  # too late in a process that has computed already
        torch.set_num_interop_threads(1)


def _mixed(own: int, job_seed: int) -> int:
    """One seed of both, so that repetitions of one configuration differ, and so do two configurations with seeds of their own."""
    state: Any = np.random.SeedSequence([abs(own), abs(job_seed)]).generate_state(1)
    return int(state[0])
