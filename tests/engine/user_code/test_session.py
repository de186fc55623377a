"""Own controllers and handlers in whole runs: what they hear, and what they may do wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from own_code import heard, own_program
from small_study import Recorder

from automl_run.dsl import ir
from automl_run.engine.events import Event, JobStarted
from automl_run.engine.run import RunOptions, RunResult, resume_study, run_study
from automl_run.engine.testing.in_process import Report, ThreadLauncher
from automl_run.engine.user_code.session import LOG
from automl_run.engine.wire import messages as wire
from automl_run.errors import InputError, JobError

DRAWS = "mine.Draws"


def options(run_id: str = "a", **more: Any) -> RunOptions:
    return RunOptions(run_id=run_id, launcher=lambda folder: ThreadLauncher(folder, x_plus_k), **more)


def x_plus_k(assign: wire.Assign, report: Report) -> dict[str, float]:
    x, k = assign.config["x"], assign.config["k"]
    assert isinstance(x, float)
    assert isinstance(k, int)
    return {"score": x + k}


def table(result: RunResult) -> list[tuple[int, dict[str, Any], float]]:
    return [(job["index"], job["params"], job["score"]) for job in result.summary["jobs"]]


def left() -> list[str]:
    """Processes of user code that live below this one."""
    found = [" ".join(words_of(child)) for child in psutil.Process().children(recursive=True)]
    return [line for line in found if "user_code" in line]


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; [] of one that has ended."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


# -- what they hear -------------------------------------------------------------------------------------------------------


def test_a_controller_and_two_handlers_in_order(tmp_path: Path) -> None:
    handlers = (ir.Spec("mine.Log", {"name": "A"}), ir.Spec("StatsHandler"), ir.Spec("mine.Log", {"name": "B"}))
    program = own_program(tmp_path, DRAWS, handlers=handlers, workers=(ir.Worker(),))
    result = run_study(program, options())
    assert (result.exit_code, result.summary["state"], result.summary["reason"]) == (0, "done", "Draws: 5 rounds")
    scores = {index: score for index, _, score in table(result)}
    assert list(scores) == [0, 1, 2, 3, 4, 5]
    lines = heard(tmp_path)
    ones = [line[2:] for line in lines if line[0] == "A"]
    assert ones[:4] == ["startup", "start_automl", "search_space_available", "recommendations_available r0 r1"]
    assert ones[-2:] == ["end_automl", "shutdown"]
    # One worker: a job starts when the one before has ended. The controller thinks meanwhile.
    assert [line for line in ones if "job" in line] == [
        line
        for index in range(1, 6)
        for line in (
            f"start_job W1_{index + 1}_J{index + 1} r{index - 1}",
            f"end_job W1_{index + 1}_J{index + 1} r{index - 1} {round(scores[index], 3)} ok",
        )
    ]
    assert [line.split()[1:] for line in ones if "available r" in line] == [["r0", "r1"], ["r2"], ["r3"], ["r4"]]
    assert ones.count("round_ended") == 5
    for later, line in enumerate(ones):
        if "end_job" in line:
            assert "round_ended" in ones[later:]
    assert lines[:4] == ["A startup", "B startup", "A start_automl", "B start_automl"]
    assert lines[-4:] == ["A end_automl", "B end_automl", "B shutdown", "A shutdown"]
    assert left() == []


def test_handlers_beside_a_stock_controller(tmp_path: Path) -> None:
    program = own_program(tmp_path, "Grid", handlers=(ir.Spec("mine.Log"),), workers=(ir.Worker(),))
    program = ir.Program(
        program.study, program.params[1:], ir.MapNode({"x": ir.Const(0.5), "k": ir.Read("k")}), base_dir=str(tmp_path)
    )
    result = run_study(program, options())
    assert [score for _, _, score in table(result)] == [1.5, 2.5, 3.5]
    assert [line for line in heard(tmp_path) if "job" in line] == [
        "log start_job W1_2_J2 1",
        "log end_job W1_2_J2 1 2.5 ok",
        "log start_job W1_3_J3 2",
        "log end_job W1_3_J3 2 3.5 ok",
    ]


def test_a_failed_job_has_claras_score(tmp_path: Path) -> None:
    def fails(assign: wire.Assign, report: Report) -> dict[str, float]:
        if assign.job.endswith("_J2"):
            raise JobError("user_error", "no")
        return x_plus_k(assign, report)

    program = own_program(tmp_path, DRAWS, handlers=(ir.Spec("mine.Log"),), workers=(ir.Worker(),))
    result = run_study(program, RunOptions(run_id="a", launcher=lambda folder: ThreadLauncher(folder, fails)))
    assert result.exit_code == 0
    assert "log end_job W1_2_J2 r0 -1000000.0 failed" in heard(tmp_path)
    assert "SEEN [('r0', -1000000.0)]" in (result.folder / LOG).read_text()


def test_a_handler_may_end_the_search(tmp_path: Path) -> None:
    more = "\nclass Enough(Log):\n    def end_job(self, ctx):\n        ctx.stop_work(self, 'good enough')\n"
    program = own_program(tmp_path, "Random", more, handlers=(ir.Spec("mine.Enough"),), budget=ir.Budget(trials=50))
    result = run_study(program, options())
    assert (result.summary["state"], result.summary["reason"]) == ("done", "Enough: good enough")
    assert len(result.summary["jobs"]) < 10


def test_a_require_that_does_not_hold_is_an_infeasible_job(tmp_path: Path) -> None:
    program = own_program(tmp_path, DRAWS, workers=(ir.Worker(),))
    require = ir.Require(ir.Binary("<", ir.ParamRef("x"), ir.Lit(0.2)), "x is small")
    result = run_study(ir.Program(program.study, program.params, program.config, (require,), base_dir=str(tmp_path)), options())
    found = {job["index"]: (job["state"], job["message"]) for job in result.summary["jobs"] if job["index"]}
    assert found[1] == ("done", "")
    assert found[2] == ("infeasible", "x is small")


def test_an_interruption_ends_every_started_job_for_handlers(tmp_path: Path) -> None:
    def waits(assign: wire.Assign, report: Report) -> dict[str, float]:
        while assign.job.endswith(("_J2", "_J3")) and not (tmp_path / "go").exists():
            if report(1, other=0.0):
                return {}
            time.sleep(0.01)
        return x_plus_k(assign, report)

    def interrupts(event: Event) -> None:
        if isinstance(event, JobStarted) and event.index == 2:
            os.kill(os.getpid(), signal.SIGINT)

    wanted = RunOptions(run_id="a", launcher=lambda folder: ThreadLauncher(folder, waits))
    program = own_program(tmp_path, DRAWS, handlers=(ir.Spec("mine.Log"),))
    paused = run_study(program, wanted, interrupts)
    assert paused.exit_code == 130
    lines = heard(tmp_path)
    started, ended = ([line.split()[2] for line in lines if kind in line] for kind in ("start_job", "end_job"))
    assert sorted(started) == sorted(ended) != []
    assert all(line.endswith("-1000000.0 aborted") for line in lines if "end_job" in line)
    assert lines[-2:] == ["log end_automl", "log shutdown"]
    (tmp_path / "go").touch()
    resumed = resume_study(paused.folder, wanted)
    assert resumed.summary["reason"] == "Draws: 5 rounds"
    assert left() == []


# -- a controller that goes wrong ----------------------------------------------------------------------------------------


GIVES = "def initial_recommendation(self, ctx): return [Recommendation(0, SearchResult(self.space, {}))]"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("def set_search_space(self, space, ctx): raise ValueError('no')", "mine.Bad.set_search_space failed: ValueError: no"),
        ("def initial_recommendation(self, ctx): return self.nope", "mine.Bad.initial_recommendation failed: AttributeError"),
        ("def refine_recommendation(self, outcome, ctx): 1 / 0", "mine.Bad.refine_recommendation failed: ZeroDivisionError"),
        ("def refine_recommendation(self, outcome, ctx): os._exit(7)", "took the process of user code down (exit code 7)"),
        ("def refine_recommendation(self, outcome, ctx): os.kill(os.getpid(), 11)", "process of user code down (signal SIGSEGV)"),
        ("def refine_recommendation(self, outcome, ctx): return 3", "it gave 3 (int), where a list of Recommendation was expected"),
        ("def initial_recommendation(self, ctx): return [{'a': 1}]", "recommendation 1 of 1 is {'a': 1} (dict)"),
        (
            GIVES.replace("{}", "{'lr.float.$0:x': 9.0, 'net.enum.$1:k': 0}"),
            "mine.Bad.initial_recommendation: recommendation 1 of 1: `lr.float.$0:x` lies from 0 to 1, and is not 9.0",
        ),
        (GIVES.replace("{}", "{'lr.float.$0:x': 10**30}"), "recommendation 1 of 1: `lr.float.$0:x` is too large a number"),
        (GIVES.replace("{}", "{'lr.float.$0:x': 'a'}"), "recommendation 1 of 1: `lr.float.$0:x` is a number, not 'a' (str)"),
        (GIVES.replace("{}", "{'lr.float.$0:z': 0.5}"), "has no `lr.float.$0:z`: did you mean `lr.float.$0:x`?"),
    ],
)
def test_a_controller_that_fails_ends_the_study(tmp_path: Path, body: str, reason: str) -> None:
    more = f"\nclass Bad(Draws):\n    {body}\n"
    recorder = Recorder()
    program = own_program(tmp_path, "mine.Bad", more, handlers=(ir.Spec("mine.Log"),))
    result = run_study(program, options(), recorder)
    assert (result.exit_code, result.summary["state"]) == (1, "failed")
    assert reason in result.summary["reason"]
    assert any(reason in text and f"automl-run resume {result.folder}" in text for text in recorder.warnings)
    # What ran has ended, and the handlers go on to the end.
    assert {job["state"] for job in result.summary["jobs"]} <= {"done"}
    assert heard(tmp_path)[-2:] == ["log end_automl", "log shutdown"]
    assert left() == []


def test_a_mended_controller_goes_on(tmp_path: Path) -> None:
    more = "\nclass Mine(Draws):\n    def refine_recommendation(self, outcome, ctx):\n        raise ValueError('not yet')\n"
    broken = run_study(own_program(tmp_path, "mine.Mine", more, workers=(ir.Worker(),)), options())
    assert broken.exit_code == 1
    own_program(tmp_path, "mine.Mine", "\nclass Mine(Draws):\n    pass\n")
    resumed = resume_study(broken.folder, options())
    direct = run_study(own_program(tmp_path, DRAWS, workers=(ir.Worker(),)), options("b"))
    assert table(resumed) == table(direct)


def test_a_hanging_controller(tmp_path: Path) -> None:
    more = "\nclass Bad(Draws):\n    def refine_recommendation(self, outcome, ctx):\n        time.sleep(1000)\n"
    result = run_study(own_program(tmp_path, "mine.Bad", more, stall_time_s=0.5), options())
    assert result.exit_code == 1
    assert "mine.Bad.refine_recommendation did not return within 0.5 s" in result.summary["reason"]
    assert "in refine_recommendation" in (result.folder / LOG).read_text()
    assert left() == []


def test_no_recommendation_at_all(tmp_path: Path) -> None:
    more = "\nclass Bad(Draws):\n    def initial_recommendation(self, ctx):\n        return []\n"
    result = run_study(own_program(tmp_path, "mine.Bad", more), options())
    assert (result.summary["state"], len(result.summary["jobs"])) == ("done", 1)


# -- a handler that goes wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event", ["startup", "search_space_available", "recommendations_available", "start_job", "end_job", "shutdown"]
)
@pytest.mark.parametrize("how", ["raise RuntimeError('the server is away')", "os._exit(3)"])
def test_a_handler_that_fails_is_left_out(tmp_path: Path, event: str, how: str) -> None:
    more = f"\nclass Bad(Handler):\n    def {event}(self, ctx):\n        {how}\n"
    recorder = Recorder()
    program = own_program(tmp_path, DRAWS, more, handlers=(ir.Spec("mine.Bad"), ir.Spec("mine.Log")))
    result = run_study(program, options(), recorder)
    assert (result.exit_code, result.summary["reason"]) == (0, "Draws: 5 rounds")
    said = [text for text in recorder.warnings if text.startswith("the handler mine.Bad is left out from here on: ")]
    assert len(said) == 1
    assert f"mine.Bad.{event}" in said[0]
    lines = heard(tmp_path)
    started, ended = ({line.split()[2] for line in lines if kind in line} for kind in ("start_job", "end_job"))
    assert started == ended != set()
    assert lines[-1] == "log shutdown"
    ends = [line.split()[2] for line in lines if "end_job" in line]
    assert len(ends) == len(set(ends))


def test_a_hanging_handler(tmp_path: Path) -> None:
    more = "\nclass Bad(Handler):\n    def end_job(self, ctx):\n        time.sleep(1000)\n"
    recorder = Recorder()
    program = own_program(tmp_path, DRAWS, more, handlers=(ir.Spec("mine.Bad"), ir.Spec("mine.Log")), stall_time_s=0.5)
    result = run_study(program, options(), recorder)
    assert result.summary["reason"] == "Draws: 5 rounds"
    assert any("mine.Bad.end_job did not return within 0.5 s" in text for text in recorder.warnings)
    assert sum("end_job" in line for line in heard(tmp_path)) == 5


# -- before the run ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("mine.Drawz", "has no class `Drawz`: did you mean `Draws`?"),
        ("mein.Draws", "there is no module `mein` in"),
        ("mine.deep.Draws", "there is no module `mine.deep`"),
        ("subprocess.Popen", "there is no module `subprocess` in"),
        ("broken.Draws", "broken.py, line 1: "),
        ("away.Draws", "controller `away.Draws` cannot be imported: ModuleNotFoundError: No module named 'mlflow_is_not_here'"),
        ("mine.Bad", "controller `mine.Bad` cannot be made: KeyError: 'k'"),
        ("mine.Log", "controller `mine.Log` has no method `set_search_space`: it is no controller"),
        ("mine.Half", "Can't instantiate abstract class Half"),
    ],
)
def test_what_cannot_be_loaded_starts_nothing(tmp_path: Path, path: str, message: str) -> None:
    more = "\nclass Bad(Draws):\n    def __init__(self):\n        raise KeyError('k')\n\nclass Half(Controller):\n    pass\n"
    program = own_program(tmp_path, path, more)
    (tmp_path / "broken.py").write_text("class Draws(:\n")
    (tmp_path / "away.py").write_text("import mlflow_is_not_here\nclass Draws: pass\n")
    with pytest.raises(InputError) as caught:
        run_study(program, options())
    assert message in str(caught.value)
    assert not (tmp_path / "runs").exists()
    assert left() == []


def test_a_wrong_argument_is_told(tmp_path: Path) -> None:
    wrong = own_program(tmp_path, more="", controller="Random", handlers=(ir.Spec("mine.Log", {"nme": "A"}),))
    with pytest.raises(InputError, match=r"handler `mine.Log` cannot be made: TypeError: .*unexpected keyword argument 'nme'"):
        run_study(wrong, options())


# -- restarts ------------------------------------------------------------------------------------------------------------

KILLED = """
import os
from pathlib import Path
from automl_run.dsl.ir import Program
from automl_run.engine.run import RunOptions, run_study
here = Path({base!r})
(here / "scheduler.pid").write_text(str(os.getpid()))
run_study(Program.from_bytes((here / "program").read_bytes()), RunOptions(run_id="a"))
"""
KILLS = """
import os, signal
from pathlib import Path

