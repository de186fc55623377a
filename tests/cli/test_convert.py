"""`automl-run convert` and `automl-run diff` as a user meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from automl_run.cli.main import main
from automl_run.dsl.load import check

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "brain_tissue"

PROGRAM = """automl 1
study "s" {
  target = Python("a:b")
  maximize dice
}
lr ~ log 1e-4..1e-1
batch ~ 1..4
size = batch * 2
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an MMAR's config/, a program that JSON cannot say, and one that it can."""
    shutil.copytree(EXAMPLE / "config", tmp_path / "config")
    (tmp_path / "rich.automl").write_text(PROGRAM)
    (tmp_path / "plain.automl").write_text("automl 1\nlr = 0.5 ~ 0.1..1.0\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def digest(path: str) -> str:
    return check(path).unwrap().digest


def test_json_to_automl_and_back(here: Path) -> None:
    assert main(["convert", "config/config_train.json", "a.automl"]) == 0
    assert "use" not in Path("a.automl").read_text().split()
    assert digest("a.automl") == digest("config/config_train.json")
    assert main(["convert", "a.automl", "config/again.json"]) == 0
    assert digest("config/again.json") == digest("config/config_train.json")
    assert main(["diff", "a.automl", "config/again.json"]) == 0


def test_overlay_keeps_the_configuration_in_its_file(here: Path) -> None:
    assert main(["convert", "--overlay", "config/config_train.json", "o.automl"]) == 0
    text = Path("o.automl").read_text()
    assert 'use "config/config_train.json"' in text
    assert "LoadImaged" not in text
    assert digest("o.automl") == digest("config/config_train.json")


def test_an_mmar_with_its_automl_config(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "-m", ".", "--set", "workers=0:1", "run_id=x", "m.automl"]) == 0
    assert "controller = Reinforcement(" in Path("m.automl").read_text()
    assert "workers = [[0], [1]]" in Path("m.automl").read_text()
    assert main(["convert", "-m", ".", "--overlay", "mo.automl"]) == 0
    assert digest("m.automl") == digest("mo.automl")
    capsys.readouterr()
    assert main(["convert", "config/config_automl.json", "-"]) == 0
    assert capsys.readouterr().out.startswith("automl 1\n\nstudy {")


def test_what_json_cannot_say_is_listed_and_nothing_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "rich.automl", "r.json"]) == 2
    said = capsys.readouterr().err
    for line in ("rich.automl:6:1", "rich.automl:7:1", "rich.automl:8:1"):
        assert line in said
    assert said.count("error[AM230]") == 3
    assert not Path("r.json").exists()


def test_lowering_warns_and_writes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "rich.automl", "r.json", "--legacy=lower", "--grid", "3"]) == 0
    assert capsys.readouterr().err.count("warning[AM231]") == 1
    search = {tuple(item["args"]): item["targets"] for item in json.loads(Path("r.json").read_text())["search"]}
    assert len(search[("lr",)]) == 3
    assert search[("batch", "size")] == [[2, 4], [1, 2], [3, 6], [4, 8]]


def test_the_study_goes_into_the_automl_config(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "s.automl").write_text(
        'automl 1\nstudy { target = Mmar("."), maximize dice, keep = 3, seed = 2 }\ntrain { lr ~ 0.1..1.0 }\n'
    )
    assert main(["convert", "s.automl", "s.json", "--automlconf-out", "sa.json"]) == 2
    assert "`seed = 2`" in capsys.readouterr().err
    assert main(["convert", "s.automl", "s.json", "--automlconf-out", "sa.json", "--legacy=lower"]) == 0
    assert "`seed = 2`" in capsys.readouterr().err
    assert json.loads(Path("sa.json").read_text())["handlers"][0]["args"]["num_mmars_to_keep"] == 3


def test_stdout_takes_the_other_language(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "plain.automl", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["lr"] == 0.5
    assert main(["convert", "config/config_train.json", "-"]) == 0
    assert capsys.readouterr().out.startswith("automl 1\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["plain.automl", "plain.automl"], "--force"),
        (["plain.automl", "x.yaml"], ".automl or .json"),
        (["nowhere.automl", "x.json"], "no file"),
        (["plain.automl", "--overlay", "x.automl"], "--overlay"),
        (["plain.automl", "--overlay", "x.json"], "--overlay"),
        (["plain.automl", "no/such/x.json"], "cannot be written"),
        (["plain.automl", "x.json", "--grid", "1"], "--grid"),
    ],
)
def test_wrong_arguments(here: Path, capsys: pytest.CaptureFixture[str], args: list[str], said: str) -> None:
    assert main(["convert", *args]) == 2
    assert said in capsys.readouterr().err


def test_a_base_that_cannot_be_reached(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "sub").mkdir()
    assert main(["convert", "--overlay", "config/config_train.json", "sub/o.automl"]) == 2
    assert "must lie in the folder" in capsys.readouterr().err
    assert main(["convert", "plain.automl", "sub/p.automl"]) == 0
    assert main(["convert", "plain.automl", "sub/p.automl", "--force"]) == 0


def test_diff(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "other.automl").write_text("automl 1\nlr ~ 0.1..2.0\n")
    assert main(["diff", "plain.automl", "plain.automl"]) == 0
    assert capsys.readouterr().out == "both mean the same\n"
    assert main(["diff", "plain.automl", "other.automl"]) == 1
    assert "lr domain" in capsys.readouterr().out
    assert main(["diff", "plain.automl", "other.automl", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["differences"][0]["after"] == "0.1..2.0"
    assert main(["diff", "plain.automl", "nowhere.automl"]) == 2
    (here / "bad.automl").write_text("automl 1\nlr ~ 2..1\n")
    assert main(["diff", "plain.automl", "bad.automl"]) == 2
    assert "AM105" in capsys.readouterr().err


def test_diff_of_a_run_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = here / "run"
    run.mkdir()
    (run / "program.msgpack").write_bytes(check("plain.automl").unwrap().to_bytes())
    assert main(["diff", "run", "plain.automl"]) == 0
    (run / "program.msgpack").write_bytes(b"no")
    assert main(["diff", "run", "plain.automl"]) == 2
    assert main(["diff", ".", "config/config_train.json"]) == 1
    assert "controller" in capsys.readouterr().out
