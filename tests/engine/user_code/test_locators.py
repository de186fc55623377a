"""Names of what is searched, and points from what a controller gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_code import own_program

from automl_run.dsl.legacy import parse_settings
from automl_run.dsl.load import load_mmar, parse
from automl_run.engine.user_code.locators import Locators
from automl_run.engine.user_code.messages import Range

CLARA = Path(__file__).parents[3].parent / "shared" / "data" / "clara-4.1"
MODEL = """{"epochs": 1, "train": {"model": {"name": "SegAhnet",
  "args": {"num_classes": 2, "if_use_psp": false, "final_activation": "softmax", "plane": "z"},
  "search": [
    {"domain": "net", "type": "enum", "args": "if_use_psp", "targets": [[true], [false]]},
    {"domain": "net", "type": "enum", "args": ["final_activation", "plane"], "targets": [["softmax", "z"], ["sigmoid", "x"]]}
  ]}}}"""


def test_a_locator_is_claras() -> None:
    locators = Locators(parse(MODEL, name="config_train.json"))
    assert locators.choices() == {
        "net.enum.train.model$0:if_use_psp": [[True], [False]],
        "net.enum.train.model$1:final_activation,plane": [["softmax", "z"], ["sigmoid", "x"]],
    }


@pytest.mark.skipif(not CLARA.is_dir(), reason="no real Clara configurations here")
def test_claras_own_files(tmp_path: Path) -> None:
    (tmp_path / "config").symlink_to(CLARA / "config")
    found = {}
    for name in ("Enum", "LR_LP", "Loss_Optimizer", "Transform", "TransformProb"):
        settings = parse_settings(["run_id=a", "workers=0", f"trainconf=trn_autoML_{name}.json"])
        found[name] = list(Locators(load_mmar(tmp_path, automlconf=None, settings=settings).unwrap()).choices())
    assert found == {
        "Enum": [
            "lr.enum.train.lr_scheduler$0:step_size",
            "net.enum.train.model$0:channels",
            "net.enum.train.model$1:norm",
        ],
        "LR_LP": ["lr.float.$0:learning_rate", "lr.float.train.lr_scheduler$0:gamma", "transform.float.$1:myProb"],
        "Loss_Optimizer": [
            "transform.enum.$0:mySearchLoss1,mySearchLoss2",
            "transform.enum.$1:mySearchOptimizer1,mySearchOptimizer2",
        ],
        "Transform": [
            "transform.enum.$0:myTransformDisable",
            "transform.enum.train.pre_transforms.RandGaussianNoised$0:@disabled",
        ],
        "TransformProb": ["transform.float.$0:myProb"],
    }


def test_there_and_back() -> None:
    program = parse("x ~ 0.0..1.0\nn ~ 2..9\nwide ~ 1..100000\nk ~ 1 | 2\ny ~ 0.1..0.5 step 0.1 when k == 2")
    locators = Locators(program)
    kinds = {name.rpartition(":")[2]: name.split(".")[1] for name in locators.choices()}
    assert kinds == {"x": "float", "n": "enum", "wide": "float", "k": "enum", "y": "enum"}
    for point in program.sample(30, seed=3):
        assert locators.point(locators.values(point)) == point
    values = dict.fromkeys(locators.choices(), 0)
    values[next(name for name in values if name.endswith(":wide"))] = 7
    assert locators.point(values) == {"x": 0.0, "n": 2, "wide": 7, "k": 0}  # `y` does not exist at k = 1
    assert list(locators.concrete(locators.point(values)).values()) == [[0.0], [2], [7], [1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"net.enum.$1:k": 3}, "has 3 choices, so its index is 0 to 2, not 3"),
        ({"net.enum.$1:k": -1}, "its index is 0 to 2, not -1"),
        ({"net.enum.$1:k": 1.5}, "its index is 0 to 2, not 1.5"),
        ({"net.enum.$1:k": True}, "is a number, not True"),
        ({"net.enum.$1:k": "2"}, "is a number, not '2'"),
        ({"lr.float.$0:x": 1.01}, "lies from 0 to 1, and is not 1.01"),
        ({"lr.float.$0:x": float("nan")}, "is a number, not nan"),
        ({"lr.float.$0:y": 0.5}, "did you mean `lr.float.$0:x`?"),
        ({"whatever": 0.5}, "known here: lr.float.$0:x, net.enum.$1:k"),
        ({"net.enum.$1:k": None}, "is a number, not None"),
    ],
)
def test_wrong_values(tmp_path: Path, change: dict[str, object], message: str) -> None:
    locators = Locators(own_program(tmp_path))
    with pytest.raises(ValueError, match=message.replace("$", r"\$").replace("?", r"\?")):
        locators.point({"lr.float.$0:x": 0.5, "net.enum.$1:k": 0, **change})


def test_a_missing_value(tmp_path: Path) -> None:
    locators = Locators(own_program(tmp_path))
    assert isinstance(locators.choices()["lr.float.$0:x"], Range)
    with pytest.raises(ValueError, match=r"no value for `net.enum.\$1:k`"):
        locators.point({"lr.float.$0:x": 0.5})
    assert locators.point({"lr.float.$0:x": 1.0 + 1e-12, "net.enum.$1:k": 2.0}) == {"x": 1.0, "k": 2}
