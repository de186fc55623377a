"""The mean of several models' predictions, scored as the run scores one model.

What is averaged is what stands before the first step that makes classes of it (`AsDiscreted`): after the activation, in whatever
space the chain has brought it to. The mean then goes the rest of the way through the best model's own post-processing and metrics.
One volume is in memory at a time; sums lie in a temporary folder meanwhile.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from ignite.engine import Events

from automl_run.dsl import ir
from automl_run.dsl.goal import merit
from automl_run.errors import InputError

from .folder import new_folder
from .source import Best, Trained
from .validation import Validation, validation

_PREDICTION: Final = "pred"
_DISCRETE: Final = "AsDiscrete"


@dataclass(frozen=True, slots=True)
class Ensemble:
    """`metrics`: of the means, by their labels; `score`: the one that the run is about. Over folds they are aggregated."""

    best: Best
    metrics: Mapping[str, float]
    score: float


def ensemble(best: Best, out: Path | None = None) -> Ensemble:
    """Scores the mean of the models of `best`; with `out`, writes it there as label maps, one NIfTI file an item.

    InputError for models that no mean can be made of, and where `out` exists.
    """
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(new_folder(out)) if out is not None else None
        found = [_of_group(group, place) for group in best.groups]
        metrics = {name: best.aggregate([each[name] for each in found]) for name in found[0] if all(name in each for each in found)}
        score = best.aggregate([_score(best, each) for each in found])
    return Ensemble(best, metrics, score)


def _score(best: Best, metrics: Mapping[str, float]) -> float:
    """What the run's first objective makes of `metrics`, also where that is an expression."""
    objective, goal = best.summary.objective, best.groups[0][0].spec.goal
    worth = merit(goal or ir.Objective(objective.name, objective.direction), metrics)
    if worth is None:
        raise InputError(f"the validation gives no `{objective.name}`, only {', '.join(metrics) or 'nothing'}")
    return worth if objective.direction == "maximize" else -worth


def _of_group(members: Sequence[Trained], out: Path | None) -> dict[str, float]:
    """The metrics of the mean of models that validate on one list."""
    with tempfile.TemporaryDirectory() as folder:
        means = _Means(Path(folder))
        for member in members:
            with validation(member, Path(folder), judged=False) as found:
                _predict(found, means, member.job.name)
        means.finish()
        with validation(members[0], Path(folder), judged=True) as found:
            metrics = _judge(found, means, members[0])
            if out is not None:
                _write(found, means, out)
    return metrics


class _Means:
    """Sums of predictions on the disk, by the number of the item."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shapes: list[tuple[int, ...]] = []
        self._count = 0
        self._at = 0
        #: of each item: voxel -> world, and what it is called
        self.places: list[tuple[Any, str]] = []

    def add(self, prediction: Any, image: Any, who: str) -> None:
        array = np.asarray(prediction.detach().cpu(), dtype=np.float32)
        if self._count == 0:
            self._shapes.append(array.shape)
            self.places.append(_place(prediction, image, len(self.places)))
        elif self._at >= len(self._shapes) or self._shapes[self._at] != array.shape:
            raise InputError(f"{who} predicts item {self._at} in another shape than the best model: no mean can be made of them")
        file = self._file(self._at)
        np.save(file, array if self._count == 0 else np.load(file) + array)
        self._at += 1

    def next_model(self, who: str) -> None:
        if self._at != len(self._shapes) or self._at == 0:
            raise InputError(f"{who} has {self._at} items to validate on, the best model {len(self._shapes)}")
        self._count, self._at = self._count + 1, 0

    def finish(self) -> None:
        for at in range(len(self._shapes)):
            np.save(self._file(at), np.load(self._file(at)) / self._count)

    def __iter__(self) -> Iterator[torch.Tensor]:
        return (torch.from_numpy(np.load(self._file(at))) for at in range(len(self._shapes)))

    def _file(self, at: int) -> Path:
        return self._folder / f"{at}.npy"


def _place(prediction: Any, image: Any, at: int) -> tuple[Any, str]:
    """The affine of a prediction, that of its image where it has none, and the stem of the image's file."""
    source = prediction if getattr(prediction, "affine", None) is not None else image
    affine = getattr(source, "affine", None)
    meta = getattr(image, "meta", {}) or {}
    name = Path(str(meta.get("filename_or_obj", f"item{at}"))).name.split(".")[0]
    return (np.eye(4) if affine is None else np.asarray(affine.cpu(), dtype=np.float64)), name


