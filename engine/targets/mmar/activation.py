"""Who applies the final activation: the network, or the loss and the post-processing.

Clara 3.x networks applied it themselves (`final_activation`), MONAI's leave it to the loss. Applied twice it trains badly and
silently, so a network with an activation of its own switches off those of the loss and of `Activationsd`, and is refused where the
loss needs raw output.
"""

from __future__ import annotations

import logging

from automl_run.dsl.ir import Value
from automl_run.errors import JobError

from .names import LOGIT_LOSSES
from .syntax import Component

_log = logging.getLogger("automl_run.mmar")
_SWITCHES = ("softmax", "sigmoid", "use_softmax")


class Activation:
    """`own`: what the network applies, None if it puts out raw values."""

    def __init__(self, own: str | None) -> None:
        self.own = own

    def adjust(self, part: Component, name: str, args: dict[str, Value]) -> dict[str, Value]:
        """The arguments of a loss or a post transform, made to fit the network; any other component's as they are."""
        short = name.rpartition(".")[2]
        if self.own is None or not (part.key == "loss" or (part.key == "post_transforms" and short == "Activationsd")):
            return args
        if part.key == "loss" and short in LOGIT_LOSSES:
            message = f'it needs raw output, but the network applies {self.own} itself; set its final_activation to "none"'
            raise JobError("user_error", f"{part.title}: {message}")
        out = dict(args)
        for switch in _SWITCHES:
            if out.get(switch):
                _log.info("%s: `%s` is off, because the network applies %s itself", part.title, switch, self.own)
                out[switch] = False
        return out
