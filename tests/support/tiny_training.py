"""A small MONAI training in memory, with every kind of state that a checkpoint must hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from ignite.metrics import Loss
from monai.data import CacheDataset, DataLoader
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import EarlyStopHandler, LrScheduleHandler, ValidationHandler, from_engine
from monai.transforms import Compose, RandFlipd, RandGaussianNoised

from automl_run.dsl.ir import Objective
from automl_run.engine.targets.base import Job
from automl_run.engine.targets.training.device import seed_training
from automl_run.engine.targets.training.session import Session


class Recorder:
    """A report that remembers, and may do something at each call; its checkpoints outlive it."""

    def __init__(self, folder: Path, when: Callable[[int], bool] = lambda call: False) -> None:
        self.checkpoint_dir = folder / "checkpoints"
        self.seen: list[tuple[int, dict[str, float]]] = []
        self.calls = 0
        self._when = when

    def __call__(self, step: int, **metrics: float) -> bool:
        self.calls += 1
        if metrics:
            self.seen.append((step, metrics))
        return self._when(self.calls)

    def progress(self, text: str, fraction: float | None = None) -> None:
        pass


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layers(x.flatten(1))
        return found


def tiny_session(
    folder: Path,
    report: Any,
    epochs: int = 4,
    workers: int = 0,
    attempt: str = "job",
    seed: int = 3,
    patience: int = 100,
    goal: Objective | None = None,
    measured: tuple[str, ...] = (),
    validates: bool = True,
) -> Session:
    """Eight items in two batches of four, shuffled and augmented; Adam, a schedule, dropout, batch norm, an early stop."""
    job = Job("W1_1_J1", folder / attempt, {}, {"lr": 0.1}, seed, 1, (), ("loss",), report, measured, goal=goal)
    seed_training(0, job)
    torch.manual_seed(seed)
    data = [{"image": (x := torch.randn(1, 4, generator=torch.Generator().manual_seed(i))), "label": x.sum(1)} for i in range(8)]
    augment = Compose([RandFlipd("image", prob=0.5, spatial_axis=0), RandGaussianNoised("image", prob=0.5)])
    loader = DataLoader(CacheDataset(data, augment, progress=False), batch_size=4, shuffle=True, num_workers=workers)
    checks = DataLoader(CacheDataset(data, Compose([]), progress=False), batch_size=4, num_workers=0)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 2, 3], 0.5)
    loss = torch.nn.MSELoss()
    device = torch.device("cpu")
    outputs: Any = from_engine(["pred", "label"])
    evaluator = SupervisedEvaluator(
        device=device,
        val_data_loader=checks,
        network=net,
        key_val_metric={"loss": Loss(loss, lambda output: tuple(torch.stack(part) for part in outputs(output)))},
        metric_cmp_fn=lambda new, old: old == -1 or new < old,
    )
    validation = [ValidationHandler(1, evaluator, epoch_level=True)] if validates else []
    handlers: list[Any] = [*validation, LrScheduleHandler(schedule)]
    trainer = SupervisedTrainer(
        device=device,
        max_epochs=epochs,
        train_data_loader=loader,
        network=net,
        optimizer=optimizer,
        loss_function=loss,
        train_handlers=handlers,
    )
    stop = EarlyStopHandler(patience, lambda engine: 0.0, trainer)
    stop.attach(evaluator)
    parts = {"optimizer": optimizer, "schedule": schedule}
    validator = evaluator if validates else None
    return Session(job, trainer, validator, net, parts=parts, weights=folder / attempt / "models", handlers=[*handlers, stop])
