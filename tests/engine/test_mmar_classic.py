"""Configs of Clara 3.x, with pipelines and policies in place of data loaders and trainers."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from small_mmar import component, make_mmar

from automl_run.cli.main import main
from automl_run.dsl.load import load_mmar
from automl_run.engine.targets.mmar.classic import is_classic
from automl_run.engine.targets.mmar.losses import Focal
from automl_run.engine.targets.mmar.names import modernise
from automl_run.engine.targets.mmar.networks import SegResnet, Unet
from automl_run.engine.targets.mmar.wiring import wired

FIELDS = ["image", "label"]
VALIDATED = ("LoadNifti", "ConvertToChannelsFirst", "ScaleImg", "ScaleLb", "ScaleIntensityRange")


def pipeline(key: str, **more: Any) -> dict[str, Any]:
    return component(
        "SegmentationImagePipeline",
        data_list_file_path="data.json",
        data_list_key=key,
        output_crop_size=[16, 16, 16],
        num_workers=4,
        **more,
    )


def classic() -> dict[str, Any]:
    return {
        "epochs": 2,
        "num_training_epoch_per_valid": 1,
        "learning_rate": 1e-3,
        "train": {
            "loss": component("Dice", squared_pred=True, is_onehot_targets=False, skip_background=True),
            "optimizer": {"name": "Adam"},
            "aux_ops": [component("DiceMaskedOutput", skip_background=True, tags=["dice"])],
            "lr_policy": {
                **component("ReducePoly", poly_power=0.99),
                "search": [{"type": "enum", "args": ["poly_power"], "targets": [[0.9], [0.99]], "domain": "lr"}],
            },
            "model": component(
                "SegResnet",
                num_classes=2,
                blocks_down="1,1",
                blocks_up="1",
                init_filters=4,
                use_vae=False,
                final_activation="softmax",
            ),
            "pre_transforms": [
                component("LoadNifti", fields=FIELDS),
                component("ConvertToChannelsFirst", fields=FIELDS),
                component("ScaleByResolution#ScaleImg", fields=["image"], target_resolution=[2.0, 2.0, 4.0]),
                component("ScaleByResolution#ScaleLb", fields=["label"], is_label=True, target_resolution=[2.0, 2.0, 4.0]),
                component("ScaleIntensityRange", fields="image", a_min=0, a_max=255, b_min=0.0, b_max=1.0, clip=True),
                component("CropFixedSizeRandomCenter", size=[16, 16, 16], fields=FIELDS),
                component("RandomSpatialFlip", fields=FIELDS),
                component("ScaleIntensityOscillation", fields="image", magnitude=0.1, probability=0.5),
                component("AddGaussianNoise", fields="image", probability=0.1),
            ],
            "image_pipeline": pipeline("training", output_batch_size=2, batched_by_transforms=False),
        },
        "validate": {
            "metrics": [component("ComputeAverage", name="mean_dice_tc", is_key_metric=True, field="dice")],
            "image_pipeline": pipeline("validation", output_batch_size=1),
            "pre_transforms": [{"ref": name} for name in VALIDATED],
            "inferer": component("TFScanWindowInferer", roi_size=[16, 16, 16]),
        },
    }


def test_a_config_of_3_x_is_brought_into_the_form_of_4_x() -> None:
    config = classic()
    before = copy.deepcopy(config)
    out: Any = wired(config)
    assert config == before
    assert not is_classic(out)
    train, validate = out["train"], out["validate"]
    assert {"image_pipeline", "lr_policy", "aux_ops"}.isdisjoint(train)
    assert train["optimizer"]["args"] == {"params": "#@model.parameters()", "lr": 1e-3}
    assert train["lr_scheduler"] == component("PolynomialLR", optimizer="@optimizer", total_iters=2, power=0.99)
    assert train["dataset"] == {
        **component("CacheDataset", transform="@pre_transforms"),
        "data_list_file_path": "data.json",
        "data_list_key": "training",
    }
    assert train["dataloader"] == component("DataLoader", dataset="@dataset", batch_size=2, shuffle=True)
    assert validate["dataloader"]["args"]["shuffle"] is False
    assert validate["key_metric"]["log_label"] == "mean_dice_tc"
    assert validate["key_metric"]["args"]["include_background"] is False
    assert train["trainer"]["args"]["max_epochs"] == 2


def test_a_bare_dice_is_that_of_3_x() -> None:
    config = classic()
    config["train"]["loss"] = [{"name": "Dice"}, {"path": "mine.Loss"}]
    out: Any = wired(config)
    assert out["train"]["loss"] == [component("Dice", is_onehot_targets=False), {"path": "mine.Loss"}]
    assert modernise("Dice", out["train"]["loss"][0]["args"])[:2] == ("monai.losses.DiceLoss", {"to_onehot_y": True})


def test_batches_of_transforms_are_no_batches_of_the_loader() -> None:
    config = classic()
    config["train"]["image_pipeline"]["args"]["batched_by_transforms"] = True
    out: Any = wired(config)
    assert out["train"]["dataloader"]["args"]["batch_size"] == 1


@pytest.mark.timeout(200)
def test_it_is_searched(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = make_mmar(tmp_path / "m", classic(), training=2, validation=1)
    handlers = [{"name": name} for name in ("MMARHandler", "StatsHandler", "MMARTensorboardHandler")]
    (root / "config" / "config_automl.json").write_text(
        json.dumps({"handlers": handlers, "controller": component("ReinforcementController", max_rounds=1)})
    )
    checked = load_mmar(root)
    assert checked.diagnostics == ()
    assert main(["-m", str(root), "--set", "run_id=a", "workers=0:1", "study.budget.trials=2"]) == 0, capfd.readouterr()
    summary = json.loads((root / "automl" / "a" / "summary.json").read_text())
    assert summary["objectives"] == [{"name": "mean_dice_tc", "direction": "maximize"}]
    assert [job["state"] for job in summary["jobs"]] == ["done", "done"]


def test_networks_of_3_x_take_their_texts_and_apply_their_activation() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 1, 16, 16, 16)
    with torch.no_grad():
        for network in (SegResnet(3, blocks_down="1,1", blocks_up="1"), Unet(3, nf_enc="4,8", use_group_norm=True)):
            out = network.eval()(x)
            assert out.shape == (1, 3, 16, 16, 16)
            assert torch.allclose(out.sum(dim=1), torch.ones(()), atol=1e-5)
    with pytest.raises(ValueError, match="use_vae"):
        SegResnet(2, use_vae=True)


def test_the_focal_loss_of_probabilities_is_that_of_their_raw_values() -> None:
    from monai.losses import FocalLoss

    torch.manual_seed(0)
    raw, labels = torch.randn(2, 2, 4, 4, 4), torch.randint(0, 2, (2, 1, 4, 4, 4))
    wanted = FocalLoss(to_onehot_y=True)(raw, labels)
    assert torch.allclose(Focal(to_onehot_y=True)(raw.sigmoid(), labels), wanted, atol=1e-5)
