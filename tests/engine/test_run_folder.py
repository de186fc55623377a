"""Run folders: names, places, best/."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from automl_run.dsl import ir
from automl_run.engine import run_folder
from automl_run.engine.launchers.gpus import oversubscribed, settle_workers, uncounted
from automl_run.engine.run_folder import RunFolder
from automl_run.errors import InputError, RunExistsError


def program(base: Path, **changes: object) -> ir.Program:
    parts = {"study": ir.Study(), "params": (), "config": ir.MapNode({}), "base_dir": str(base), **changes}
    return ir.Program(**parts)  # type: ignore[arg-type]


def test_a_used_run_id_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    folder, run_id = run_folder.create(tmp_path, "test1", "study")
    (folder.path / "journal.db").write_bytes(b"")
    with pytest.raises(RunExistsError, match=r"automl-run resume .*test1(.|\n)*--run-id NEW"):
        run_folder.create(tmp_path, run_id, "study")
    with pytest.raises(RunExistsError):
        run_folder.refuse_used(tmp_path, run_id)
    run_folder.refuse_used(tmp_path, "test2")


def test_a_start_that_was_killed_before_its_journal_uses_no_run_id(tmp_path: Path) -> None:
    for name in ("lock", "journal.db.new"):
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "a" / name).touch()
    assert run_folder.create(tmp_path, "a", "study")[1] == "a"


def test_without_a_run_id_the_first_free_name_is_taken(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        folder, run_id = run_folder.create(tmp_path / "runs", None, "my study/2")
        (folder.path / "x").touch()
        names.append(run_id)
    assert names == ["my_study_2", "my_study_2-2", "my_study_2-3"]


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "-x", "a\nb", "x" * 129])
def test_impossible_run_ids(tmp_path: Path, bad: str) -> None:
    with pytest.raises(InputError, match="run_id"):
        run_folder.create(tmp_path, bad, "study")


def test_a_place_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--out"):
        run_folder.create(tmp_path / "file", "a", "study")


def test_where_runs_go(tmp_path: Path) -> None:
    study = ir.Study(out="elsewhere")
    assert run_folder.default_out(program(tmp_path, study=study)) == tmp_path / "elsewhere"
    assert run_folder.default_out(program(tmp_path, files=("a/s.automl",))) == tmp_path / "runs"
    assert run_folder.default_out(program(tmp_path)) == tmp_path / "runs"
    mmar = ir.Study(target=ir.Spec("Mmar", {"path": "spleen"}))
    assert run_folder.default_out(program(tmp_path, study=mmar)) == tmp_path / "spleen" / "automl"
    assert run_folder.default_out(program(tmp_path, study=mmar, files=("s.automl",))) == tmp_path / "runs"


def test_runs_are_found_by_folder_and_by_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("runs/a", "out/b", "mmar/automl/c"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "journal.db").touch()
    monkeypatch.chdir(tmp_path)
    assert run_folder.find_run("runs/a") == tmp_path / "runs/a"
    assert run_folder.find_run("a") == tmp_path / "runs/a"
    assert run_folder.find_run("b", out=Path("out")) == tmp_path / "out/b"
    assert run_folder.find_run("c", mmar=Path("mmar")) == tmp_path / "mmar/automl/c"
    with pytest.raises(InputError, match="no run `d`"):
        run_folder.find_run("d", out=Path("out"))


def test_best_is_the_model_of_a_job(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for job in ("W1_1_J1", "W1_2_J2"):
        (folder.job(job) / "models").mkdir(parents=True)
        (folder.job(job) / "models" / "model.pt").write_text(job)
        (folder.job(job) / "log.txt").touch()
    folder.set_best("W1_1_J1", 1, {"job": "W1_1_J1"})
    folder.set_best("W1_2_J2", 1, {"job": "W1_2_J2"})
    assert (folder.best / "models" / "model.pt").read_text() == "W1_2_J2"
    assert json.loads((folder.best / "best.json").read_text()) == {"job": "W1_2_J2"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["W1_1_J1", "W1_2_J2", "best"]
    shutil.rmtree(folder.job("W1_2_J2"))
    assert (folder.best / "models" / "model.pt").read_text() == "W1_2_J2"


def test_best_is_copied_where_links_are_impossible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    folder = RunFolder(tmp_path)
    (folder.job("J") / "config").mkdir(parents=True)
    (folder.job("J") / "config" / "c.json").write_text("{}")
    folder.set_best("J", 1, {})
    assert (folder.best / "config" / "c.json").read_text() == "{}"


def test_json_is_replaced_at_once(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_json("summary.json", {"a": 1})
    folder.write_json("summary.json", {"a": 2})
    assert json.loads((tmp_path / "summary.json").read_text()) == {"a": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


# -- workers --------------------------------------------------------------------------------------------------------------------


def test_workers_without_gpus() -> None:
    asked = (ir.Worker((0,)), ir.Worker((1,)))
    workers, warnings = settle_workers(asked, gpus=0)
    assert workers == (ir.Worker(()), ir.Worker(()))
    assert len(warnings) == 1
    assert settle_workers((), gpus=0) == ((ir.Worker(()),), [])
    assert settle_workers((ir.Worker((), 1),), gpus=0) == ((ir.Worker((), 1),), [])


def test_gpu_hours_without_a_gpu() -> None:
    def study(controller: str = "Random", **limits: float) -> ir.Study:
        return ir.Study(budget=ir.Budget(**limits), controller=ir.Spec(controller))  # type: ignore[arg-type]

    none = (ir.Worker(()), ir.Worker(()))
    for counted in (study(trials=3), study(gpu_hours=2.0)):
        assert uncounted(counted, (ir.Worker((0,)), *none)) == []
    assert uncounted(study(trials=3), none) == []
    others = (study(gpu_hours=2.0, trials=3), study(gpu_hours=2.0, time_s=3.0), study(gpu_hours=2.0, patience=3))
    for ends in (*others, study("Grid", gpu_hours=2.0), study("my.Own", gpu_hours=2.0)):
        assert uncounted(ends, none) == ["no worker has a GPU, so `gpu_hours` counts nothing"]
    with pytest.raises(InputError, match="nothing else would end this study: give its budget `time` or `trials`"):
        uncounted(study(gpu_hours=2.0), none)


def test_workers_with_gpus() -> None:
    asked = (ir.Worker((0, 1)), ir.Worker((1,)))
    assert settle_workers(asked, gpus=2)[0] == asked
    assert settle_workers((), gpus=2) == ((ir.Worker((0, 1)),), [])
    with pytest.raises(InputError, match="no GPU 3"):
        settle_workers((ir.Worker((0,)), ir.Worker((3,))), gpus=2)


def test_what_several_workers_use_at_once_is_said() -> None:
    asked = (ir.Worker((0,)), ir.Worker((0, 1)), ir.Worker((1,)), ir.Worker((2,)))
    assert settle_workers(asked, gpus=3)[1] == [
        "GPU 0 is shared by 2 workers: their jobs have its memory together",
        "GPU 1 is shared by 2 workers: their jobs have its memory together",
    ]
    assert oversubscribed((ir.Worker((), 3), ir.Worker((), 2)), cores=4) == [
        "the workers use 5 CPU threads together; this process may use 4 cores"
    ]
    assert oversubscribed((ir.Worker((), 2), ir.Worker((), 2)), cores=4) == []
