"""The job process's own part: its result, its report, its environment, its files."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from automl_run.dsl.ir import Spec
from automl_run.engine.agent import job
from automl_run.engine.agent.environment import job_environment, visible_devices
from automl_run.engine.agent.folders import JobSpec, attempt_dir, is_safe_name, log_tail, prepare, read_job_spec
from automl_run.engine.agent.outcome import Ending, Outcome, Seen, conclude, read_outcome, write_outcome
from automl_run.engine.agent.report import ChannelReport
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.frames import decode_from_agent, decode_to_agent
from automl_run.engine.wire.messages import Ack, Metric, Stop, ToAgent
from automl_run.errors import InputError, JobError


def spec(fence: int = 1, function: str = "hand_here:fit", base_dir: Path = Path()) -> JobSpec:
    return JobSpec("W1_1_J1", fence, Spec("Python", {"function": function}), "params.json", {}, 1, ("dice",), (), 1, str(base_dir))


# -- what the target returned ---------------------------------------------------------------------------------------------


def test_results() -> None:
    assert job.final_values(None, ("dice",)) == {}
    assert job.final_values(Fraction(1, 2), ("dice",)) == {"dice": 0.5}
    assert job.final_values({"dice": 1, "loss": 2.0}, ("dice",)) == {"dice": 1.0, "loss": 2.0}
    assert job.final_values({"time": 3.0}, ("dice", "time")) == {"time": 3.0}


@pytest.mark.parametrize(
    ("result", "objectives", "message"),
    [
        ("0.5", ("dice",), "expected a number or None as the result, got '0.5'"),
        ([0.5], ("dice",), "expected a number"),
        (True, ("dice",), "expected a number"),
        (0.5, ("dice", "time"), "2 objectives: return a dict with `dice`, `time`"),
        ({"dice": "high"}, ("dice",), "`dice` must be a number, not 'high'"),
    ],
)
def test_wrong_results(result: object, objectives: tuple[str, ...], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        job.final_values(result, objectives)


@pytest.mark.parametrize("value", [math.nan, -math.inf, 10**400])
def test_a_result_that_is_not_finite_is_diverged(value: float) -> None:
    with pytest.raises(JobError, match="`dice` became") as raised:
        job.final_values(value, ("dice",))
    assert raised.value.cause == "diverged"


# -- the report -----------------------------------------------------------------------------------------------------------


def test_a_report_is_sent_and_hears_a_stop(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    agent, channel = Connection(ours, decode_from_agent), Connection(theirs, decode_to_agent)
    report = ChannelReport(channel, "W1_1_J1", 2, tmp_path)
    assert report(3, dice=Fraction(1, 4)) is False  # type: ignore[arg-type]
    assert list(agent.receive()) == [Metric("W1_1_J1", 2, 0, 3, {"dice": 0.25})]
    agent.send(Stop("W1_1_J1", 2, "pruned"))
    assert report(step=4) is True
    assert report.told_to_stop
    assert list(agent.receive()) == []
    agent.close()
    channel.close()


def test_by_hand_a_report_is_a_line_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = ChannelReport(None, "W1_1_J1", 1, tmp_path)
    report(3, dice=0.25, loss=1)
    report.progress("epoch 3/30", 0.1)
    report(4)
    assert capsys.readouterr().out == "step 3: dice = 0.25, loss = 1.0\nepoch 3/30\n"


def test_a_report_that_a_pruner_judges_waits_for_its_word(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    agent, channel = Connection(ours, decode_from_agent), Connection(theirs, decode_to_agent)
    report = ChannelReport(channel, "W1_1_J1", 1, tmp_path, judged=("dice",))
    assert report(1, loss=0.5) is False  # of no interest to a pruner
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(report(2, dice=0.5)))
    waiting.start()
    agent.send(Ack("W1_1_J1", 1, 1))
    waiting.join(0.1)
    assert waiting.is_alive(), "it took the word about an earlier report for its own"
    agent.send(Stop("W1_1_J1", 1, "pruned"))
    agent.send(Ack("W1_1_J1", 1, 2))
    waiting.join(30)
    assert answers == [True]
    agent.close()
    channel.close()


def test_a_signal_that_asks_while_a_report_reads_mixes_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM's handler asks for a stop wherever the job is, so also between two pieces of a frame."""
    ours, theirs = socket.socketpair()
    agent, channel = Connection(ours, decode_from_agent), Connection(theirs, decode_to_agent)
    report = ChannelReport(channel, "W1_1_J1", 1, tmp_path)
    receive, inside = channel.receive, []

    def interrupted() -> Iterator[ToAgent]:
        inside.append(report.stop_asked)
        yield from receive()

    monkeypatch.setattr(channel, "receive", interrupted)
    agent.send(Stop("W1_1_J1", 1, "operator"))
    assert report(1, dice=0.5) is True
    assert inside == [False]
    agent.close()
    channel.close()


