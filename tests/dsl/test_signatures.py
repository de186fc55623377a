"""The table of component arguments: against the installed libraries, and what it finds."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from automl_run.dsl import signatures
from automl_run.dsl.signatures import Problem, check_args

TABLE = Path(signatures.__file__).with_name("signatures.json")


def test_the_table_is_small_and_needs_no_library() -> None:
    assert TABLE.stat().st_size < 400 * 1024
    code = (
        "import sys; import automl_run.dsl.legacy, automl_run.dsl.variables; from automl_run.dsl import signatures; "
        "assert signatures.check_args('UNet', ['x']); "
        "print(sorted({'torch', 'monai', 'numpy', 'ignite'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_table_agrees_with_the_installed_libraries() -> None:
    import monai
    import torch

    if signatures.library_versions()["monai"] != monai.__version__:
        pytest.skip(f"the table is of MONAI {signatures.library_versions()['monai']}, installed is {monai.__version__}")
    from monai.networks.nets import UNet
    from monai.transforms import RandFlipd

    for cls in (UNet, RandFlipd, torch.optim.Adam, torch.optim.lr_scheduler.StepLR, torch.nn.CrossEntropyLoss):
        known = [name for name in inspect.signature(cls).parameters if name not in ("args", "kwargs")]
        assert list(signatures.arguments(cls.__name__) or ()) == known


@pytest.mark.parametrize("name", ["Adam", "torch.optim.Adam", "torch.optim.adam.Adam"])
def test_a_class_by_its_name_or_module(name: str) -> None:
    assert check_args(name, ["params", "lr"]) == []
    assert check_args(name, ["params", "lrr"]) == [Problem("unknown", "lrr", "lr")]


def test_missing_arguments() -> None:
    assert check_args("StepLR", ["optimizer"]) == [Problem("missing", "step_size")]
    assert check_args("StepLR", ["optimizer", "step_sise"]) == [Problem("unknown", "step_sise", "step_size")]


def test_what_the_training_supplies_is_not_missing() -> None:
    assert check_args("CacheDataset", ["transform", "cache_num"]) == []
    given = ["max_epochs", "train_data_loader", "network", "optimizer", "loss_function"]
    assert check_args("SupervisedTrainer", given) == []


def test_classes_outside_the_table_are_accepted() -> None:
    assert check_args("my.own.Net", ["anything"]) == []
    assert check_args("NoSuchClass", ["anything"]) == []
    assert signatures.arguments("NoSuchClass") is None
    assert signatures.has_argument("NoSuchClass", "x") is None
    assert signatures.has_argument("my.own.UNet", "x") is None


def test_classes_that_take_any_name() -> None:
    assert check_args("LoadImaged", ["keys", "reader", "anything"]) == []
    assert signatures.has_argument("LoadImaged", "anything") is True


def test_two_classes_of_one_name() -> None:
    assert check_args("LinearLR", ["optimizer", "end_lr", "num_iter"]) == []  # MONAI's
    assert check_args("LinearLR", ["optimizer", "start_factor"]) == []  # torch's
    assert check_args("monai.optimizers.LinearLR", ["optimizer", "end_lr", "num_iter", "start_factor"]) != []


def test_old_names() -> None:
    given = ["dimensions", "in_channels", "out_channels", "channels", "strides", "num_res_units", "norm"]
    assert check_args("UNet", given) == []
    assert signatures.renamed("UNet", "dimensions") == (True, "spatial_dims")
    assert signatures.renamed("UNet", "channels") == (False, None)
    assert check_args("AsDiscreted", ["keys", "argmax", "to_onehot", "n_classes"]) == []
    assert check_args("MeanDice", ["include_background", "output_transform", "to_onehot_y"]) == []
    assert check_args("StepLR", ["optimizer", "step_size", "verbose"]) == []
    assert signatures.has_argument("DiceLoss", "dimensions") is False


def test_classes_of_older_clara() -> None:
    assert (
        check_args("SegAhnet", ["num_classes", "if_use_psp", "pretrain_weight_name", "plane", "final_activation", "n_spatial_dim"])
        == []
    )
    assert check_args("SegAhnet", ["num_clases"]) == [Problem("unknown", "num_clases", "num_classes")]
    assert check_args("RandomAxisFlip", ["fields", "probability"]) == []
    assert check_args("RandomAxisFlip", ["fields", "probabilty"]) == [Problem("unknown", "probabilty", "probability")]


def test_our_kernels_take_what_monai_takes() -> None:
    assert check_args("automl_run.kernels.RandAxisFlipd", ["keys", "prob"]) == []
    assert check_args("automl_run.kernels.RandAxisFlipd", ["keys", "probb"]) == [Problem("unknown", "probb", "prob")]


def test_kinds() -> None:
    assert signatures.argument_kinds("RandFlipd", "prob") == ("float",)
    assert signatures.argument_kinds("UNet", "spatial_dims") == ("int",)
    assert signatures.argument_kinds("UNet", "norm") == ()
    assert signatures.argument_kinds("NoSuchClass", "x") == ()


@pytest.mark.parametrize(
    "name",
    ["MeanDice", "Accuracy", "CheckpointSaver", "CheckpointLoader", "StatsHandler", "TensorBoardStatsHandler", "ValidationHandler",
     "LrScheduleHandler", "SimpleInferer", "SlidingWindowInferer", "SupervisedEvaluator", "DataLoader", "Novograd", "FocalLoss"],
)  # fmt: skip
def test_classes_that_clara_files_name_are_known(name: str) -> None:
    assert signatures.arguments(name) is not None