def train(params, report):
    here = Path(os.environ["AUTOML_JOB_DIR"])
    if here.name.endswith("_J4") and not (here.parent / "killed").exists():
        (here.parent / "killed").touch()
        os.kill(int((here.parents[1].parent / "scheduler.pid").read_text()), signal.SIGKILL)
    return params["x"] + params["k"]
"""


@pytest.mark.parametrize("order", ["arrival", "fixed"])
def test_an_own_controller_survives_a_kill_of_the_scheduler(tmp_path: Path, order: str) -> None:
    """Real processes. The controller is made again, and goes on as if nothing had happened."""
    study: dict[str, Any] = {"handlers": (ir.Spec("mine.Log"),), "workers": (ir.Worker(),), "order": order}
    program = own_program(tmp_path, DRAWS, **study)
    (tmp_path / "train.py").write_text(KILLS)
    (tmp_path / "program").write_bytes(program.to_bytes())
    killed = subprocess.run([sys.executable, "-c", KILLED.format(base=str(tmp_path))], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(heard(tmp_path)) > 5
    (tmp_path / "heard.txt").unlink()
    resumed = resume_study(tmp_path / "runs" / "a", RunOptions())
    assert resumed.exit_code == 0
    lines = heard(tmp_path)
    # The job that ran goes on: a handler that was made anew hears of its start, too, and of no job that had ended.
    assert [line.split()[2] for line in lines if "start_job" in line] == ["W1_4_J4", "W1_5_J5", "W1_6_J6"]
    assert [line.split()[2] for line in lines if "end_job" in line] == ["W1_4_J4", "W1_5_J5", "W1_6_J6"]
    direct = run_study(own_program(tmp_path, DRAWS, **study), options("b"))
    assert table(resumed) == table(direct)
    # Each outcome once, in the order of the journal, also after the restart.
    seen = [(result.folder / LOG).read_text().rstrip().splitlines()[-1] for result in (resumed, direct)]
    assert seen[0] == seen[1]
    assert seen[0].startswith("SEEN")


def test_a_controller_that_draws_at_random_keeps_what_was_tried(tmp_path: Path) -> None:
    """After a resume it draws other numbers; what it knows of its earlier recommendations is what the run has."""
    more = """