def test_a_study_that_does_not_answer_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    agent, channel = Connection(ours, decode_from_agent), Connection(theirs, decode_to_agent)
    report = ChannelReport(channel, "W1_1_J1", 1, tmp_path, judged=("dice",))
    monkeypatch.setattr("automl_run.engine.agent.report._WORD_S", 0.1)
    began = time.monotonic()
    assert report(1, dice=0.5) is False
    assert time.monotonic() - began >= 0.1
    monkeypatch.setattr("automl_run.engine.agent.report._WORD_S", 600.0)
    assert report(2, dice=0.5) is False
    agent.send(Ack("W1_1_J1", 1, 3))
    assert report(3, dice=0.5) is False
    agent.close()
    assert report(4, dice=0.5) is False, "nobody is there any more"
    channel.close()


@pytest.mark.parametrize(
    ("step", "metrics", "message"),
    [
        (1.5, {"dice": 0.1}, "the step must be an integer, not 1.5"),
        ("1", {"dice": 0.1}, "the step must be an integer"),
        (2**70, {"dice": 0.1}, "too large"),
        (1, {"dice": "0.1"}, "`dice` must be a number, not '0.1'"),
        (1, {"dice": None}, "`dice` must be a number"),
        (1, {f"m{i}": 0.1 for i in range(1001)}, "1000 are allowed"),
    ],
)
def test_a_report_of_the_wrong_type_is_a_type_error(tmp_path: Path, step: int, metrics: dict[str, float], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ChannelReport(None, "W1_1_J1", 1, tmp_path)(step, **metrics)


def test_a_swallowed_divergence_still_counts(tmp_path: Path) -> None:
    (tmp_path / "swallow_here.py").write_text(
        "def fit(params, report):\n    try:\n        report(1, dice=float('nan'))\n    except Exception:\n        return 0.9\n"
    )
    folder = prepare(tmp_path, spec(function="swallow_here:fit", base_dir=tmp_path), {})
    ending = run_by_hand(folder, tmp_path)
    assert (ending.cause, ending.message) == ("diverged", "`dice` became nan")


def run_by_hand(folder: Path, tmp_path: Path) -> Ending:
    """In this process, whose environment, working directory, signals and path come back afterwards."""
    import os
    import signal
    import sys

    kept = os.environ.copy(), Path.cwd(), signal.getsignal(signal.SIGTERM), list(sys.path)
    try:
        found = read_job_spec(folder)
        assert found is not None
        return job.run_job(found, folder, None)
    finally:
        os.environ.clear()
        os.environ.update(kept[0])
        os.chdir(kept[1])
        signal.signal(signal.SIGTERM, kept[2])
        sys.path[:] = kept[3]


def test_a_failure_keeps_its_traceback_without_our_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "raise_here.py").write_text("def fit(params):\n    return 1 / params['x']\n")
    folder = prepare(tmp_path, spec(function="raise_here:fit", base_dir=tmp_path), {"x": 0})
    ending = run_by_hand(folder, tmp_path)
    assert (ending.cause, ending.message, ending.code) == ("user_error", "ZeroDivisionError: division by zero", 1)
    printed = capsys.readouterr().err
    assert "raise_here.py" in printed
    assert "engine/agent" not in printed


