"""Cases of a training epoch of a small network, its pipeline as it stands and fused; the floor is the epoch without a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import monai.transforms as mt
import torch
from monai.data import DataLoader, Dataset

from automl_run import kernels

from .case import FLOOR, MONAI, OURS, Arrays, Case, Contender, Spec
from .checks import unchecked
from .pipelines import BATCH, VOLUME, heavy_steps
from .sources import LABELS, items

_EDGE, _SAMPLES, _ROUNDS = 96, 8, 3


def specs() -> Iterator[Spec]:
    for workers in (0, 2):
        yield Spec(
            f"training epoch, heavy {BATCH} x {_EDGE}^3, {workers} workers",
            "training epoch",
            partial(_build, workers),
        )


def _build(workers: int, threads: int) -> Case:
    sources = items(VOLUME, count=_SAMPLES)
    case = Case(read_bytes=0, rounds=_ROUNDS)
    loaders = []

    def epoch_over(transform: Any) -> Callable[[int], object]:
        loader = DataLoader(Dataset(sources, transform), batch_size=BATCH, num_workers=workers, persistent_workers=workers > 0)
        loaders.append(loader)
        return Trainer(loader)

    compose = mt.Compose(heavy_steps(_EDGE))
    case.add(MONAI, epoch_over(compose), unchecked, _seed(compose))
    fused = kernels.fuse(mt.Compose(heavy_steps(_EDGE)))
    case.add(OURS, epoch_over(fused), _same_loss, _seed(fused))
    ready = next(iter(DataLoader(Dataset(sources, compose), batch_size=BATCH)))
    case.floor = Contender(FLOOR, Trainer([ready] * (_SAMPLES // BATCH)), unchecked)

    def close() -> None:
        for loader in loaders:
            # Persistent workers end with the iterator that holds them.
            loader._iterator = None

    case.close = close
    return case


class Trainer:
    """A network of its own that is trained for one epoch a call; returns the last loss. Every trainer starts alike."""

    def __init__(self, batches: Iterable[Mapping[str, torch.Tensor]]) -> None:
        torch.manual_seed(0)
        self.batches = batches
        # Three layers at half the resolution: on a CPU more would leave nothing of the pipeline to be seen.
        self.network = torch.nn.Sequential(
            torch.nn.Conv3d(1, 8, 3, stride=2, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv3d(8, 8, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.ConvTranspose3d(8, LABELS, 2, stride=2),
        )
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.01)
        self.loss = torch.nn.CrossEntropyLoss()

    def __call__(self, turn: int) -> float:
        for batch in self.batches:
            image, label = (batch[key].as_subclass(torch.Tensor) for key in ("image", "label"))
            self.optimizer.zero_grad()
            loss = self.loss(self.network(image), label[:, 0].long())
            loss.backward()
            self.optimizer.step()
        return float(loss)


def _seed(pipeline: Any) -> Callable[[int], None]:
    """Workers have their own seeds, made from torch's."""

    def prepare(turn: int) -> None:
        torch.manual_seed(turn)
        pipeline.set_random_state(seed=turn)

    return prepare


def _same_loss(result: Arrays, reference: Arrays) -> str:
    """The first epoch's losses agree, for both drew the same augmentations."""
    mine, other = float(result[0][0]), float(reference[0][0])
    return "" if abs(mine - other) <= 0.01 * abs(other) else f"loss {mine:.4g} and not {other:.4g}"
