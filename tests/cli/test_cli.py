"""The command line as a user meets it: real processes, exit codes, nothing written on bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FIRST = Path(__file__).resolve().parents[2] / "examples" / "first_search"


def automl_run(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "automl_run", *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a function to search, `score.py`, and nothing else."""
    (tmp_path / "score.py").write_text("def train(params, report):\n    report(1, dice=params['x'])\n    return params['x']\n")
    return tmp_path


def program(folder: Path, body: str, study: str = "") -> Path:
    path = folder / "search.automl"
    path.write_text(
        'automl 1\nstudy "s" {\n  target = Python("score:train")\n  maximize dice\n  budget { trials = 3 }\n'
        + study
        + "\n}\n"
        + body
        + "\n"
    )
    return path


BAD = {
    "a syntax error": ("x ~ 0.0..", "", "AM"),
    "an empty range": ("x ~ 1.0..0.5", "", "AM105"),
    "a range fixed with =": ("x = 0.0..1.0", "", "AM001"),
    "an unknown controller": ("x ~ 0.0..1.0", "  controller = Grud()", "Grid"),
    "an unknown study key": ("x ~ 0.0..1.0", "  budgets = 3", "budget"),
    "a study key of a later version": ("x ~ 0.0..1.0", "  pruner = my.Pruner()", "AM199"),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_program_is_refused(folder: Path, case: str) -> None:
    body, study, said = BAD[case]
    path = program(folder, body, study)
    before = sorted(folder.rglob("*"))
    done = automl_run(path, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "search.automl:" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["nothing.automl"], "nothing.automl"),
        (["search.automl", "--workers", "0:,1"], "0:,1"),
        (["search.automl", "--workers", ""], "no GPU"),
        (["search.automl", "--set", "study.budget.trials"], "PATH=EXPR"),
        (["search.automl", "--set", "x ~"], "--set"),
        (["search.automl", "--set", "~ 3"], "PATH=EXPR"),
        (["search.automl", "--traces", "both"], "--traces"),
        (["-m", "nowhere", "--set", "run_id=a"], "nowhere"),
        (["resume", "nothing"], "nothing"),
        (["show", "nothing"], "nothing"),
    ],
)
def test_bad_arguments_are_refused(folder: Path, args: list[str], said: str) -> None:
    program(folder, "x ~ 0.0..1.0")
    before = sorted(folder.rglob("*"))
    done = automl_run(*args, cwd=folder)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(folder.rglob("*")) == before


def test_missing_function_is_refused(folder: Path) -> None:
    path = program(folder, "x ~ 0.0..1.0", '  target = Python("absent:train")')
    text = path.read_text().replace('  target = Python("score:train")\n', "")
    path.write_text(text)
    done = automl_run(path, cwd=folder)
    assert done.returncode == 2
    assert "absent" in done.stderr
    assert not (folder / "runs").exists()