# -- what ends an attempt ---------------------------------------------------------------------------------------------------


def test_the_keeper_and_the_job_agree_on_one_end() -> None:
    good, bad = Ending(values={"dice": 1.0}), Ending(cause="user_error", message="x")
    assert conclude(good, Seen(0), "") == good
    assert conclude(good, Seen(-9, "timeout", time_limit_s=1.0), "") == good
    assert conclude(bad, Seen(1, "timeout", time_limit_s=1.0), "").cause == "timeout"
    assert conclude(bad, Seen(1, "stop", stop_asked=True), "").stopped
    assert conclude(bad, Seen(1, stop_asked=True), "") == bad
    assert conclude(Ending(stopped=True), Seen(0), "").cause == "preempted"
    assert conclude(None, Seen(-9, oom_kills=1), "").cause == "oom_host"
    assert conclude(None, Seen(None, "agent_lost"), "").cause == "lost"


def test_a_result_is_only_of_its_own_attempt(tmp_path: Path) -> None:
    outcome = Outcome("W1_1_J1", 2, {"dice": 0.5}, 1.0)
    write_outcome(tmp_path, outcome)
    assert read_outcome(tmp_path, "W1_1_J1", 2) == outcome
    assert read_outcome(tmp_path, "W1_1_J1", 3) is None
    (tmp_path / "result.json").write_text("{")
    assert read_outcome(tmp_path, "W1_1_J1", 2) is None


# -- folders and environment ----------------------------------------------------------------------------------------------


def test_a_second_attempt_has_a_folder_of_its_own(tmp_path: Path) -> None:
    assert prepare(tmp_path, spec(1), {"lr": 0.1}) == tmp_path / "W1_1_J1"
    assert prepare(tmp_path, spec(2), {"lr": 0.1}) == tmp_path / "W1_1_J1" / "attempt_2"
    assert attempt_dir(tmp_path, "W1_1_J1", 1) == tmp_path / "W1_1_J1"
    assert (tmp_path / "W1_1_J1" / "attempt_2" / "config" / "params.json").read_text() == '{\n    "lr": 0.1\n}\n'


def test_names_from_the_wire_stay_in_their_folder() -> None:
    assert is_safe_name("W1_1_J1")
    assert is_safe_name("config_train.json")
    assert not any(map(is_safe_name, ["", ".", "..", "a/b", "/etc", ".hidden", "a\0b", "x" * 300]))


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    assert log_tail(tmp_path) == ""
    (tmp_path / "log.txt").write_text("\n".join(f"line {i}" for i in range(10_000)))
    assert log_tail(tmp_path).splitlines() == [f"line {i}" for i in range(9980, 10_000)]


@pytest.mark.parametrize(
    ("gpus", "inherited", "visible"),
    [
        ((), None, ""),
        ((), "0,1", ""),
        ((0, 2), None, "0,2"),
        ((0, 2), "4, 5,GPU-8f1", "4,GPU-8f1"),
    ],
)
def test_gpus_index_the_inherited_ones(gpus: tuple[int, ...], inherited: str | None, visible: str) -> None:
    assert visible_devices(gpus, inherited) == visible


@pytest.mark.parametrize("inherited", ["", "-1", "3", "3,-1,4"])
def test_a_gpu_that_is_not_there_is_an_input_error(inherited: str) -> None:
    with pytest.raises(InputError, match="GPU 1 does not exist"):
        visible_devices((1,), inherited)


def test_threads() -> None:
    assert job_environment((), 4, 1, {})["OMP_NUM_THREADS"] == "4"
