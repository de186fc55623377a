"""A stand-in for a training script: a smooth score over the recipe, in milliseconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any


def train(params: Mapping[str, Any], report: Callable[..., bool]) -> float:
    """`params` is the configuration of this job; inactive parameters are absent. Returns the score to maximize."""
    model = params["model"]
    if model["_target_"] == "UNet":
        ceiling, best_lr = 0.78 + 0.03 * model["depth"], 1e-2
    else:
        ceiling, best_lr = 0.80 + 0.06 * math.log2(model["init_filters"] / 8), 2e-3
    miss = math.log10(params["lr"] / best_lr) ** 2 + 0.2 * math.log2(4 / params["batch_size"])
    dice = 0.0
    for epoch in range(1, 6):
        dice = ceiling * math.exp(-0.3 * miss) * (1 - math.exp(-epoch))
        if report(epoch, dice=dice):  # True: the search asks this job to stop
            break
    return dice
