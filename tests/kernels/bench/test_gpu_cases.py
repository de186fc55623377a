"""The cases for a GPU with the device's memory replaced by the host's: everybody who takes part does the right thing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from automl_run.kernels.bench import gpu
from automl_run.kernels.bench.case import MONAI, OURS, TORCH, Case
from automl_run.kernels.bench.checks import arrays
from automl_run.kernels.bench.pipelines import light_steps


@pytest.mark.parametrize(
    ("build", "peers"),
    [
        (partial(gpu._affine, 20), {TORCH}),
        (partial(gpu._rand_affine, 16), set()),
        (partial(gpu._pipeline, 24, light_steps), set()),
    ],
    ids=["affine", "RandAffine", "light"],
)
def test_results_agree(build: Callable[[int], Case], peers: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self)
    monkeypatch.setattr(gpu, "_VOLUME", (40, 36, 32))
    monkeypatch.setattr("automl_run.kernels.bench.case.find", lambda name: (None, "not installed"))
    case = build(1)
    assert {MONAI, OURS, *peers} <= {contender.name for contender in case.contenders}
    for contender in case.contenders:
        contender.prepare(0)
    results = {contender.name: arrays(contender.call(0)) for contender in case.contenders}
    for contender in case.contenders:
        assert contender.check(results[contender.name], results[MONAI]) == "", contender.name


def test_every_case_is_for_a_gpu() -> None:
    specs = list(gpu.specs())
    assert specs
    assert all(spec.gpu for spec in specs)
