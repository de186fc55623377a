"""The MMAR target without training: old names, syntax, data lists, checks, rendering."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from automl_run.dsl.clara_python import expression, reference, with_names
from automl_run.dsl.resolved import ResolvedComponent
from automl_run.engine.targets.mmar import MmarTarget, data_list
from automl_run.engine.targets.mmar.names import modernise
from automl_run.engine.targets.mmar.syntax import component, components, flag, is_enabled
from automl_run.errors import InputError, JobError

# -- old names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "today"),
    [
        (
            "RandomAxisFlip",
            {"fields": ["a"], "probability": 0.2},
            ("automl_run.kernels.RandAxisFlipd", {"keys": ["a"], "prob": 0.2}),
        ),
        (
            "AsChannelFirstd",
            {"keys": "a", "channel_dim": 0},
            ("monai.transforms.EnsureChannelFirstd", {"keys": "a", "channel_dim": 0}),
        ),
        ("AddChanneld", {"keys": "a"}, ("monai.transforms.EnsureChannelFirstd", {"keys": "a", "channel_dim": "no_channel"})),
        ("UNet", {"dimensions": 3, "in_channels": 1}, ("UNet", {"spatial_dims": 3, "in_channels": 1})),
        ("AsDiscreted", {"to_onehot": 2, "n_classes": 2}, ("AsDiscreted", {"to_onehot": 2})),
        ("AsDiscreted", {"to_onehot": True, "n_classes": 3}, ("AsDiscreted", {"to_onehot": 3})),
        ("AsDiscreted", {"to_onehot": [False, True], "n_classes": 3}, ("AsDiscreted", {"to_onehot": [None, 3]})),
        ("AsDiscreted", {"threshold_values": True, "logit_thresh": 0.4}, ("AsDiscreted", {"threshold": 0.4})),
        ("AsDiscreted", {"threshold_values": True}, ("AsDiscreted", {"threshold": 0.5})),
        ("my.own.Net", {"dimensions": 3}, ("my.own.Net", {"dimensions": 3})),
    ],
)
def test_an_old_name_becomes_todays(name: str, args: dict[str, Any], today: tuple[str, dict[str, Any]]) -> None:
    assert modernise(name, args)[:2] == today


def test_an_argument_without_a_successor_is_dropped_and_said() -> None:
    name, args, dropped = modernise("MeanDice", {"include_background": True, "mutually_exclusive": True})
    assert (name, args) == ("MeanDice", {"include_background": True})
    assert dropped == ["MeanDice: `mutually_exclusive` does nothing any more"]


# -- syntax ---------------------------------------------------------------------------------------------------------------


def test_a_component_has_a_class_an_instance_arguments_and_attributes() -> None:
    part = component({"name": "Scale#Mine", "rank": 0, "args": {"a": 1, "_a": 2}, "search": [], "__search": []}, "k", "train.k")
    assert part is not None
    assert (part.cls, part.instance, part.args, part.attrs) == ("Scale", "Mine", {"a": 1}, {"rank": 0})
    assert part.is_called("Mine")
    assert part.is_called("Scale")


def test_path_wins_over_name() -> None:
    part = component({"name": "mine", "path": "pkg.Mine"}, "k", "k")
    assert part is not None
    assert part.cls == "pkg.Mine"


@pytest.mark.parametrize("data", [{"name": "liver"}, {"name": "liver", "args": {}, "weight": 3}, {"args": {}}, 3, "x"])
def test_data_among_arguments_is_no_component(data: Any) -> None:
    assert component(data, "", "p", is_argument=True) is None


@pytest.mark.parametrize(
    ("attrs", "enabled"), [({}, True), ({"disabled": True}, False), ({"disabled": "false"}, True), ({"rank": 1}, False)]
)
def test_what_is_disabled_or_of_another_rank_drops_out(attrs: dict[str, Any], enabled: bool) -> None:
    part = component({"name": "A", **attrs}, "k", "k")
    assert part is not None
    assert is_enabled(part) is enabled


def test_a_switch_is_a_switch() -> None:
    with pytest.raises(JobError, match="expected true or false"):
        flag("perhaps", "train.handlers[0]")


def test_references_and_expressions() -> None:
    assert reference("@model") == "model"
    assert reference("me@model") is None
    assert expression("#@model.parameters()") == "@model.parameters()"
    assert expression("lambda x: None") == "lambda x: None"
    assert expression("lambdas") is None
    assert with_names("a @ b + f(@model.x, '-', @loss)") == (
        "a @ b + f(_ref_model.x, '-', _ref_loss)",
        {"_ref_model": "model", "_ref_loss": "loss"},
    )


def test_places_of_list_items() -> None:
    assert [part.place for part in components([{"name": "A"}, {"ref": "A"}, {"name": "B"}], "k", "train.k")] == [
        "train.k[0]",
        "train.k[2]",
    ]


# -- data lists -----------------------------------------------------------------------------------------------------------


def source(tmp_path: Path, data: Any, key: str = "training") -> data_list.DataSource:
    (tmp_path / "list.json").write_text(data if isinstance(data, str) else json.dumps(data))
    return data_list.DataSource(tmp_path / "list.json", tmp_path, key)


def test_paths_are_relative_to_the_base_and_other_values_stay(tmp_path: Path) -> None:
    (tmp_path / "prior.nii").touch()
    items = [{"image": "a.nii", "label": ["b.nii", "c.nii"], "prior": "prior.nii", "site": "Mainz", "subject": 3}, "d.nii"]
    assert data_list.resolved(source(tmp_path, {"training": items})) == [
        {
            "image": str(tmp_path / "a.nii"),
            "label": [str(tmp_path / "b.nii"), str(tmp_path / "c.nii")],
            "prior": str(tmp_path / "prior.nii"),
            "site": "Mainz",
            "subject": 3,
        },
        {"image": str(tmp_path / "d.nii")},
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{", "is not JSON"),
        ({"trainings": [{"image": "a"}]}, r"no list `training` \(did you mean `trainings`\?\)"),
        ({"training": []}, "is empty"),
        ({"training": [3]}, r"training\[0\]` of .* is neither a path nor an object"),
    ],
)
def test_a_wrong_data_list_is_one_clear_error(tmp_path: Path, data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        data_list.resolved(source(tmp_path, data))


# -- the target -----------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_or_no_mmar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no MMAR at"):
        MmarTarget("nowhere", tmp_path, {}).check()
    with pytest.raises(InputError, match="no folder `config`"):
        MmarTarget(".", tmp_path, {}).check()


def test_rendering_replaces_variables_and_leaves_python_alone(tmp_path: Path) -> None:
    optimizer = ResolvedComponent("Adam", {"params": "#@model.parameters()", "lr": "{learning_rate}"}, {})
    saver = ResolvedComponent("CheckpointSaver", {"save_dir": "{MMAR_CKPT_DIR}"}, {"rank": 0})
    target = MmarTarget("m", tmp_path, {"epochs": 3, "MMAR_CKPT_DIR": "/elsewhere"})
    config = target.render(
        {"learning_rate": 0.1, "epochs": 9, "train": {"optimizer": optimizer, "handlers": [saver], "n": "{epochs}"}}
    )
    assert config == {
        "learning_rate": 0.1,
        "epochs": 3,
        "train": {
            "optimizer": {"name": "Adam", "args": {"params": "#@model.parameters()", "lr": 0.1}},
            "handlers": [{"name": "CheckpointSaver", "rank": 0, "args": {"save_dir": "models"}}],
            "n": 3,
        },
    }


def test_checking_and_rendering_load_neither_torch_nor_monai() -> None:
    code = "import sys; import automl_run.engine.targets.mmar; sys.exit(bool({'torch', 'monai', 'ignite'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
