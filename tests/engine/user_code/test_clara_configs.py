"""The two AutoML configs of Clara 4.1 that name classes of the user's, unchanged, over an MMAR that trains in a second."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_mmar import make_mmar
from small_study import Recorder

from automl_run.dsl.ir import Program
from automl_run.dsl.legacy import parse_settings
from automl_run.dsl.load import load_mmar
from automl_run.engine.run import RunOptions, run_study
from automl_run.engine.testing.in_process import Report, ThreadLauncher
from automl_run.engine.wire import messages as wire

CONFIGS = Path(__file__).parents[3].parent / "shared" / "data" / "clara-4.1" / "config"
pytestmark = pytest.mark.skipif(not CONFIGS.is_dir(), reason="no real Clara configurations here")

#: What NVIDIA's notebooks have in BYOC/: a controller that draws, and a handler that keeps a record, each with its quirks.
CODE = """
import threading
from queue import PriorityQueue
from random import randint, uniform

from automl.components.controllers.controller import Controller
from automl.defs import Context, Recommendation, Outcome, SearchResult
from automl.components.handlers.handler import Handler
from automl.defs import Context, ContextKey, Status


class RandomController(Controller):
    def __init__(self, max_rounds=1000):
        Controller.__init__(self)
        self.number, self.log, self.scores, self.max_rounds = 0, {}, PriorityQueue(), max_rounds

    def set_search_space(self, space, ctx):
        self.space = space

    def some(self):
        found = []
        for _ in range(self.max_rounds):
            values = {k: randint(0, len(v) - 1) for k, v in self.space.targets.items() if ".enum" in k}
            values.update({k: uniform(v[0].min, v[0].max) for k, v in self.space.targets.items() if ".float" in k})
            found.append(Recommendation(self.number, SearchResult(self.space, values)))
            self.log[self.number] = None
            self.number += 1
        return found

    def initial_recommendation(self, ctx):
        return self.some()

    def refine_recommendation(self, outcome: Outcome, ctx: Context):
        self.scores.put((-outcome.score, outcome.recommendation_id))
        self.log[outcome.recommendation_id] = outcome
        if self.scores.qsize() >= self.max_rounds:
            ctx.stop_work(self, "Number of runs reached {}.".format(self.max_rounds))
            return []
        return self.some()


class MyHandler(Handler):
    def __init__(self):
        Handler.__init__(self)
        self.recs, self.lock, self.ended = [], threading.Lock(), 0

    def recommendations_available(self, ctx):
        for each in ctx.get_prop(ContextKey.RECOMMENDATIONS):
            self.recs.append(each)

    def start_job(self, ctx: Context):
        self.recommendations_available(ctx)
        print("started", ctx.get_prop("_jobName"), len(ctx.get_prop("_recommendations")))

    def end_job(self, ctx: Context):
        with self.lock:
            for k, v in ctx.get_prop(ContextKey.CONCRETE_SEARCH_VALUE).items():
                print("param", k.split(":")[1], v[0])
            print("score", ctx.get_prop(ContextKey.SCORE), ctx.get_prop(ContextKey.JOB_NAME))
            self.ended += 1
        if self.ended == STOP_AFTER:
            ctx.stop_work(self, "seen enough")
"""


def mmar(folder: Path, stop_after: int) -> Path:
    root = make_mmar(folder / "mmar")
    for name in ("config_automl_BYO_RandomController.json", "config_automl_BYO_handler.json"):
        shutil.copy(CONFIGS / name, root / "config")
    path = root / "config" / "config_train.json"
    config: dict[str, Any] = json.loads(path.read_text())
    config["train"]["optimizer"]["search"] = [{"domain": "lr", "type": "float", "args": ["lr"], "targets": [0.001, 0.1]}]
    config["train"]["model"]["search"] = [{"domain": "net", "type": "enum", "args": ["channels"], "targets": [[[4, 8]], [[2, 4]]]}]
    path.write_text(json.dumps(config))
    (root / "BYOC").mkdir()
    (root / "BYOC" / "myAutoMLController.py").write_text(CODE.replace("STOP_AFTER", str(stop_after)))
    return root


def read(root: Path, automlconf: str) -> Program:
    return load_mmar(root, automlconf=automlconf, settings=parse_settings(["run_id=a", "workers=0:1"])).unwrap()


def score(assign: wire.Assign, report: Report) -> dict[str, float]:
    return {"val_mean_dice": 0.5}


def in_threads(folder: Path) -> RunOptions:
    return RunOptions(out=folder, run_id="a", launcher=lambda run: ThreadLauncher(run, score))


def test_an_own_controller_and_handler_train(tmp_path: Path) -> None:
    """Through the command line, with the real training of an MMAR."""
    root = mmar(tmp_path, stop_after=2)
    words = ["-m", str(root), "--automlconf", "config_automl_BYO_RandomController.json", "--out", str(tmp_path / "out"), "--json"]
    words += ["--set", "run_id=a", "workers=0"]
    done = subprocess.run([sys.executable, "-m", "automl_run", *words], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["reason"] == "MyHandler: seen enough"
    scored = [job for job in summary["jobs"] if job["state"] == "done"]
    assert [job["index"] for job in scored] == [0, 1, 2]
    log = (tmp_path / "out" / "a" / "user_code.log").read_text()
    for job in scored[1:]:
        assert f"started {job['name']} 8" in log
        assert f"param lr {job['params']['train.optimizer.lr']}" in log
        assert f"param channels {job['params']['train.model.channels']}" in log
        assert f"score {job['score']} {job['name']}" in log
    assert scored[0]["name"] not in log


def test_the_controller_counts_its_rounds(tmp_path: Path) -> None:
    program = read(mmar(tmp_path, stop_after=100), "config_automl_BYO_RandomController.json")
    result = run_study(program, in_threads(tmp_path / "out"))
    assert result.summary["reason"] == "RandomController: Number of runs reached 8."
    assert sum(job["state"] == "done" and job["index"] > 0 for job in result.summary["jobs"]) >= 8


def test_an_own_handler_beside_claras_controller(tmp_path: Path) -> None:
    recorder = Recorder()
    program = read(mmar(tmp_path, stop_after=100), "config_automl_BYO_handler.json")
    result = run_study(program, in_threads(tmp_path / "out"), recorder)
    assert (result.exit_code, len(result.summary["jobs"])) == (0, 17)  # two alternatives, eight rounds each, and the baseline
    assert (tmp_path / "out" / "a" / "user_code.log").read_text().count("score 0.5 ") == 16
    assert not any("myAutoMLController" in text for text in recorder.warnings)
