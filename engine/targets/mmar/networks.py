"""Networks of older Clara versions on today's MONAI."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from monai.networks.nets import AHNet, SegResNet, UNet

from automl_run.dsl.ir import Value
from automl_run.errors import JobError

from .syntax import components, is_enabled

_log = logging.getLogger("automl_run.mmar")

Sizes = Sequence[Sequence[int]]

_MAX_PSP_BLOCKS = 4
_GROUPS = 8


class SegAhnet(AHNet):  # type: ignore[misc]  # MONAI is untyped
    """Clara 3.x's anisotropic hybrid network: MONAI's `AHNet` with Clara's arguments and its final activation.

    `plane` ("x", "y" or "z") is the axis of low resolution, MONAI's last. `if_use_psp` adds pyramid pooling: as many blocks as fit
    `patch_sizes`, up to four, unless `psp_block_num` says how many. `norm` "group" replaces the batch normalisation, whose
    statistics are of little use with batches of a few patches. The state dict is that of `AHNet`.
    Liu et al., "3D Anisotropic Hybrid Network", MICCAI 2018, arXiv 1711.08580.
    """

    def __init__(
        self,
        num_classes: int,
        if_use_psp: bool = False,
        pretrain_weight_name: str | None = None,
        plane: str = "z",
        final_activation: str | None = "softmax",
        n_spatial_dim: int = 3,
        layers: Sequence[int] = (3, 4, 6, 3),
        in_channels: int = 1,
        psp_block_num: int | None = None,
        upsample_mode: str = "transpose",
        norm: str = "batch",
        patch_sizes: Sizes = (),
    ) -> None:
        if plane not in ("x", "y", "z"):
            raise ValueError(f"plane must be x, y or z, not {plane!r}")
        if norm not in ("batch", "group"):
            raise ValueError(f"norm must be batch or group, not {norm!r}")
        activation = _activation(final_activation)
        self.low_axis = "xyz".index(plane) if n_spatial_dim == 3 else n_spatial_dim - 1
        _check_sizes(patch_sizes)
        blocks = (
            psp_block_num
            if psp_block_num is not None
            else _psp_blocks(patch_sizes, self.low_axis, upsample_mode)
            if if_use_psp
            else 0
        )
        super().__init__(
            layers=tuple(layers),
            spatial_dims=n_spatial_dim,
            in_channels=in_channels,
            out_channels=num_classes,
            psp_block_num=blocks,
            upsample_mode=upsample_mode,
        )
        self.activation = activation
        if norm == "group":
            _use_group_norm(self)
        if pretrain_weight_name:
            _load(self, Path(pretrain_weight_name))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, ...) -> class probabilities, or raw values where `final_activation` is none, of the same spatial shape."""
        axis = 2 + self.low_axis
        out: torch.Tensor = super().forward(x.transpose(axis, -1)).transpose(axis, -1)
        return _activated(out, self.activation)


class SegResnet(SegResNet):  # type: ignore[misc]  # MONAI is untyped
    """Clara 3.x's residual network: MONAI's `SegResNet` with Clara's arguments and its final activation.

    `blocks_down` and `blocks_up` are lists or texts such as "1,2,2,4". `use_group_normG`: groups of the normalisation, which is
    over batches without `use_group_norm`. The state dict is that of `SegResNet`.
    Myronenko, "3D MRI Brain Tumor Segmentation Using Autoencoder Regularization", 2018, arXiv 1810.11654.
    """

    def __init__(
        self,
        num_classes: int,
        blocks_down: str | Sequence[int] = (1, 2, 2, 4),
        blocks_up: str | Sequence[int] = (1, 1, 1),
        init_filters: int = 8,
        in_channels: int = 1,
        dropout_prob: float | None = None,
        final_activation: str | None = "softmax",
        use_group_norm: bool = True,
        use_group_normG: int = 8,  # Clara's name
        use_vae: bool = False,
    ) -> None:
        if use_vae:
            raise ValueError("use_vae: the training has no term for the autoencoder's loss; name MONAI's SegResNetVAE as own class")
        activation = _activation(final_activation)
        super().__init__(
            spatial_dims=3,
            init_filters=init_filters,
            in_channels=in_channels,
            out_channels=num_classes,
            dropout_prob=dropout_prob or None,
            norm=("GROUP", {"num_groups": math.gcd(use_group_normG, init_filters)}) if use_group_norm else "BATCH",
            blocks_down=_counts(blocks_down),
            blocks_up=_counts(blocks_up),
        )
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, D, H, W) -> class probabilities, or raw values where `final_activation` is none."""
        return _activated(super().forward(x), self.activation)


class Unet(UNet):  # type: ignore[misc]  # MONAI is untyped
    """Clara 3.x's U-Net as MONAI's `UNet`: `nf_enc` are its channels, of which each level halves the resolution."""

    def __init__(
        self,
        num_classes: int,
        nf_enc: str | Sequence[int] = (32, 64, 64, 64),
        in_channels: int = 1,
        dropout_prob: float | None = None,
        final_activation: str | None = "softmax",
        use_group_norm: bool = False,
    ) -> None:
        channels = _counts(nf_enc)
        activation = _activation(final_activation)
        super().__init__(
            spatial_dims=3,
            in_channels=in_channels,
            out_channels=num_classes,
            channels=channels,
            strides=(2,) * (len(channels) - 1),
            norm=("GROUP", {"num_groups": math.gcd(_GROUPS, *channels), "affine": True}) if use_group_norm else "BATCH",
            dropout=dropout_prob or 0.0,
        )
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, D, H, W) -> class probabilities, or raw values where `final_activation` is none."""
        return _activated(super().forward(x), self.activation)


