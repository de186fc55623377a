"""Trains one rendered config: seeds, device, the loop, what is reported and what is kept.

Written beside what the config's own handlers write: `models/model.pt`, the weights of the best validation, and
`models/model_final.pt`, the last ones; both as {"model": state dict, "train_conf": config}.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Events
from monai.utils import set_determinism

from automl_run.dsl.ir import Value
from automl_run.engine.targets.base import Job, Result
from automl_run.errors import JobError

from .build import Build
from .measure import measure
from .target import CHECKPOINT_DIR

_log = logging.getLogger("automl_run.mmar")


def train(job: Job, root: Path) -> Result:
    """The best reported values count, and what is measured of the network; JobError if there was no validation to report any."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    device = _device(job)
    _seed(job.config, job.seed)
    models = job.dir / CHECKPOINT_DIR
    models.mkdir(parents=True, exist_ok=True)
    amp = device.type == "cuda" and job.config.get("amp") is not False
    build = Build(job.config, root, job.dir, device, amp)
    # Torch's own error names what to do where an operation has no deterministic form; that is a warning here.
    torch.use_deterministic_algorithms(True, warn_only=True)
    evaluator: Any = build.part("validate", "evaluator")
    trainer: Any = build.part("train", "trainer")
    model = build.part("train", "model")
    if not isinstance(model, torch.nn.Module):
        raise JobError("user_error", f"train.model is a {type(model).__name__}, not a network")
    progress = _Progress(job, trainer, evaluator, model, models)
    progress.attach()
    trainer.run()
    progress.finish()
    wanted = [name for name in job.measured if name not in progress.reported]
    return None if progress.stopped else measure(wanted, model, evaluator) or None


def _device(job: Job) -> torch.device:
    if torch.cuda.is_available() and job.config.get("use_gpu") is not False:
        if torch.cuda.device_count() > 1:
            _log.info("trains on the first of %d GPUs", torch.cuda.device_count())
        # Needed for deterministic matrix products; read when CUDA starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        return torch.device("cuda")
    torch.set_num_threads(max(1, job.threads))
    with contextlib.suppress(RuntimeError):  # too late in a process that has computed already
        torch.set_num_interop_threads(1)
    return torch.device("cpu")


def _seed(config: dict[str, Value], job_seed: int) -> None:
    """Mixes the config's `determinism.random_seed` with the job's seed, so that repetitions of one config differ."""
    determinism = config.get("determinism")
    own = determinism.get("random_seed", 0) if isinstance(determinism, dict) else 0
    if isinstance(own, bool) or not isinstance(own, (int, type(None))):
        raise JobError("user_error", f"determinism.random_seed must be an integer, not {own!r}")
    mixed = np.random.SeedSequence([abs(own or 0), abs(job_seed)]).generate_state(1)[0]
    set_determinism(int(mixed))


class _Progress:
    """Reports validations, keeps the best weights, and stops when the study says so."""

    def __init__(self, job: Job, trainer: Any, evaluator: Any, model: torch.nn.Module, models: Path) -> None:
        self.job, self.trainer, self.evaluator, self.model, self.models = job, trainer, evaluator, model, models
        self.validations = 0
        self.stopped = False
        self.saved_at: int | None = None
        self.reported: set[str] = set()
        self._losses: list[float] = []

    def attach(self) -> None:
        self.trainer.add_event_handler(Events.ITERATION_COMPLETED, self._iteration)
        self.trainer.add_event_handler(Events.EPOCH_COMPLETED, self._epoch)
        self.evaluator.add_event_handler(Events.COMPLETED, self._validation)

    def finish(self) -> None:
        """The last weights, and the error of a run that never validated."""
        best, final = self.models / "model.pt", self.models / "model_final.pt"
        if self.saved_at == self.trainer.state.iteration:
            final.unlink(missing_ok=True)
            os.link(best, final)
        else:
            self._save(final)
        if self.validations == 0 and not self.stopped:
            epochs, interval = self.job.config.get("epochs"), self.job.config.get("num_interval_per_valid")
            raise JobError(
                "user_error",
                f"training ended without a validation: epochs is {epochs} and num_interval_per_valid is {interval}; "
                "a validation needs at least num_interval_per_valid epochs and a ValidationHandler in train.handlers",
            )

    def _iteration(self, engine: Any) -> None:
        loss = _loss(engine.state.output)
        if loss is not None:
            if not math.isfinite(loss):
                raise JobError("diverged", f"the loss became {loss} in epoch {engine.state.epoch}")
            self._losses.append(loss)
        if self.job.report(engine.state.epoch):
            self._stop()

    def _epoch(self, engine: Any) -> None:
        done, epochs = engine.state.epoch, engine.state.max_epochs
        self.job.report.progress(f"epoch {done}/{epochs}", done / epochs)

    def _validation(self, engine: Any) -> None:
        metrics = {name: found for name, value in engine.state.metrics.items() if (found := number(value)) is not None}
        # A metric that is not what the study is about may have no value (no lesion in any label).
        counted = {name: value for name, value in metrics.items() if math.isfinite(value) or name in self.job.objectives}
        if self._losses:
            counted["train_loss"] = math.fsum(self._losses) / len(self._losses)
            self._losses.clear()
        self.validations += 1
        self.reported.update(counted)
        if engine.state.best_metric_epoch == engine.state.epoch:
            self._save(self.models / "model.pt")
            self.saved_at = self.trainer.state.iteration
        if self.job.report(self.trainer.state.epoch, **counted):
            self._stop()

    def _stop(self) -> None:
        self.stopped = True
        self.trainer.terminate()

    def _save(self, path: Path) -> None:
        """Whole or not at all: a job may be ended while it writes."""
        beside = path.with_suffix(".writing")
        torch.save({"model": self.model.state_dict(), "train_conf": self.job.config}, beside)
        beside.replace(path)


def _loss(output: Any) -> float | None:
    """The loss of an iteration's output, before or after it was taken apart into items."""
    first = output[0] if isinstance(output, list) and output else output
    value = first.get("loss") if isinstance(first, dict) else None
    return number(value)


def number(value: Any) -> float | None:
    """A scalar as a float; None for anything else."""
    if isinstance(value, torch.Tensor):
        return float(value.detach()) if value.numel() == 1 else None
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return float(value)
    return None
