"""What a study may want to know of the trained network itself: how many weights it has, and how long it takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Collection
from typing import Any, Final

import torch

from automl_run.errors import JobError

_WARM_UPS: Final = 5
_PASSES: Final = 20


def measure(wanted: Collection[str], model: torch.nn.Module, evaluator: Any) -> dict[str, float]:
    """`parameters` and `latency_ms`, those of `wanted`; without an `evaluator` only the first."""
    values: dict[str, float] = {}
    if "parameters" in wanted:
        values["parameters"] = float(sum(weight.numel() for weight in model.parameters()))
    if "latency_ms" in wanted and evaluator is not None:
        values["latency_ms"] = latency_ms(model, evaluator)
    return values


def latency_ms(model: torch.nn.Module, evaluator: Any) -> float:
    """Milliseconds: the median of 20 passes, after 5 more, of one item of the validation, inferred as the validation does."""
    device = torch.device(evaluator.state.device)
    batch = next(iter(evaluator.data_loader), None)
    if batch is None:
        raise JobError("user_error", "`latency_ms` cannot be measured: the validation has no item")
    inputs = evaluator.prepare_batch(batch, device, False)[0][:1]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=bool(evaluator.amp)):
            for _ in range(_WARM_UPS):
                evaluator.inferer(inputs=inputs, network=model)
            times = [_time_s(evaluator, inputs, model, device) for _ in range(_PASSES)]
    finally:
        model.train(was_training)
    return 1000.0 * statistics.median(times)


def _time_s(evaluator: Any, inputs: Any, model: torch.nn.Module, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    evaluator.inferer(inputs=inputs, network=model)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began
