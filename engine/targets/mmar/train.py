"""Trains one rendered config: builds its parts, and hands them to a session.

Written beside what the config's own handlers write: `models/model.pt`, the weights of the best validation, and
`models/model_final.pt`, the last ones; both as {"model": state dict, "train_conf": config}.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import torch

from automl_run.dsl.ir import Value
from automl_run.engine.targets.base import Job, Result
from automl_run.engine.targets.training.device import device_of, seed_training
from automl_run.engine.targets.training.distributed import group, share_out
from automl_run.engine.targets.training.measure import measure
from automl_run.engine.targets.training.session import Session
from automl_run.errors import JobError

from .build import Build
from .target import CHECKPOINT_DIR


def train(job: Job, root: Path) -> Result:
    """What the validation gave whose weights are kept, and what is measured of the network. JobError if there was no validation."""
    logging.basicConfig(level=logging.INFO if job.rank == 0 else logging.WARNING, format="%(message)s", stream=sys.stdout)
    device = device_of(job, use_gpu=job.config.get("use_gpu") is not False)
    if len(job.gpus) > 1 and job.ranks == 1:
        logging.getLogger("automl_run.mmar").info("`multi_gpu = true` in the config uses all %d GPUs", len(job.gpus))
    seed_training(_own_seed(job.config), job)
    models = job.dir / CHECKPOINT_DIR
    models.mkdir(parents=True, exist_ok=True)
    amp = device.type == "cuda" and job.config.get("amp") is not False
    with group(job, device):
        build = Build(job.config, root, job.dir, device, amp, job.rank)
        evaluator: Any = build.part("validate", "evaluator")
        trainer: Any = build.part("train", "trainer")
        model = build.part("train", "model")
        if not isinstance(model, torch.nn.Module):
            raise JobError("user_error", f"train.model is a {type(model).__name__}, not a network")
        share_out(trainer, evaluator, model, device)
        session = Session(
            job,
            trainer,
            evaluator,
            model,
            parts={key: build.part("train", key) for key in ("optimizer", "lr_scheduler", "loss") if key in build.section("train")},
            handlers=[handler for section in ("train", "validate") for handler in _handlers(build, section)],
            weights=models,
            about={"train_conf": job.config},
        )
        session.run()
    if session.validations == 0 and not session.stopped:
        epochs, interval = job.config.get("epochs"), job.config.get("num_interval_per_valid")
        raise JobError(
            "user_error",
            f"training ended without a validation: epochs is {epochs} and num_interval_per_valid is {interval}; "
            "a validation needs at least num_interval_per_valid epochs and a ValidationHandler in train.handlers",
        )
    if job.rank > 0:
        return None
    measured = [] if session.stopped else [name for name in job.measured if name not in session.reported]
    return {**session.counted, **measure(measured, model, evaluator)} or None


def _handlers(build: Build, section: str) -> list[object]:
    found = build.part(section, "handlers") if "handlers" in build.section(section) else []
    return found if isinstance(found, list) else [found]


def _own_seed(config: dict[str, Value]) -> int:
    determinism = config.get("determinism")
    own = determinism.get("random_seed", 0) if isinstance(determinism, dict) else 0
    if isinstance(own, bool) or not isinstance(own, (int, type(None))):
        raise JobError("user_error", f"determinism.random_seed must be an integer, not {own!r}")
    return own or 0