class Unseeded(Draws):
    def __init__(self):
        super().__init__(seed=None)
        self.log = {}
    def draw(self):
        made = super().draw()
        self.log[made.id] = made.result.values
        return made
    def shutdown(self, ctx):
        print("LOG", {id: values["lr.float.$0:x"] for id, values in self.log.items()})
"""
    program = own_program(tmp_path, "mine.Unseeded", more, workers=(ir.Worker(),), budget=ir.Budget(trials=4))
    first = run_study(program, options())
    resumed = resume_study(first.folder, options(budget={"study.budget.trials": "none"}))
    tried = {f"r{index - 1}": params["x"] for index, params, _ in table(resumed) if index}
    assert len(tried) == 5
    assert table(resumed)[:4] == table(first)
    assert (resumed.folder / LOG).read_text().rstrip().splitlines()[-1] == f"LOG {tried}"


def test_numbers_of_numpy_and_words_of_any_kind(tmp_path: Path) -> None:
    more = """
import numpy

class Numbers(Draws):
    def draw(self):
        made = super().draw()
        values = made.result.values
        for name, value in values.items():
            values[name] = numpy.float64(value) if isinstance(value, float) else numpy.int64(value)
        return made
    def refine_recommendation(self, outcome, ctx):
        ctx.exception_occurred(self, "odd \\udcff")
        raise ValueError("no \\udcff")