def test_run_show_and_refused_second_run(folder: Path) -> None:
    path = program(folder, "x = 0.1 ~ 0.0..1.0", "  controller = Random()\n  workers = [cpu(1), cpu(1)]")
    done = automl_run(path, "--run-id", "one", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["state"] == "done"
    assert [job["index"] for job in summary["jobs"]] == [0, 1, 2]
    assert summary["jobs"][0]["params"] == {"x": 0.1}
    assert summary["best"]["score"] == max(job["score"] for job in summary["jobs"])
    run = folder / "runs" / "one"
    assert json.loads((run / "summary.json").read_text()) == summary
    for name in ("journal.db", "trace.log", "program.automl", "report.html", "best"):
        assert (run / name).exists(), name

    again = automl_run(path, "--run-id", "one", cwd=folder)
    assert again.returncode == 2
    assert "resume" in again.stderr
    assert "--run-id" in again.stderr

    shown = automl_run("show", "one", "--json", cwd=folder)
    assert shown.returncode == 0
    assert json.loads(shown.stdout)["best"] == summary["best"]
    table = automl_run("show", run, cwd=folder)
    assert table.returncode == 0
    assert "W1_1_J1" in table.stdout


def test_metric_never_reported_ends_the_run(folder: Path) -> None:
    path = program(folder, "x = 0.1 ~ 0.0..1.0")
    path.write_text(path.read_text().replace("maximize dice", "maximize accuracy"))
    (folder / "score.py").write_text("def train(params, report):\n    report(1, dice=0.5, loss=1.0)\n")
    done = automl_run(path, "--json", cwd=folder)
    assert done.returncode == 1
    assert "accuracy" in done.stderr
    assert "dice" in done.stderr
    assert len(json.loads(done.stdout)["jobs"]) == 1


def test_failed_job_has_a_cause_and_no_score(folder: Path) -> None:
    path = program(folder, "x = 0.1 ~ 0.0..1.0", "  controller = Random()")
    (folder / "score.py").write_text(
        "def train(params, report):\n    if params['x'] != 0.1:\n        raise ValueError('the loss is odd')\n    return 0.5\n"
    )
    done = automl_run(path, "--json", cwd=folder)
    jobs = json.loads(done.stdout)["jobs"]
    assert [job["state"] for job in jobs] == ["done", "failed", "failed"]
    assert {job["cause"] for job in jobs[1:]} == {"user_error"}
    assert {job["score"] for job in jobs[1:]} == {None}
    assert "the loss is odd" in jobs[1]["message"]


def test_check_json(folder: Path) -> None:
    path = program(folder, 'x = 0.1 ~ log 1e-3..1.0 @lr\n(a, b) = (1, "p") ~ (1, "p") | (2, "q")')
    done = automl_run("check", path, "--json", cwd=folder)
    document = json.loads(done.stdout)
    assert document["ok"] is True
    assert [entry["kind"] for entry in document["parameters"]] == ["float", "choice"]
    assert document["parameters"][0]["scale"] == "log"
    assert document["parameters"][1]["choices"] == [[1, "p"], [2, "q"]]
    assert document["parameters"][1]["targets"] == ["a", "b"]


def test_check_json_with_mistakes(folder: Path) -> None:
    path = program(folder, "x = 0.0..1.0\ny ~ 3.0..1.0")
    done = automl_run("check", path, "--json", cwd=folder)
    assert done.returncode == 2
    document = json.loads(done.stdout)
    assert document["ok"] is False
    assert {(item["code"], item["line"]) for item in document["diagnostics"]} >= {("AM001", 8)}


@pytest.mark.parametrize("text", ["x ~ 0.25..0.5", "x =~ 0.25..0.5", "x=0.3 ~ 0.25..0.5"])
def test_set_takes_a_domain(folder: Path, text: str) -> None:
    done = automl_run("check", program(folder, "x ~ 0.0..1.0"), "--set", text, "--json", cwd=folder)
    assert done.returncode == 0, done.stdout
    (entry,) = json.loads(done.stdout)["parameters"]
    assert (entry["low"], entry["high"]) == (0.25, 0.5)


@pytest.mark.parametrize("name", ["absent.automl", "."])
def test_check_json_of_no_file(folder: Path, name: str) -> None:
    done = automl_run("check", name, "--json", cwd=folder)
    assert done.returncode == 2
    assert [item["code"] for item in json.loads(done.stdout)["diagnostics"]] == ["AM305"]


@pytest.mark.parametrize("args", [["--help"], ["run", "--help"], ["--version"]])
def test_help_onto_a_full_disk_is_one_error(folder: Path, args: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "automl_run", *args]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_fixed_order_with_several_workers(folder: Path) -> None:
    study = '  controller = TPE(startup = 1)\n  order = "fixed"\n  workers = [cpu(1), cpu(1)]'
    path = program(folder, "x = 0.1 ~ 0.0..1.0", study)
    tables = []
    for _ in range(2):
        done = automl_run(path, "--json", "--set", "study.budget.trials=6", cwd=folder)
        assert done.returncode == 0, done.stderr
        tables.append([(job["index"], job["params"], job["score"]) for job in json.loads(done.stdout)["jobs"]])
    assert len(tables[0]) == 6
    assert tables[0] == tables[1]


def test_allowed_modules_reach_the_jobs(folder: Path) -> None:
    (folder / "score.py").write_text(
        "import os\n\ndef train(params, report):\n    return float(os.environ['AUTOML_ALLOW_MODULES'] == 'netlab,torchio')\n"
    )
    path = program(folder, "x = 0.1 ~ 0.0..1.0", "  budget { trials = 1 }").read_text().replace("  budget { trials = 3 }\n", "")
    (folder / "search.automl").write_text(path)
    done = automl_run("search.automl", "--allow-module", "netlab", "--allow-module", "torchio", "--json", cwd=folder)
    summary = json.loads(done.stdout)
    assert summary["best"]["score"] == 1.0
    assert summary["reason"] == "the budget of 1 trial is spent"


def test_first_example_runs(tmp_path: Path) -> None:
    done = automl_run(FIRST / "first.automl", "--out", tmp_path, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["best"]["score"] > summary["jobs"][0]["score"]


def test_a_run_needs_no_streams_and_no_unicode(folder: Path) -> None:
    path = program(folder, "x ~ 0.0..1.0")
    command = f"{sys.executable} -m automl_run {path} --run-id a <&- >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", command], cwd=folder, check=False, timeout=120).returncode == 0
    plain = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = subprocess.run(
        [sys.executable, "-m", "automl_run", "show", "a"], cwd=folder, env=plain, capture_output=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert b"W1_1_J1" in shown.stdout
