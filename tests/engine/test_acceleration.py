"""`accelerate = true`: pipelines of a job's process are fused, and give what they gave."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from automl_run.cli.read import accelerated
from automl_run.dsl.load import parse
from automl_run.errors import InputError

_PIPELINE = """
import json, sys
from automl_run.engine.agent.acceleration import accelerate_pipelines
if {accelerate}:
    {import_first}
    accelerate_pipelines()
    accelerate_pipelines()
assert {import_first_flag} or "monai" not in sys.modules
import pickle
import torch
from monai.transforms import Compose, OneOf, RandFlipd, RandShiftIntensityd
pipeline = Compose([RandFlipd(["a"], prob=0.5, spatial_axis=0), OneOf([RandShiftIntensityd(["a"], offsets=0.1, prob=1.0)])])
pipeline.set_random_state(3)
item = {{"a": torch.arange(64, dtype=torch.float32).reshape(1, 4, 4, 4)}}
values = [float(pipeline(item)["a"].ravel()[7 * i]) for i in range(4)]
pipeline = pickle.loads(pickle.dumps(pipeline))
values += [float(pipeline(item)["a"].ravel()[7 * i]) for i in range(4)]
pipeline.transforms = pipeline.transforms[:1]
values += [float(pipeline(item)["a"].ravel()[9])]
print(json.dumps(values))
"""


def _values(accelerate: bool, import_first: bool = False) -> tuple[list[float], str]:
    code = _PIPELINE.format(
        accelerate=accelerate, import_first="import monai.transforms" if import_first else "pass", import_first_flag=import_first
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *said, values = done.stdout.splitlines()
    return json.loads(values), "\n".join(said)


def test_an_accelerated_pipeline_gives_what_it_gave() -> None:
    plain, nothing = _values(accelerate=False)
    assert not nothing
    for import_first in (False, True):
        values, said = _values(accelerate=True, import_first=import_first)
        assert values == plain
        assert said.count("RandFlipd") == 2  # told again after the change of the pipeline


def test_a_command_is_not_accelerated() -> None:
    program = parse('automl 1\nx ~ 0.0..1.0\nstudy { target = Command("true {x}"), maximize y }\n', name="a.automl")
    with pytest.raises(InputError, match="a process of its own"):
        accelerated(program)


def test_the_flag_is_the_study_key() -> None:
    text = 'automl 1\nx ~ 0.0..1.0\nstudy {{ target = Python("m:f"), maximize y{} }}\n'
    by_flag = accelerated(parse(text.format(""), name="a.automl"))
    by_key = parse(text.format(", accelerate = true"), name="a.automl")
    assert by_flag.study.accelerate
    assert by_flag.digest == by_key.digest
