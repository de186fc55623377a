"""What MONAI keeps beside the voxels, kept the same way in less time: the affine, the metadata and the applied operations.

MONAI spends a third of a millisecond per transform on these, more than a kernel needs for a small image. The usual case is done
here; whatever is unusual goes through MONAI's own functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar, cast, overload

import monai.transforms as mt
import numpy as np
import numpy.typing as npt
import torch
from monai.data.meta_obj import MetaObj, get_track_meta
from monai.data.meta_tensor import MetaTensor
from monai.transforms.inverse import TraceableTransform
from monai.utils import MetaKeys, TraceKeys, convert_to_tensor

TransformInfo = Mapping[str, object]
Matrix = npt.NDArray[np.float64]
T = TypeVar("T")


class Inner(Generic[T]):
    """A transform that another one holds: MONAI makes it, and whoever reads the attribute finds our subclass of it.

    Our subclasses add behaviour and no state, so an instance can change its class. Thus the constructors, whatever their
    arguments in the installed version, remain MONAI's.
    """

    def __init__(self, ours: type[T]) -> None:
        self.ours = ours
        self.monais = getattr(mt, ours.__name__)
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Inner[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T | Inner[T]:
        if instance is None:
            return self
        try:
            held = instance.__dict__[self.name]
        except KeyError:
            raise AttributeError(f"{owner.__name__} has no {self.name} yet") from None
        if type(held) is self.monais:
            held.__class__ = self.ours
        return cast(T, held)

    def __set__(self, instance: object, held: T) -> None:
        instance.__dict__[self.name] = held


class Traced(TraceableTransform):
    """A transform that enters itself in place of, or after, the transforms that it called, as MONAI does.

    Named after MONAI's class among the bases: it comes before `TraceableTransform` all the same, and `Inner` needs it so.
    """

    def push_transform(self, data: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
        usual = not args and not kwargs.get("lazy") and kwargs.keys() <= {"replace", "lazy", "orig_size", "extra_info"}
        if not usual or not _is_current(data) or not self.tracing:
            return cast(torch.Tensor, super().push_transform(data, *args, **kwargs))
        image: MetaTensor = data
        info = self.get_transform_info()
        record: dict[str, object] = {TraceKeys.ORIG_SIZE: kwargs.get("orig_size"), TraceKeys.LAZY: False}
        if kwargs.get("replace"):
            replaced = image.applied_operations.pop() if info.get(TraceKeys.DO_TRANSFORM, True) else {}
            record[TraceKeys.ORIG_SIZE], record[TraceKeys.EXTRA_INFO] = replaced.get(TraceKeys.ORIG_SIZE), replaced
        elif kwargs.get("extra_info") is not None:
            record[TraceKeys.EXTRA_INFO] = kwargs["extra_info"]
        if record[TraceKeys.ORIG_SIZE] is None:
            record[TraceKeys.ORIG_SIZE] = image.peek_pending_shape()
        # A new list, as MONAI makes one: the old one may belong to the input as well.
        image.applied_operations = [*image.applied_operations, {**info, **record}]
        return data


def _is_current(img: object) -> bool:
    return type(img) is MetaTensor and bool(get_track_meta()) and not cast(MetaTensor, img).pending_operations


def plain_voxels(img: object) -> torch.Tensor | None:
    """The voxels as a plain tensor, or None where only MONAI knows what to do: other subclasses, batches, pending operations."""
    if isinstance(img, MetaTensor):
        if type(img) is not MetaTensor or img.is_batch or img.pending_operations:
            return None
        return cast(torch.Tensor, img.as_tensor())
    return img if type(img) is torch.Tensor else None


def plain_image(img: object) -> torch.Tensor | None:
    """The voxels of one 2-D or 3-D image as a plain tensor, or None where only MONAI knows what to do."""
    voxels = plain_voxels(img)
    return voxels if voxels is not None and voxels.ndim in (3, 4) else None


def tracked(img: torch.Tensor) -> torch.Tensor:
    """`img`, a MetaTensor if metadata is kept."""
    if type(img) is MetaTensor and get_track_meta():
        return img
    return cast(torch.Tensor, convert_to_tensor(img, track_meta=get_track_meta()))


def affine_rank(img: torch.Tensor) -> int:
    """The number of world axes that MONAI assumes: the affine may be of a volume where the image has two axes only."""
    return int(img.peek_pending_rank()) if isinstance(img, MetaTensor) else 3


def translation(rank: int, shift: Sequence[float]) -> Matrix:
    """The affine (rank + 1, rank + 1) of an output whose first voxel is voxel `shift` of the input."""
    affine = np.eye(rank + 1)
    affine[: len(shift), -1] = shift
    return affine


def keeps_metadata(img: object) -> bool:
    """Whether what is made of `img` has metadata."""
    return isinstance(img, MetaTensor) and bool(get_track_meta())


def with_metadata(voxels: torch.Tensor, img: torch.Tensor) -> torch.Tensor:
    """`voxels` with a copy of the metadata of `img`."""
    if not keeps_metadata(img):
        return voxels
    out = voxels.as_subclass(MetaTensor)
    out.__dict__ = {name: MetaObj.copy_items(value) for name, value in img.__dict__.items()}
    return cast(torch.Tensor, out)


def recorded(
    img: torch.Tensor,
    voxels: torch.Tensor,
    *,
    affine: Matrix,
    extra_info: dict[str, object],
    orig_size: tuple[int, ...],
    transform_info: TransformInfo,
) -> torch.Tensor:
    """`voxels` with the metadata of `img` after a transform whose output voxels lie at `affine` @ voxel in `img`."""
    if not keeps_metadata(img):
        return voxels
    meta = cast(MetaTensor, img).meta
    before = meta.get(MetaKeys.AFFINE)  # the property makes a default first, which costs more than the rest
    usual = isinstance(before, torch.Tensor) and before.shape == affine.shape and before.dtype == torch.float64
    if usual and MetaKeys.PIXDIM not in meta:
        out = cast(MetaTensor, with_metadata(voxels, img))
        out.meta[MetaKeys.AFFINE] = torch.from_numpy(before.detach().numpy() @ affine)
        if transform_info[TraceKeys.TRACING]:
            record = {TraceKeys.ORIG_SIZE: orig_size, TraceKeys.LAZY: False, TraceKeys.EXTRA_INFO: extra_info}
            out.applied_operations.append({**transform_info, **record})
        return cast(torch.Tensor, out)
    moved, about = torch.from_numpy(affine), {"extra_info": extra_info, "orig_size": orig_size, "transform_info": transform_info}
    noted = TraceableTransform.track_transform_meta(img, affine=moved, lazy=False, **about)
    out = voxels.as_subclass(MetaTensor)
    out.copy_meta_from(noted, copy_attr=False)
    return cast(torch.Tensor, out)