# -- what is run -----------------------------------------------------------------------------------------------------------------


def _split(found: Validation) -> tuple[list[Any], list[Any]]:
    """The post transforms before the first that makes classes of a prediction, and the rest."""
    transforms = list(found.post.transforms) if found.post is not None else []
    for at, transform in enumerate(transforms):
        if type(transform).__name__.startswith(_DISCRETE) and _PREDICTION in _keys(transform):
            return transforms[:at], transforms[at:]
    return transforms, []


def _keys(transform: Any) -> tuple[str, ...]:
    keys = getattr(transform, "keys", ())
    return tuple(keys) if isinstance(keys, (tuple, list)) else ()


def _predict(found: Validation, means: _Means, who: str) -> None:
    if found.post is not None:
        found.post.transforms = tuple(_split(found)[0])

    def take(engine: Any) -> None:
        outputs, batch = engine.state.output, engine.state.batch
        if not isinstance(outputs, list):
            count = len(outputs[_PREDICTION])
            outputs = [{key: value[at] for key, value in outputs.items() if _is_array(value)} for at in range(count)]
            batch = [{key: value[at] for key, value in batch.items() if _is_array(value)} for at in range(count)]
        for output, item in zip(outputs, batch, strict=True):
            means.add(output[_PREDICTION], output.get("image", item.get("image") if isinstance(item, dict) else None), who)

    with found.evaluator.add_event_handler(Events.ITERATION_COMPLETED, take):
        found.evaluator.run()
    means.next_model(who)


def _is_array(value: object) -> bool:
    return isinstance(value, (torch.Tensor, np.ndarray, list))


class _Known:
    """In the place of the inferer: predictions that are there already, as many as the batch has items."""

    def __init__(self, means: _Means) -> None:
        self._means = iter(means)

    def __call__(self, inputs: Any, network: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        return torch.stack([next(self._means) for _ in range(len(inputs))]).to(torch.device(inputs.device))


class _Sparing:
    """A transform of several keys that leaves the prediction, which has been through it, as it is."""

    def __init__(self, transform: Any) -> None:
        self._transform = transform

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        out = self._transform(dict(data))
        return {**out, _PREDICTION: data[_PREDICTION]}


def _judge(found: Validation, means: _Means, best: Trained) -> dict[str, float]:
    from automl_run.engine.targets.training.session import number

    before, after = _split(found)
    if found.post is not None:
        others = [_Sparing(transform) for transform in before if set(_keys(transform)) - {_PREDICTION}]
        found.post.transforms = (*others, *after)
    found.evaluator.inferer = _Known(means)
    try:
        found.evaluator.run()
    except (RuntimeError, ValueError) as error:
        raise InputError(f"the mean does not fit the metrics of {best.job.name}: {error}") from error
    return {name: value for name, made in found.evaluator.state.metrics.items() if (value := number(made)) is not None}


def _write(found: Validation, means: _Means, folder: Path) -> None:
    """One label a voxel, where the channels are classes; else each channel's own, as the post-processing makes them."""
    import nibabel

    _, after = _split(found)
    for (affine, name), mean in zip(means.places, means, strict=True):
        argmax = mean.shape[0] > 1 and any(_takes_argmax(transform) for transform in after)
        labels = mean.argmax(dim=0) if argmax else (mean > 0.5).squeeze(0) if after else mean.squeeze(0)
        array = np.asarray(labels)
        array = array.astype(np.uint8 if int(array.max(initial=0)) < 256 else np.uint16) if after else array
        file, number = folder / f"{name}_ensemble.nii.gz", 1
        while file.exists():  # volumes of one name, in folders of their own
            number += 1
            file = folder / f"{name}_ensemble_{number}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(_channels_last(array, mean.dim() - 1), affine), file)


def _takes_argmax(transform: Any) -> bool:
    keys, argmax = _keys(transform), getattr(transform, "argmax", ())
    return any(bool(flag) for key, flag in zip(keys, argmax, strict=False) if key == _PREDICTION) if argmax else False


def _channels_last(array: Any, dimensions: int) -> Any:
    return np.moveaxis(array, 0, -1) if array.ndim > dimensions else array
