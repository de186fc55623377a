"""One process a GPU: the data shared out, gradients averaged, decisions that all ranks take together.

Nothing here does anything in a job of one process.
"""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import torch
import torch.distributed as dist
from monai.data import DistributedSampler
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler, SequentialSampler

from automl_run.engine.targets.base import Job

_log = logging.getLogger("automl_run.training")

#: A rank may cache its data, or measure, while the others wait for it.
_PATIENCE: Final = timedelta(hours=2)


@contextlib.contextmanager
def group(job: Job, device: torch.device) -> Iterator[None]:
    """The process group of the job's ranks, for as long as they train. To be entered before engines are built: they look for it.

    After an error it is left as it is: what ends it is the end of the process, once that has said why.
    """
    if job.ranks == 1:
        yield
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=_PATIENCE, device_id=device if device.type == "cuda" else None)
    yield
    dist.destroy_process_group()


def is_shared() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def any_rank(flag: bool, device: torch.device) -> bool:
    """Whether it is true on any rank: all of them get the same answer, and all must ask."""
    if not is_shared():
        return flag
    told = torch.tensor([int(flag)], device=device)
    dist.all_reduce(told, dist.ReduceOp.MAX)
    return bool(told.item())


def of_all_ranks(item: Any) -> list[Any]:
    """Each rank's `item`, by rank; all must ask."""
    if not is_shared():
        return [item]
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, item)
    return found


def share_out(trainer: Any, evaluator: Any, model: torch.nn.Module, device: torch.device) -> None:
    """Lets ignite engines train and validate as ranks: each sees its part of the data, and gradients are averaged.

    The trainer's `network` becomes a DistributedDataParallel of `model`; the evaluator infers with `model` itself. The batch size
    is that of one rank. MONAI's and ignite's metrics gather what the ranks found by themselves.
    """
    if not is_shared():
        return
    on_gpu = [device.index] if device.type == "cuda" else None
    trainer.network = DistributedDataParallel(model, device_ids=on_gpu)
    _share_data(trainer, training=True)
    if evaluator is not None:
        _share_data(evaluator, training=False)


def _share_data(engine: Any, training: bool) -> None:
    loader = engine.data_loader
    what = "training" if training else "validation"
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset) or loader.batch_sampler is None:
        _log.warning("warning: the %s data cannot be shared out: every GPU goes through all of them", what)
        return
    sampler = loader.sampler
    if isinstance(sampler, torch.utils.data.DistributedSampler):
        return
    if not isinstance(sampler, (RandomSampler, SequentialSampler)) or type(loader.batch_sampler) is not BatchSampler:
        _log.warning("warning: the %s data have a sampler of their own, %s: every GPU draws with it", what, type(sampler).__name__)
        return
    size = len(loader.dataset)  # type: ignore[arg-type]
    if size < dist.get_world_size():
        if training:
            _log.warning("warning: %d training items for %d GPUs: some train on the same one", size, dist.get_world_size())
        else:
            return  # all score all of them, which is the same score
    shuffle = isinstance(sampler, RandomSampler)
    shared = DistributedSampler(loader.dataset, even_divisible=training, shuffle=shuffle)
    before = len(loader)
    engine.data_loader = _with_sampler(loader, shared)
    if engine.state.epoch_length == before:
        engine.state.epoch_length = len(engine.data_loader)
    if training:
        from ignite.engine import Events

        engine.add_event_handler(Events.EPOCH_STARTED, lambda engine: shared.set_epoch(engine.state.epoch))


def _with_sampler(loader: Any, sampler: Any) -> Any:
    """A copy of `loader`, of its class, with all that its class knows of it: only what it draws is another."""
    other = copy.copy(loader)
    batches = BatchSampler(sampler, loader.batch_size, loader.drop_last)
    # DataLoader refuses these after its construction, to keep both in step.
    for name, value in (("sampler", sampler), ("batch_sampler", batches)):
        object.__setattr__(other, name, value)
    return other
