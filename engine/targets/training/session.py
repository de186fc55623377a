"""One training of an ignite trainer, as a job: what is reported, what is kept, when it stops, and where a retried job goes on.

    session = Session(job, trainer, evaluator, model, parts={"optimizer": optimizer}, handlers=[...], about={"train_conf": config})
    session.run()

Make it last, when all other handlers are attached: a checkpoint is to hold what they did. In `weights` lie, when it has run,
`model.pt`, the weights of the best validation, and `model_final.pt`, the last ones; both as {"model": state dict, **about}. It is
the best by the study's first objective, and what it gave is `counted`: a table says of a job what its kept weights are worth. A
training without an evaluator is judged by what each of its epochs gives.

A checkpoint is written at the end of each epoch, after its validation, and where a job is told to stop. A job with checkpoints goes
on from the newest usable one: it reports again what had been reported up to there, so that each attempt tells the whole course.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Events

from automl_run.dsl.elaborate.metrics import TRAIN_LOSS
from automl_run.dsl.goal import merit
from automl_run.dsl.ir import Value
from automl_run.engine.files import link_whole
from automl_run.engine.targets.base import Job
from automl_run.errors import JobError

from .checkpoints import Checkpoints, Unusable, save_whole
from .distributed import any_rank, of_all_ranks
from .measure import measure
from .randomness import random_states, randomizable, set_random_states
from .state import Stateful, capture, check_weights, engine_state, of_handlers, restore, set_engine_state

_log = logging.getLogger("automl_run.training")

BEST_WEIGHTS = "model.pt"
LAST_WEIGHTS = "model_final.pt"


class Session:
    """`trainer`, `evaluator`: MONAI's, or ignite's with the same attributes; the second is None where nothing validates.

    `parts`: what has a state beside the network, by any name. `handlers`: of both engines; those with a state are kept, too.
    `weights`: the folder for the weights; `is_bare`: its files hold the state dict alone. In a job of several ranks each makes one,
    and the first alone reports and writes.
    """

    def __init__(
        self,
        job: Job,
        trainer: Any,
        evaluator: Any,
        model: torch.nn.Module,
        *,
        parts: Mapping[str, object],
        weights: Path,
        handlers: Iterable[object] = (),
        about: Mapping[str, Value] | None = None,
        is_bare: bool = False,
    ) -> None:
        self.job, self.trainer, self.evaluator, self.model = job, trainer, evaluator, model
        self.weights, self.about, self._is_bare = weights, dict(about or {}), is_bare
        #: validations that were reported, those of earlier attempts too; epochs where there is no evaluator
        self.validations = 0
        #: told to stop: it does at once, but not between the last iteration of an epoch and what belongs to its end
        self.stopped = False
        #: names of all metrics so far
        self.reported: set[str] = set()
        self._device = torch.device(trainer.state.device)
        self._parts = {name: part for name, part in parts.items() if isinstance(part, Stateful)} | dict(of_handlers(handlers))
        self._left_out: set[str] = set()
        loaders = [engine.data_loader for engine in (trainer, evaluator) if engine is not None]
        self._owners = randomizable([getattr(loader, "dataset", None) for loader in loaders])
        self._generators = [found for loader in loaders if isinstance(found := getattr(loader, "generator", None), torch.Generator)]
        self._checkpoints = Checkpoints(job.report.checkpoint_dir, identity_of(job))
        self._history: list[tuple[int, dict[str, float]]] = []
        self._losses: list[float] = []
        self._best: str | None = None
        #: which of the history the best weights are of
        self._kept: int | None = None
        self._saved_at: int | None = None
        #: the epoch whose validation was broken off: a continued job owes it
        self._owed: int | None = None
        #: a continued job is not yet where it was: what handlers make engines do before that does not count
        self._returning = False
        self._continued: dict[str, Any] | None = None
        self._written_at: int | None = None
        trainer.add_event_handler(Events.STARTED, self._start)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._iteration)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._epoch)
        if evaluator is not None:
            evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._validating)
            evaluator.add_event_handler(Events.COMPLETED, self._validation)

    @property
    def is_first(self) -> bool:
        return self.job.rank == 0

    @property
    def counted(self) -> dict[str, float]:
        """What the validation gave whose weights are kept; {} before there is one."""
        return {} if self._kept is None else dict(self._history[self._kept][1])

    def run(self) -> None:
        """Trains to the end, or until the job is told to stop."""
        self._continued = self._newest()
        self._returning = self._continued is not None
        self.trainer.run()
        if self.stopped and self._written_at != self.trainer.state.iteration:
            self._checkpoint(self.trainer.state.epoch - 1)
        if not self.is_first:
            return
        best, last = self.weights / BEST_WEIGHTS, self.weights / LAST_WEIGHTS
        if self._best is not None:
            # A handler of the training's own may have put there what it holds for the best.
            link_whole(self._checkpoints.folder / self._best, best)
        if self._saved_at == self.trainer.state.iteration:
            link_whole(best, last)
        else:
            save_whole(last, self._weights())

    # -- a continued job ----------------------------------------------------------------------------------------------

    def _newest(self) -> dict[str, Any] | None:
        """The checkpoint to go on from, the same one on every rank."""
        for path, state in self._checkpoints.usable(torch.device("cpu")):
            try:
                check_weights(state["model"], self.model)
            except Unusable as reason:
                _log.warning("warning: %s is not used: %s", path.name, reason)
                continue
            self._checkpoints.go_on_from(path, state["best"])
            _log.info("goes on from %s: %d epochs are done", path.name, state["epoch"])
            return state
        return None

    def _start(self, engine: Any) -> None:
        """Last of what happens at the start: a handler that loads weights to begin with has done so."""
        state, self._continued = self._continued, None
        self._returning = False
        if state is None:
            return
        self._go_on(engine, state)
        self._owed = state["owed"]
        if self._owed is not None and self.evaluator is not None and not self.stopped:
            self.evaluator.run(self._owed)

    def _go_on(self, engine: Any, state: dict[str, Any]) -> None:
        restore(state, self.model, self._with_scaler())
        set_engine_state(engine, state["trainer"])
        if self.evaluator is not None:
            set_engine_state(self.evaluator, state["evaluator"])
        engine.state.iteration, engine.state.epoch = state["iteration"], state["epoch"]
        self._losses = list(state["losses"]) if self.is_first else []
        self._best, self._kept, self._saved_at = state["best"], state["kept"], state["saved_at"]
        if self._best is not None and self.is_first:
            link_whole(self._checkpoints.folder / self._best, self.weights / BEST_WEIGHTS)
        stop = False
        for step, metrics in state["history"]:
            self.validations += 1
            stop = self._report(step, metrics) or stop
        if len(state["random"]) != self.job.ranks:
            _log.warning("warning: the checkpoint is of a job with %d ranks: random numbers begin anew", len(state["random"]))
        elif not set_random_states(state["random"][self.job.rank], self._owners, self._generators):
            _log.warning("warning: the random states of the transforms are not those of the checkpoint: they begin anew")
        if any_rank(stop, self._device):
            self.stopped = True
            engine.terminate()

    # -- events -------------------------------------------------------------------------------------------------------

    def _iteration(self, engine: Any) -> None:
        loss = loss_of(engine.state.output)
        if loss is not None:
            if not math.isfinite(loss):
                raise JobError("diverged", f"the loss became {loss} in epoch {engine.state.epoch}")
            self._losses.append(loss)
        if any_rank(self.is_first and self.job.report(engine.state.epoch), self._device):
            self.stopped = True
        if self.stopped and not (engine.state.epoch_length and engine.state.iteration % engine.state.epoch_length == 0):
            engine.terminate()

    def _validating(self, engine: Any) -> None:
        """A validation may take longer than the grace of a job that is to stop: it is broken off, and owed.

        Not among several ranks, which may not have the same number of items.
        """
        if self._returning or not (self.stopped or (self.is_first and self.job.report(self.trainer.state.epoch))):
            return
        if self.job.ranks > 1:
            return
        self.stopped = True
        self._owed = self._owed if self._owed is not None else self.trainer.state.epoch
        engine.terminate(skip_completed=True)

    def _validation(self, engine: Any) -> None:
        if self._returning:
            return
        step = self.trainer.state.epoch if self._owed is None else self._owed
        self._owed = None
        self._judge(engine, step)

    def _judge(self, engine: Any, step: int) -> None:
        """Reports what `engine` has found, and keeps the weights if they are the best so far."""
        metrics = {name: found for name, value in engine.state.metrics.items() if (found := number(value)) is not None}
        # A metric that is not what the study is about may have no value (no lesion in any label).
        counted = {name: value for name, value in metrics.items() if math.isfinite(value) or name in self.job.objectives}
        losses = [loss for rank in of_all_ranks(self._losses) for loss in rank]
        self._losses.clear()
        if losses:
            counted[TRAIN_LOSS] = math.fsum(losses) / len(losses)
        self.validations += 1
        if self._is_best(engine, counted):
            self._kept, self._saved_at = len(self._history), self.trainer.state.iteration
            if self.is_first:
                self._best = self._checkpoints.write_best(self._saved_at, self._weights())
                link_whole(self._checkpoints.folder / self._best, self.weights / BEST_WEIGHTS)
        if any_rank(self._report(step, counted), self._device):
            self.stopped = True

    def _is_best(self, engine: Any, metrics: Mapping[str, float]) -> bool:
        """So far, by what the study is about; where a validation does not tell, by the engine's key metric, or else the newest."""
        worth = self._merit(metrics)
        if worth is not None:
            return all(worth > before for _, told in self._history if (before := self._merit(told)) is not None)
        if getattr(engine.state, "key_metric_name", None) is None:
            return True
        return bool(engine.state.best_metric_epoch == engine.state.epoch)

    def _merit(self, metrics: Mapping[str, float]) -> float | None:
        """None where the study has no objective, or it reads what only the end of the job tells, such as `seconds`."""
        if self.job.goal is None:
            return None
        known = measure({"parameters"} & {*self.job.measured} - {*metrics}, self.model, None)
        return merit(self.job.goal, {**known, **metrics})

    def _epoch(self, engine: Any) -> None:
        done, epochs = engine.state.epoch, engine.state.max_epochs
        if self.evaluator is None:
            self._judge(engine, done)
        if self.is_first:
            self.job.report.progress(f"epoch {done}/{epochs}", done / epochs)
        self._checkpoint(done)
        if self.stopped:
            engine.terminate()

    def _report(self, step: int, metrics: dict[str, float]) -> bool:
        self._history.append((step, metrics))
        self.reported.update(metrics)
        return self.is_first and self.job.report(step, **metrics)

    # -- what is kept ----------------------------------------------------------------------------------------------------

    def _weights(self) -> dict[str, object]:
        weights: dict[str, object] = self.model.state_dict()
        return weights if self._is_bare else {"model": weights, **self.about}

    def _with_scaler(self) -> dict[str, Stateful]:
        scaler = getattr(self.trainer, "scaler", None)
        return {**self._parts, **({"scaler": scaler} if isinstance(scaler, Stateful) else {})}

    def _checkpoint(self, epochs: int) -> None:
        """`epochs`: how many are done; where a job stops within one, the rest of its iterations are still to come."""
        engine = self.trainer
        self._written_at = engine.state.iteration
        random = of_all_ranks(random_states(self._owners, self._generators))
        losses = [loss for rank in of_all_ranks(self._losses) for loss in rank]
        if not self.is_first:
            return
        state = {
            **capture(self.model, self._with_scaler(), self._left_out),
            "epoch": epochs,
            "iteration": engine.state.iteration,
            "trainer": engine_state(engine),
            "evaluator": {} if self.evaluator is None else engine_state(self.evaluator),
            "kept": self._kept,
            "history": self._history,
            "losses": losses,
            "saved_at": self._saved_at,
            "owed": self._owed,
            "random": random,
        }
        self._checkpoints.write(engine.state.iteration, state, self._best)


def identity_of(job: Job) -> str:
    """Of the job and its parameters; not of its budget, which may grow."""
    fold = None if job.fold is None else [job.fold.number, job.fold.count]
    return json.dumps([job.name, job.seed, job.params, fold], sort_keys=True, default=str)


def loss_of(output: Any) -> float | None:
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
