"""The texts and spaces that `bench_language.py` measures, made to size."""

from __future__ import annotations

import json
from typing import Any


def legacy(size: int) -> str:
    """A Clara 4.1 training config of about `size` bytes: every third transform is searched, as in NVIDIA's examples."""
    config: dict[str, Any] = {
        "epochs": 100,
        "use_gpu": True,
        "amp": True,
        "learning_rate": 2e-4,
        "determinism": {"random_seed": 0},
        "train": {
            "loss": {"name": "DiceLoss", "args": {"include_background": True, "to_onehot_y": True, "softmax": True}},
            "optimizer": {"name": "Adam", "args": {"params": "#@model.parameters()", "lr": "{learning_rate}"}},
            "model": {
                "name": "UNet",
                "args": {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [16, 32], "strides": [2]},
                "search": [{"type": "enum", "args": ["channels"], "targets": [[[16, 32]], [[8, 16]]], "domain": "net"}],
            },
            "pre_transforms": [],
        },
        "search": [{"domain": "lr", "type": "float", "args": ["learning_rate"], "targets": [1e-4, 1e-3]}],
    }
    transforms = config["train"]["pre_transforms"]
    length, number = len(json.dumps(config, indent=2)), 0
    while length < size:
        entry: dict[str, Any] = {
            "name": f"RandShiftIntensityd#shift{number}",
            "args": {"keys": ["image", "label"], "offsets": 0.1, "prob": 0.5},
        }
        if number % 3 == 0:
            entry["search"] = [{"domain": "transform", "type": "float", "args": ["prob"], "targets": [0.0, 1.0]}]
        transforms.append(entry)
        length += len(json.dumps(entry, indent=2)) + 6 * (json.dumps(entry, indent=2).count("\n") + 1)
        number += 1
    return json.dumps(config, indent=2)


#: Forty lines with most of the language in them; `{n}` makes the names of one copy its own.
_BLOCK = """
# part {n}: a network, its schedule and its transforms
let crop{n} ~ 64..160 step 32
let batch{n} ~ 1 | 2 | 4
def rate{n} = log 1e-6..1e-2

part{n} {{
  learning_rate = 1e-4 ~ rate{n}
  weight_decay ~ 0.0 | log 1e-6..1e-2
  model ~ SegResNet(
      init_filters ~ 8 | 16 | 32,
      dropout_prob ~ 0.0..0.5,
      blocks_down = [1, 2, 2, 4],
    )
    | DynUNet(
      let depth ~ 3..5,
      filters = [2 ** (i + 4) for i in 1..depth],
      deep_supervision ~ true | false,
    )
  loss ~ DiceLoss(sigmoid = true)
    | FocalLoss(gamma ~ 0.5..4.0)
    | DiceCELoss(lambda_dice ~ 0.1..2.0, lambda_ce = 1.0)
  (optimizer, momentum) = ("adam", 0.9) ~ ("adam", 0.9) | ("sgd", 0.95) | ("novograd", 0.98)
  warmup ~ 0..10
  epochs = 300 - warmup
  patch = [crop{n}, crop{n}, crop{n}]
  accumulate = 4 // batch{n}
  transforms = [
    LoadImaged(keys = ["image", "label"]),
    RandFlipd(prob ~ 0.0..1.0, spatial_axis = 0),
    RandScaleIntensityd(factors ~ 0.0..0.5, prob = 0.5),
    ~ RandGaussianNoised(prob ~ 0.0..1.0) | RandGaussianSmoothd(prob ~ 0.0..1.0),
    ToTensord(keys = ["image", "label"]),
  ]
}}

require crop{n} * batch{n} <= 320 because "it does not fit"
require part{n}.model is not DynUNet or crop{n} >= 96
"""


def automl(lines: int) -> str:
    """An `.automl` file of that many lines."""
    out = ["automl 1"]
    number = 0
    while len(out) < lines:
        out += _BLOCK.format(n=number).strip("\n").split("\n") + [""]
        number += 1
    # Whole parts only, then comments: a part that is cut in the middle is no program.
    per_part = _BLOCK.strip("\n").count("\n") + 2
    keep = 1 + (lines - 1) // per_part * per_part
    return "\n".join(out[:keep] + ["# the end"] * (lines - keep)) + "\n"


def commented(lines: int, size: int) -> str:
    """As `automl`, with lines of comment up to `size` characters."""
    text = automl(lines)
    line = "# " + "what somebody wanted to remember about it " * 2 + "\n"
    return text + line * ((size - len(text)) // len(line))


#: 20 parameters, some of them conditional, and 10 `require`s.
CANDIDATES = """
let a1 ~ 1..16
let a2 ~ 16..256 step 16
let a3 ~ 1 | 2 | 4 | 8
let a4 ~ 0.0..1.0
let a5 ~ log 1e-5..1e-1
let a6 ~ "adam" | "sgd" | "novograd"
let a7 ~ true | false
let a8 ~ 0.0..1.0
let a9 ~ log 1e-6..1e-2
let b1 ~ 64..160 step 32
let m ~ A(k ~ 1..5, d ~ 0.0..0.5) | B(w ~ 8 | 16 | 32, e ~ 1..4) | C(r ~ 0.0..1.0)
let b2 ~ 2..6
let b3 ~ 0.1..0.9
let b4 ~ 1 | 2
let b5 ~ 0..100
require a1 * a2 <= 2048
require a3 * b1 ** 2 <= 80000
require a4 + a8 < 1.8
require a6 != "sgd" or a5 > 1e-4
require a9 < a5
require m.k * b2 <= 24
require a7 or b5 >= 10
require m is not B or m.w * b4 <= 48
require b3 * b5 <= 80.0 if a7 else b5 < 90
require (a1 + b5) // b2 >= 1
"""

#: A conditional space that ConfigSpace and Optuna can say too, its one rule included.
SHARED = """
model ~ SegResNet(filters ~ 8 | 16 | 32, dropout ~ 0.0..0.5)
  | DynUNet(depth ~ 3..5)
  | UNETR(heads ~ 4 | 8 | 16, size ~ log 64..1024)
loss ~ Dice() | Focal(gamma ~ 0.5..4.0) | DiceCE(weight ~ 0.1..2.0)
learning_rate ~ log 1e-6..1e-2
final_rate ~ log 1e-6..1e-2
batch ~ 1 | 2 | 4
warmup ~ 0..10
flip ~ 0.0..1.0
require final_rate < learning_rate
"""
