"""The trainings of a bundle as a job: the first one is a session, with checkpoints; of all others it is told how they go."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.metrics import Metric
from monai.engines import Evaluator
from monai.handlers import ValidationHandler

from automl_run.dsl.elaborate.metrics import TRAIN_LOSS
from automl_run.engine.files import link_whole
from automl_run.engine.targets.base import Job, Result
from automl_run.engine.targets.training.measure import measure
from automl_run.engine.targets.training.session import BEST_WEIGHTS, LAST_WEIGHTS, Session, loss_of, number
from automl_run.errors import JobError

from .layout import MODELS

#: What has a state that is not to be kept: the network's is, engines go on by their epochs, a metric begins anew with each of them,
#: and asks all ranks for its own.
_OWN_STATE = (torch.nn.Module, Engine, Metric)
#: What MONAI's trainers call the network that they are for.
_NETWORKS = ("network", "g_network")


class Watch:
    """`made`: what the configuration has made so far, by its ids."""

    def __init__(self, job: Job, made: Callable[[], Mapping[str, object]]) -> None:
        self.job = job
        self._made = made
        self._session: Session | None = None
        self._listeners: list[_Listener] = []

    def meet(self, engine: Any, outer: Any) -> Callable[[], None] | None:
        """The session's run in place of the first trainer's own."""
        if self._session is not None and engine is self._session.evaluator:
            return None
        is_trainer = outer is None and not isinstance(engine, Evaluator)
        if not is_trainer or self._session is not None or network_of(engine) is None:
            self._listeners.append(_Listener(self.job, engine, outer))
            return None
        session = self._session = self._make_session(engine)
        if session.evaluator is not None and _key_metric(engine) in self.job.objectives:
            self._listeners.append(_Listener(self.job, engine, None))
        return self._train

    def _make_session(self, trainer: Any) -> Session:
        network = network_of(trainer)
        assert network is not None
        made = self._made()
        parts = {id: part for id, part in made.items() if not isinstance(part, _OWN_STATE)}
        return Session(
            self.job,
            trainer,
            self._evaluator(made, trainer),
            network,
            parts={**parts, "optimizer": trainer.optimizer} if hasattr(trainer, "optimizer") else parts,
            handlers=[part for part in parts.values() if hasattr(part, "attach")],
            weights=self._weights,
            is_bare=True,
        )

    def _train(self) -> None:
        """Runs the session. While it trains, `models/` is the bundle's own handlers'; what the session kept is there afterwards."""
        assert self._session is not None
        self._session.run()
        if self.job.rank > 0:
            return
        best, last = self._weights / BEST_WEIGHTS, self._weights / LAST_WEIGHTS
        link_whole(best if best.is_file() else last, self.job.dir / MODELS / BEST_WEIGHTS)
        link_whole(last, self.job.dir / MODELS / LAST_WEIGHTS)

    @property
    def _weights(self) -> Path:
        return self.job.report.checkpoint_dir / "weights"

    def _evaluator(self, made: Mapping[str, object], trainer: Any) -> Any:
        """Of several, the one whose key metric the study is about. None where no validation is needed and none is asked for."""
        found: list[Any] = [part.validator for part in made.values() if isinstance(part, ValidationHandler) and part.validator]
        if not found and self.job.objectives and {*self.job.objectives} <= {TRAIN_LOSS, _key_metric(trainer)}:
            return None
        found += [part for part in made.values() if isinstance(part, Evaluator)]
        wanted = [one for one in found if _key_metric(one) in self.job.objectives]
        return next(iter([*wanted, *found]), None)

    def finish(self) -> Result:
        """What counts of the session, and what is measured of its network.

        JobError for a run that never reported what the study is about.
        """
        session = self._session
        reported = set().union(*(listener.reported for listener in self._listeners), session.reported if session else ())
        stopped = any(listener.stopped for listener in self._listeners) or (session is not None and session.stopped)
        if self.job.rank > 0:
            return None
        counted = session.counted if session is not None else {}
        if stopped:
            return counted or None
        if session is None and not self._listeners:
            raise JobError("user_error", "nothing was trained: what the configuration runs started no engine of ignite or MONAI")
        unvalidated = session is None or session.evaluator is None or session.validations == 0
        if unvalidated and not set(self.job.objectives) & reported:
            done = session.trainer.state.epoch if session is not None else 0
            raise JobError(
                "user_error",
                f"the run ended after {done} epochs without a validation: a ValidationHandler among the trainer's handlers "
                "validates every `interval` epochs, and the training needs at least so many",
            )
        if session is None:
            return None
        wanted = [name for name in self.job.measured if name not in reported]
        return {**counted, **measure(wanted, session.model, session.evaluator)} or None


class _Listener:
    """Of an engine that no session has: reports its metrics, and ends it when the study says so."""

    def __init__(self, job: Job, engine: Any, outer: Any) -> None:
        self.job, self.engine, self.outer = job, engine, outer
        self.reported: set[str] = set()
        self.stopped = False
        self._losses: list[float] = []
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._iteration)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._epoch)

    def _iteration(self, engine: Any) -> None:
        loss = loss_of(engine.state.output)
        if loss is not None:
            if not math.isfinite(loss):
                raise JobError("diverged", f"the loss became {loss} in epoch {engine.state.epoch}")
            self._losses.append(loss)
        self._tell({})

    def _epoch(self, engine: Any) -> None:
        metrics = {name: found for name, value in engine.state.metrics.items() if (found := number(value)) is not None}
        # A metric that is not what the study is about may have no value (no lesion in any label).
        told = {name: value for name, value in metrics.items() if math.isfinite(value) or name in self.job.objectives}
        if self._losses:
            told[TRAIN_LOSS] = math.fsum(self._losses) / len(self._losses)
            self._losses.clear()
        self.reported.update(told)
        self._tell(told)

    def _tell(self, metrics: dict[str, float]) -> None:
        if self.job.report((self.outer or self.engine).state.epoch, **metrics):
            self.stopped = True
            for engine in (self.engine, self.outer):
                if engine is not None:
                    engine.terminate()


def _key_metric(engine: Any) -> str | None:
    """The name of its key metric; None for an engine without one."""
    name = getattr(engine.state, "key_metric_name", None)
    return name if isinstance(name, str) else None


def network_of(engine: Any) -> torch.nn.Module | None:
    """What a MONAI trainer trains, without what spreads it over several GPUs."""
    for name in _NETWORKS:
        network = getattr(engine, name, None)
        if isinstance(network, torch.nn.parallel.DistributedDataParallel):
            network = network.module
        if isinstance(network, torch.nn.Module):
            return network
    return None