"""
    recorder = Recorder()
    result = run_study(own_program(tmp_path, "mine.Numbers", more, workers=(ir.Worker(),)), options(), recorder)
    assert "mine.Numbers.refine_recommendation failed: ValueError: no \\udcff" in result.summary["reason"]
    assert "Numbers: odd \\udcff" in recorder.warnings


def test_a_process_that_is_killed_from_outside_is_made_again(tmp_path: Path) -> None:
    def kills(assign: wire.Assign, report: Report) -> dict[str, float]:
        if assign.job.endswith("_J3"):
            for child in psutil.Process().children():
                if "automl_run.engine.user_code.host" in words_of(child):
                    child.kill()
        return x_plus_k(assign, report)

    recorder = Recorder()
    program = own_program(tmp_path, DRAWS, handlers=(ir.Spec("mine.Log"),), workers=(ir.Worker(),))
    wanted = RunOptions(run_id="a", launcher=lambda folder: ThreadLauncher(folder, kills))
    result = run_study(program, wanted, recorder)
    direct = run_study(own_program(tmp_path, DRAWS, workers=(ir.Worker(),)), options("b"))
    assert table(result) == table(direct)
    assert result.summary["reason"] == "Draws: 5 rounds"
    said = "the process of user code ended (signal SIGKILL), and is started again"
    assert [text for text in recorder.warnings if "best/" not in text] == [said]
    assert heard(tmp_path).count("log startup") == 2