#: Networks that apply an activation of their own, and the one they apply where nothing is said.
WITH_ACTIVATION: Final = {f"{__name__}.{network.__name__}": "softmax" for network in (SegAhnet, SegResnet, Unet)}


def _activation(named: str | None) -> str:
    activation = "none" if named in (None, "", "linear") else str(named)
    if activation not in ("softmax", "sigmoid", "none"):
        raise ValueError(f"final_activation must be softmax, sigmoid or none, not {named!r}")
    return activation


def _activated(out: torch.Tensor, activation: str) -> torch.Tensor:
    match activation:
        case "softmax":
            return out.softmax(dim=1)
        case "sigmoid":
            return out.sigmoid()
        case _:
            return out


def _counts(written: str | Sequence[int]) -> tuple[int, ...]:
    return tuple(int(count) for count in (written.split(",") if isinstance(written, str) else written))


def _check_sizes(sizes: Sizes) -> None:
    for size in sizes:
        if any(extent % 32 for extent in size):
            shown = " x ".join(map(str, size))
            raise JobError(
                "user_error", f"SegAhnet halves five times: every patch size must be divisible by 32, but the config has {shown}"
            )


def _psp_blocks(sizes: Sizes, low_axis: int, upsample_mode: str) -> int:
    """How many pyramid blocks fit all patches. Block i pools 2^(i+3) voxels of half the resolution, not along the low axis."""
    extents = [extent for size in sizes for axis, extent in enumerate(size) if axis != low_axis]
    if not extents:
        raise JobError(
            "user_error", "if_use_psp: the config says no patch size to choose the pyramid blocks by; give psp_block_num"
        )
    blocks = 0
    while blocks < _MAX_PSP_BLOCKS:
        pooled = 2 ** (blocks + 4)
        if any(extent < pooled or (upsample_mode == "transpose" and extent % pooled) for extent in extents):
            break
        blocks += 1
    if blocks == 0:
        raise JobError("user_error", f"if_use_psp: no pyramid block fits patches of {min(extents)} voxels; the smallest needs 16")
    _log.info("SegAhnet: %d pyramid blocks fit patches of %d voxels", blocks, min(extents))
    return blocks


def _use_group_norm(network: torch.nn.Module) -> None:
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)):
                channels = child.num_features
                groups = next(count for count in range(min(_GROUPS, channels), 0, -1) if channels % count == 0)
                setattr(parent, name, torch.nn.GroupNorm(groups, channels))


def _load(network: torch.nn.Module, path: Path) -> None:
    """Weights of the same name and shape."""
    if not path.is_file():
        raise JobError("user_error", f'pretrain_weight_name: there is no file {path}; "" starts from random weights')
    try:
        data: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise JobError("user_error", f"pretrain_weight_name: {path} holds no torch weights ({type(error).__name__})") from error
    state = data.get("model", data) if isinstance(data, Mapping) else {}
    own = network.state_dict()
    fitting = {key: value for key, value in state.items() if key in own and getattr(value, "shape", None) == own[key].shape}
    if not fitting:
        raise JobError("user_error", f"pretrain_weight_name: {path} has no weights of this network")
    network.load_state_dict(fitting, strict=False)
    _log.info("SegAhnet: %d of %d weights from %s", len(fitting), len(own), path)


# -- patch sizes ------------------------------------------------------------------------------------------------------------------


def patch_sizes(config: Mapping[str, Value]) -> list[list[int]]:
    """The sizes of what a network gets to see, as far as the config says: by its last crop, and in the windows of inferers."""
    found: list[list[int]] = []
    for section in ("train", "validate"):
        part = config.get(section)
        if not isinstance(part, dict):
            continue
        inferer = list(_sizes(part.get("inferer"), "inferer"))
        crops = list(_sizes(part.get("pre_transforms"), "pre_transforms"))
        # Validation usually goes through whole volumes, in windows; its transforms are those before the crops.
        found += inferer[-1:] or (crops[-1:] if section == "train" else [])
    return found


def _sizes(node: Value, key: str) -> Iterator[list[int]]:
    for part in components(node, key, key):
        if is_enabled(part):
            for name in ("spatial_size", "roi_size"):
                value = part.args.get(name)
                extents = value if isinstance(value, list) else [value] * 3
                if all(isinstance(extent, int) and not isinstance(extent, bool) and extent > 0 for extent in extents) and extents:
                    yield [extent for extent in extents if isinstance(extent, int)]
