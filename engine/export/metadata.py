"""`configs/metadata.json`: everything that MONAI's bundle specification requires to be said of a model.

https://docs.monai.io/en/stable/mb_specification.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from automl_run.dsl.ir import Value
from automl_run.engine.words import counted

from .network import Network
from .source import Trained

SCHEMA: Final = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
_PACKAGES: Final = {"nibabel": "nibabel", "pytorch-ignite": "pytorch-ignite"}


def metadata(trained: Trained, network: Network, preprocessing: Sequence[Value], *, ours: bool) -> dict[str, Any]:
    """`ours`: the network or a transform is a class of automl-run."""
    run, job = trained.summary, trained.job
    packages = {name: found for name, package in _PACKAGES.items() if (found := _version(package)) is not None}
    if ours:
        packages["automl-run"] = _version("automl-run") or "0"
    shape = [int(size) for size in network.spatial_shape]
    goal = run.objective
    return {
        "schema": SCHEMA,
        "version": "0.1.0",
        "changelog": {"0.1.0": f"exported from the search {run.run_id}, job {job.name}"},
        "monai_version": _version("monai") or "",
        "pytorch_version": (_version("torch") or "").partition("+")[0],
        "numpy_version": _version("numpy") or "",
        "required_packages_version": packages,
        "supported_apps": {},
        "name": run.run_id,
        "task": f"the best model of a search that was to {goal.direction} {goal.name}",
        "description": f"Trained by job {job.name} of the search {run.run_id}; {goal.name} is {job.score} on its validation list.",
        "authors": "unknown: say who trained it",
        "copyright": f"{datetime.now(UTC).year}, unknown: say whose it is",
        "data_source": f"the data list of {trained.root.name}",
        "data_type": "nibabel",
        "image_classes": f"{counted(network.channels_in, 'channel')} as the pre-processing gives them",
        "label_classes": f"integers below {network.channels_out}, 0 is background",
        "pred_classes": counted(network.channels_out, "channel"),
        "eval_metrics": dict(job.scores),
        "search": {"digest": run.digest, "parameters": dict(job.params), "seed": job.seed},
        "intended_use": "research; not for diagnostic purposes",
        "references": [],
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "modality": "n/a",
                    "num_channels": network.channels_in,
                    "spatial_shape": shape,
                    "dtype": "float32",
                    "value_range": _value_range(preprocessing),
                    "is_patch_data": network.is_patch,
                    "channel_def": _names(network.channels_in, "image", "image"),
                }
            },
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "segmentation",
                    "modality": "n/a",
                    "num_channels": network.channels_out,
                    "spatial_shape": shape,
                    "dtype": network.dtype_out,
                    "value_range": [],
                    "is_patch_data": network.is_patch,
                    "channel_def": _names(network.channels_out, "background", "class"),
                }
            },
        },
    }


def _names(count: int, first: str, other: str) -> dict[str, str]:
    return {str(at): first if at == 0 else f"{other} {at}" for at in range(count)}


def _value_range(preprocessing: Sequence[Value]) -> list[float]:
    """What the last scaling of intensities says, [] where nothing does."""
    found: list[float] = []
    for transform in preprocessing:
        if isinstance(transform, Mapping) and ".ScaleIntensity" in str(transform.get("_target_")):
            range_ = "Range" in str(transform["_target_"])
            lo = transform.get("b_min" if range_ else "minv", None if range_ else 0.0)
            hi = transform.get("b_max" if range_ else "maxv", None if range_ else 1.0)
            found = [float(lo), float(hi)] if isinstance(lo, (int, float)) and isinstance(hi, (int, float)) else []
        elif isinstance(transform, Mapping) and ".NormalizeIntensity" in str(transform.get("_target_")):
            found = []
    return found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
