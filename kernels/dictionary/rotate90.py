"""Quarter turns of the images in a dictionary."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import monai.transforms as mt
import torch
from monai.data.meta_obj import get_track_meta
from monai.data.meta_tensor import MetaTensor
from monai.utils import TraceKeys, convert_to_tensor

from ..array.rotate90 import Rotate90
from ..tracking import Inner, Traced


class Rotate90d(mt.Rotate90d):
    """`monai.transforms.Rotate90d`."""

    rotator = Inner(Rotate90)


class RandRotate90d(mt.RandRotate90d, Traced):
    """`monai.transforms.RandRotate90d` with the same draws: the number of turns first, then whether to turn at all."""

    def __call__(self, data: Mapping[Hashable, torch.Tensor], lazy: bool | None = None) -> dict[Hashable, torch.Tensor]:
        self.randomize()
        images = dict(data)
        lazy_ = self.lazy if lazy is None else lazy
        rotator = Rotate90(self._rand_k, self.spatial_axes, lazy=lazy_)
        for key in self.key_iterator(images):
            image = images[key]
            images[key] = rotator(image) if self._do_transform else convert_to_tensor(image, track_meta=get_track_meta())
            self.push_transform(images[key], replace=True, lazy=lazy_)
        return images

    def inverse(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        images = dict(data)
        for key in self.key_iterator(images):
            if isinstance(images[key], MetaTensor):
                applied = self.pop_transform(images[key])
                if applied[TraceKeys.DO_TRANSFORM]:
                    images[key] = Rotate90().inverse_transform(images[key], applied[TraceKeys.EXTRA_INFO])
        return images
