"""`automl-run bench transforms`: table, JSON and picture of a tiny run, and wrong input before anything is measured."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import torch

from automl_run.cli.main import main

TINY = ["bench", "transforms", "--quick", "--only", "flip", "--threads", "1", "--rounds", "2"]


def test_a_table_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "flip.svg"
    assert main([*TINY, "--plot", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert "peers: TorchIO" in printed
    assert "| flip axis 2 96^3 float32 | 1 |" in printed
    assert "goals met." in printed
    assert ET.parse(picture).getroot().tag.endswith("svg")


def test_json_is_a_line_for_the_machine_and_one_a_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TINY, "--json"]) == 0
    machine, case = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"cpu", "cores", "torch", "peers"} <= set(machine["machine"])
    assert (case["case"], case["threads"], case["rounds"]) == ("flip axis 2 96^3 float32", 1, 2)
    assert {"MONAI", "ours", "torch by hand", "copy floor"} <= set(case["ms"])


def test_list_measures_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "transforms", "--list", "--only", "rot90"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith("rot90: ") for line in lines)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "what"),
        (["bench"], "what"),
        (["transform"], "invalid choice"),
        (["transforms", "--only", "wings"], "no case is called `wings`; there are: crop into batch"),
        (["transforms", "--threads", "0"], "no list of threads"),
        (["transforms", "--threads", "1,,2"], "no list of threads"),
        (["transforms", "--threads", "many"], "no list of threads"),
        (["transforms", "--rounds", "0"], "no number of rounds"),
        (["transforms", "--plot", "picture.png"], "ends in .svg"),
        (["transforms", "--plot", "no/such/folder/picture.svg"], "there is no folder no/such/folder"),
        (["transforms", "--json", "--list"], "--json"),
    ],
)
def test_wrong_input_is_told_before_anything_runs(args: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *args]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_there_is_no_gpu_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "transforms", "--gpu"]) == 2
    assert "finds no GPU" in capsys.readouterr().err
