"""Which kind of thing a parameter tunes, inferred from its path where no tag says it."""

from __future__ import annotations

import re

#: What tunes none of the three.
OTHER = "other"

_RATES = frozenset({"lr", "learning_rate", "lr_scheduler", "optimizer", "optim", "scheduler", "momentum", "weight_decay"})
_NETS = frozenset({"model", "net", "network", "backbone", "network_def"})
_WORD = re.compile(r"[A-Za-z0-9_]+")


def label_of(path: str) -> str:
    """lr, net, transform or other."""
    words = [word.lower() for word in _WORD.findall(path)]
    if words and words[-1] in _RATES:
        return "lr"
    for word in words:
        if word in _NETS:
            return "net"
        if "transform" in word:
            return "transform"
        if word in _RATES:
            return "lr"
    return OTHER
