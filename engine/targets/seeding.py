"""One seed for every library that draws random numbers."""

from __future__ import annotations

import random
import sys


def seed_libraries(seed: int) -> None:
    """Seeds `random`, and numpy and torch where they are loaded already: nothing is imported for it."""
    random.seed(seed)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(seed % 2**32)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(seed % 2**63)
