"""Losses of older Clara versions on today's MONAI."""

from __future__ import annotations

import torch
from monai.losses import FocalLoss

#: Probabilities are kept this far from 0 and 1.
_EPSILON = 1e-6


class Focal(FocalLoss):  # type: ignore[misc]  # MONAI is untyped
    """Clara 3.x's focal loss: MONAI's `FocalLoss` of probabilities, which networks of 3.x put out, instead of raw values.

    Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, arXiv 1708.02002.
    """

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """(B, C, ...) probabilities and labels -> the mean loss."""
        out: torch.Tensor = super().forward(torch.logit(input.float(), eps=_EPSILON), target)
        return out
