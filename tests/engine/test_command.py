"""`Command` beyond its placeholders: lists, folders, environment, files of configuration, what it prints, stops and failures."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_run.dsl.ir import Value
from automl_run.dsl.resolved import Resolved
from automl_run.engine.folds import Fold
from automl_run.engine.targets.base import Job
from automl_run.engine.targets.command import CommandTarget
from automl_run.engine.targets.command_line import Filling
from automl_run.engine.targets.last_words import last_words
from automl_run.engine.targets.launcher_report import first_to_fail
from automl_run.errors import InputError, JobError

ROOT = Path(__file__).resolve().parents[2]
CONFIG: dict[str, Value] = {
    "lr": 1e-5,
    "amp": True,
    "off": False,
    "size": [96, 32],
    "net": {"width": 8},
    "none": None,
    "name": "a b",
}


class Recorder:
    """A report that remembers, and asks to stop at step `stop_at`."""

    def __init__(self, checkpoint_dir: Path, stop_at: int | None = None) -> None:
        self.checkpoint_dir = checkpoint_dir
        self.seen: list[tuple[int, dict[str, float]]] = []
        self.told: list[tuple[str, float | None]] = []
        self._stop_at = stop_at

    def __call__(self, step: int, **metrics: float) -> bool:
        self.seen.append((step, metrics))
        return step == self._stop_at

    def progress(self, text: str, fraction: float | None = None) -> None:
        self.told.append((text, fraction))


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    folder = tmp_path / "W1_1_J1"
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "params.json").write_text(json.dumps(CONFIG))
    return Job("W1_1_J1", folder, CONFIG, {}, 3, 1, (), ("dice",), Recorder(tmp_path / "checkpoints"))


def reports(job: Job) -> Recorder:
    assert isinstance(job.report, Recorder)
    return job.report


def script(folder: Path, text: str) -> list[str]:
    (folder / "train.py").write_text(text)
    return [sys.executable, "train.py"]


# -- the command line ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("{--lr}", "--lr 1e-05"),
        ("{--amp} {--off} {--none} {--absent}", "--amp   "),
        ("{--size} {--net.width} {--wd=net.width}", "--size 96 32 --net.width 8 --wd 8"),
        ("{lr=} {net.width=} {size=} {absent=}", "lr=1e-05 net.width=8 'size=[96, 32]' "),
        ("{seed} {{lr}} {{--amp}} {} {{}} { lr }", "7 {lr} {--amp} {} {{}} { lr }"),
        ('--x={name} "{name}" \'{name}\' "it\'s {name}"', "--x='a b' \"a b\" 'a b' \"it's a b\""),
        ("echo \\' {name} # don't\n{name}", "echo \\' 'a b' # don't\n'a b'"),
    ],
)
def test_places_of_a_line_of_the_shell(template: str, line: str) -> None:
    assert Filling(CONFIG, {"seed": "7", "lr": "unused"}).shell(template) == line


@pytest.mark.parametrize(
    ("around", "seen"),
    [
        ("{x}", "%s"),
        ('"{x}"', "%s"),
        ("'{x}'", "%s"),
        ("'\"'{x}'\"'", '"%s"'),
        ("a\\ {x}", "a %s"),
        ("\"a$(printf '%s' {x})b {x}\"", "a%sb %s"),
        ("\"$(printf '%s' \"$(printf '%s' {x})\")$((1 + 1)){x}\"", "%s2%s"),
        ("\"a`printf '%s' {x}`b\"", "a%sb"),
        ("\"$(: # it's\nprintf '%s' {x})\"", "%s"),
        ("0{x}#{x}", "0%s#%s"),
    ],
)
def test_no_value_gets_out_of_its_quotes(around: str, seen: str) -> None:
    for value in ["$(echo no)", "`echo no`", "it's", 'a "b" c', "back\\slash\\", "$HOME", "a\nb", "*", "#", "!x", ""]:
        line = Filling({"x": value}, {}).shell(f"printf '%s' {around}")
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, cwd="/")
        assert done.stdout == seen.replace("%s", value), line


def test_an_empty_word_of_a_line_is_one_like_any_other(tmp_path: Path) -> None:
    assert CommandTarget("env '' \"\" {lr}", tmp_path).render({"lr": 0.1}) == {"lr": 0.1}


#: text of the shell -> what it means, % being the value
_PIECES = {"{x}": "%", '"a {x} b"': "a % b", "'a {x} b'": "a % b", "'\\'": "\\", "\\'": "'", '"\\"\'{x}"': "\"'%", "{{x}}": "{x}"}


@settings(max_examples=40, deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    st.lists(st.sampled_from(sorted(_PIECES)), min_size=1, max_size=5),
)
def test_any_value_is_one_word_in_any_quotes(value: str, pieces: list[str]) -> None:
    line = Filling({"x": value}, {}).shell("printf %s " + "".join(pieces))
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert done.stdout.decode() == "".join(_PIECES[piece].replace("%", value) for piece in pieces)


def test_arguments_of_a_list_need_no_shell(tmp_path: Path, job: Job) -> None:
    arguments = ["{--lr}", "{--amp}", "{--off}", "{--size}", "{absent=}", "x={name}; *", "{lr=}"]
    command = [
        *script(tmp_path, "import sys, json; print('automl: dice=1'); json.dump(sys.argv[1:], open('argv', 'w'))"),
        *arguments,
    ]
    assert CommandTarget(command, tmp_path).run(job) == {"dice": 1.0}
    expected = ["--lr", "1e-05", "--amp", "--size", "96", "32", "x=a b; *", "lr=1e-05"]
    assert json.loads((tmp_path / "argv").read_text()) == expected


def test_a_command_runs_in_its_folder_with_its_environment(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GONE", "1")
    command = CommandTarget(
        "pwd > {program_dir}/seen; echo $LR:$N:${GONE-none}:$SUB:$AUTOML_SEED:$AUTOML_CONFIG >> {program_dir}/seen",
        tmp_path,
        cwd="{job_dir}",
        env={"LR": "{lr}", "N": 4, "GONE": None, "SUB": "{job_dir}/x"},
    )
    command.check()
    command.run(job)
    seen = f"{job.dir}\n1e-05:4:none:{job.dir}/x:3:{job.dir}/config/params.json\n"
    assert (tmp_path / "seen").read_text() == seen
    (tmp_path / "seen").unlink()
    subprocess.run([job.dir / "config" / "command.sh"], check=True)  # the same again, by hand
    assert (tmp_path / "seen").read_text() == seen


def test_files_of_the_configuration(tmp_path: Path, job: Job) -> None:
    """A YAML reader of version 1.1 takes `1e-05` for a text: JSON is not YAML enough."""
    CommandTarget("cp {config_json} a.json; cp {config_yaml} a.yaml", tmp_path).run(job)
    assert json.loads((tmp_path / "a.json").read_text()) == CONFIG
    assert yaml.safe_load((tmp_path / "a.yaml").read_text()) == CONFIG


def test_a_key_of_the_program_goes_before_what_is_provided(tmp_path: Path, job: Job) -> None:
    command = CommandTarget("echo {seed} {fold} {folds} > seen", tmp_path)
    command.run(replace(job, config={"seed": 5}))
    assert (tmp_path / "seen").read_text() == "5 0 1\n"
    command.run(replace(job, fold=Fold(2, 5, 0)))
    assert (tmp_path / "seen").read_text() == "3 2 5\n"


# -- what is wrong before it runs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("pyhton train.py", "there is no program `pyhton` on the PATH"),
        ("A=1 pyhton train.py", "there is no program `pyhton`"),
        ("./train.sh --lr {lr}", "train.sh is not there"),
        ("./plain.sh", "plain.sh may not be executed"),
        ("python3 -u trian.py --lr {lr} | tee x", "there is no file .*trian.py"),
        (["python3", "trian.py"], "there is no file .*trian.py"),
        (["pyhton"], "there is no program"),
        (["{--off}"], "no name in this job"),
    ],
)
def test_a_missing_program_or_script_is_found_before_a_run(tmp_path: Path, template: Any, message: str) -> None:
    (tmp_path / "plain.sh").write_text("true\n")
    with pytest.raises(InputError, match=message):
        CommandTarget(template, tmp_path).render(cast("dict[str, Resolved]", CONFIG))


@pytest.mark.parametrize(
    "template",
    [
        "cd sub && python train.py",
        "python3 -m pkg.mod",
        "python3 -X dev -c 'print(1)'",
        "$PYTHON train.py",
        "for i in 1 2; do python train.py; done",
        "python3 {name}.txt",
        "(pyhton)",
        "go() { python3 trian.py; }; go",
        "pushd sub; python3 trian.py",
        "true '' {name}",
        "true 'unclosed",
        "python3 {job_dir}/made.py",
        ["python3", "{job_dir}/made.py"],
    ],
)
def test_what_cannot_be_told_before_a_run_is_left_to_it(tmp_path: Path, template: Any) -> None:
    CommandTarget(template, tmp_path).render(cast("dict[str, Resolved]", CONFIG))


def test_functions_that_the_shell_inherits_are_programs(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """`module load cuda` of a cluster."""
    monkeypatch.setenv("BASH_FUNC_module%%", "() { echo automl: dice=0.5; }")
    command = CommandTarget("module load cuda", tmp_path)
    command.render({})
    assert command.run(job) == {"dice": 0.5}


def test_a_missing_folder_is_found_before_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere does not exist"):
        CommandTarget("true", tmp_path, cwd="nowhere").check()
    with pytest.raises(InputError, match="home directory"):
        CommandTarget("true", tmp_path, cwd="~nobody_of_this_name").check()


# -- what it prints -------------------------------------------------------------------------------------------------------------


def test_metrics_beside_a_progress_bar_binary_output_and_logging(tmp_path: Path, job: Job) -> None:
    text = (
        "import os\n"
        "w = lambda b: os.write(1, b)\n"
        "w(b' 10%|#\\r 50%|##\\rautoml: step=1 dice=0.5\\n')\n"
        "w(b' 60%|##automl: step=2 dice=0.6\\r\\n')\n"
        "w(b'\\x1b[32mautoml: step=3 dice=0.7\\x1b[0m\\n')\n"
        "w(b'INFO:root:automl: step=4 dice=0.8\\n')\n"
        "w(bytes(range(256)) * 4000 + b'\\n')\n"
        "w(b'we use automl: see the docs\\nautoml: dice=0.9')\n"
    )
    assert CommandTarget(script(tmp_path, text), tmp_path).run(job) == {"dice": 0.9}
    assert [(step, values["dice"]) for step, values in reports(job).seen] == [(1, 0.5), (2, 0.6), (3, 0.7), (4, 0.8)]


def test_metrics_of_lines_that_the_script_has_anyway(tmp_path: Path, job: Job) -> None:
    text = "for i in range(3): print(f'epoch {i} mean dice: {i / 4:.2f} loss {1 / (i + 1):.3f}')\nprint('test dice 0.7')"
    metrics = {"dice": "epoch (?P<step>[0-9]+) mean dice: ([0-9.]+)", "loss": "loss ([0-9.]+)"}
    CommandTarget(script(tmp_path, text), tmp_path, metrics=metrics).run(job)
    assert reports(job).seen[:4] == [(0, {"dice": 0.0}), (1, {"loss": 1.0}), (1, {"dice": 0.25}), (2, {"loss": 0.5})]
    with pytest.raises(JobError, match=r"`dice` is read from the line 'epoch x', where 'epoch x' holds no number"):
        CommandTarget("echo epoch x", tmp_path, metrics={"dice": "epoch (.*)"}).run(job)


def test_a_command_that_says_nothing_is_told_how(tmp_path: Path, job: Job, capfd: pytest.CaptureFixture[str]) -> None:
    assert CommandTarget("echo well", tmp_path).run(job) is None
    assert "said nothing of `dice`: it calls `automl_run.report(step, dice=...)`" in capfd.readouterr().out
    CommandTarget("echo automl: dice=1", tmp_path).run(job)
    assert "said nothing" not in capfd.readouterr().out


TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 1, in <module>\n    train()\n    ^^^^^^^\n'
CAUSE = "The above exception was the direct cause of the following exception:"
HYDRA = "Set the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace."


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        ("a\nKeyError: 'x'\n\n", "KeyError: 'x'"),
        ("KeyError: 'x'\ndata/ is empty\n====\n", "data/ is empty"),
        ("====", ""),
        (
            "loads\n[rank1]: torch.OutOfMemoryError: CUDA out of memory\nE1128 failed (exitcode: 1)\nTrace (most recent call):\n"
            "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n====\ntrain.py FAILED\nerror_file: -\n====\n",
            "[rank1]: torch.OutOfMemoryError: CUDA out of memory",
        ),
        (
            f"{TRACEBACK}RuntimeError: Error(s) in loading:\n\tMissing key(s): a\n\tsize: b\n",
            "RuntimeError: Error(s) in loading: Missing key(s): a size: b",
        ),
        (
            f"{TRACEBACK}RuntimeError: no dataset 1. Here is where I looked\nraw=/data\nAdapt your variables.",
            "RuntimeError: no dataset 1. Here is where I looked ... Adapt your variables.",
        ),
        (
            f"{TRACEBACK}FileNotFoundError: no a.nii\n\n{CAUSE}\n\n{TRACEBACK}RuntimeError: applying Load\n",
            "RuntimeError: applying Load: FileNotFoundError: no a.nii",
        ),
        (f"{TRACEBACK}KeyError: 'a'\nretries\n{TRACEBACK}OSError: b\n", "OSError: b"),
        (
            f"[rank1]: {TRACEBACK}[rank1]: OSError: b\n{TRACEBACK}torch.distributed.ChildFailedError: \nFAILED\n",
            "[rank1]: OSError: b",
        ),
        (
            f"[rank1]: {TRACEBACK}[rank1]: OSError: b\n[rank0]: {TRACEBACK}[rank0]: RuntimeError: Connection closed by peer\n",
            "[rank1]: OSError: b",
        ),
        (f"Error executing job with overrides: []\n{TRACEBACK}OSError: b\n\n{HYDRA}\n", "OSError: b"),
        (
            f"Could not override 'lr'.\nTo append use +lr=1\nKey 'lr' is not in struct\n\n{HYDRA}\n",
            "Could not override 'lr'. To append use +lr=1 Key 'lr' is not in struct",
        ),
        (
            '  File "train.py", line 3\n    x = = 3\n        ^\nSyntaxError: invalid syntax\n',
            "SyntaxError: invalid syntax (train.py, line 3)",
        ),
        ("no volume\n[rank: 1] Child process with PID 7 terminated with code 3. Forcefully terminating all others\n", "no volume"),
        (TRACEBACK, "train()"),
    ],
)
def test_the_last_words_of_a_command(tail: str, words: str) -> None:
    assert last_words(tail) == words


@pytest.mark.parametrize(
    ("code", "tail", "first"),
    [
        (1, "exitcode  : -9", 1),
        (1, "[0]:\n  exitcode  : -15 (pid: 7)\n[1]:\n  exitcode  : -9 (pid: 8)\nChildFailedError", -9),
        (1, "exitcode  : 1 (pid: 7)\nChildFailedError", 1),
        (-9, "", -9),
        (-9, "[rank: 1] Child process with PID 7 terminated with code 1. Forcefully terminating all other processes", 1),
        (0, "Child process with PID 7 terminated with code 1. Forcefully terminating", 0),
    ],
)
def test_which_process_of_a_launcher_failed_first(code: int, tail: str, first: int) -> None:
    assert first_to_fail(code, tail) == first


@pytest.mark.parametrize(("module", "hint"), [("pytest", True), ("automl_run", True), ("surely_nowhere", False)])
def test_a_module_that_only_this_python_has(tmp_path: Path, job: Job, module: str, hint: bool) -> None:
    with pytest.raises(JobError, match=f"No module named '{module}'") as raised:
        CommandTarget(f"{{python}} -S -E -c 'import {module}'", tmp_path, env={"PYTHONPATH": None}).run(job)
    assert (f"`{{python}}` in the command is {sys.executable}, which has it" in str(raised.value)) == hint
    assert ("pip install --no-deps automl-run" in str(raised.value)) == (module == "automl_run")


@pytest.mark.parametrize(
    ("command", "cause", "message"),
    [
        ("python3 -c 'import sys; print(\"no data\"); sys.exit(4)' | cat", "user_error", "exit code 4: no data"),
        ("bash -c 'kill -9 $$'; exit $?", "lost", "SIGKILL"),
        ("(bash -c 'kill -SEGV $$')", "user_error", "SIGSEGV"),
        (["./no_shebang"], "user_error", "cannot be started in"),
    ],
)
def test_failures_are_not_hidden(tmp_path: Path, job: Job, command: Any, cause: str, message: str) -> None:
    with pytest.raises(JobError, match=message) as raised:
        CommandTarget(command, tmp_path).run(job)
    assert raised.value.cause == cause


# -- a script that uses the package -----------------------------------------------------------------------------------------------

TRAIN = """
import json, os, sys
from pathlib import Path
import automl_run
heavy = {"torch", "monai", "numpy", "msgspec", "msgpack", "lark", "optuna", "yaml"} & set(sys.modules)
assert not heavy, heavy
params = automl_run.params({"lr": 1.0, "net": {"depth": 3}})
steps = []
for step in range(5):
    steps.append(step)
    if automl_run.report(step, dice=step / 4, loss=params["lr"]):
        break
automl_run.report.progress("ends", 1)
automl_run.result(dice=0.75)
(automl_run.report.checkpoint_dir / "seen.json").write_text(json.dumps([params, steps]))
"""


def run_script(folder: Path, job: Job, prefix: list[str] | None = None) -> tuple[object, dict[str, Value], list[int]]:
    result = CommandTarget([*(prefix or []), *script(folder, TRAIN)], folder).run(job)
    params, steps = json.loads((job.report.checkpoint_dir / "seen.json").read_text())
    return result, params, steps


def test_a_script_reports(tmp_path: Path, job: Job) -> None:
    result, params, steps = run_script(tmp_path, job)
    assert result == {"dice": 0.75}
    assert params == {**CONFIG, "net": {"depth": 3, "width": 8}}
    assert reports(job).seen == [(step, {"dice": step / 4, "loss": 1e-5}) for step in steps]
    assert reports(job).told == [("ends", 1.0)]


def test_a_script_is_told_to_stop_by_a_report_and_not_by_a_signal(tmp_path: Path, job: Job) -> None:
    report = Recorder(tmp_path / "checkpoints", stop_at=1)
    text = (
        "import automl_run\nstep = 0\nwhile not automl_run.report(step, dice=step):\n    step += 1\nautoml_run.result(dice=-1.0)\n"
    )
    assert CommandTarget(script(tmp_path, text), tmp_path).run(replace(job, report=report)) == {"dice": -1.0}
    assert report.seen[:2] == [(0, {"dice": 0.0}), (1, {"dice": 1.0})]


def test_the_package_needs_nothing_installed_for_a_script(tmp_path: Path, job: Job) -> None:
    """Another environment than the search's: `-S` leaves all installed packages out."""
    text = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{TRAIN}"
    (tmp_path / "train.py").write_text(text)
    assert CommandTarget([sys.executable, "-S", "train.py"], tmp_path).run(job) == {"dice": 0.75}


def test_a_report_reaches_through_launchers_that_close_descriptors(tmp_path: Path, job: Job) -> None:
    launcher = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:], close_fds=True, start_new_session=True).returncode)"
    result, _, steps = run_script(tmp_path, job, [sys.executable, "-c", launcher])
    assert (result, len(reports(job).seen)) == ({"dice": 0.75}, len(steps))


def test_without_a_way_to_the_run_metrics_are_printed(tmp_path: Path, job: Job) -> None:
    result, _, steps = run_script(tmp_path, job, ["env", "AUTOML_REPORT=/nowhere", "AUTOML_STOP=/nowhere"])
    assert result == {"dice": 0.75}
    assert [step for step, _ in reports(job).seen] == steps == [0, 1, 2, 3, 4]


def test_of_several_processes_the_first_reports_and_all_stop_at_one_step(tmp_path: Path, job: Job) -> None:
    """Each rank reports by itself, as naive code does; all leave the loop at one step, however fast each is."""
    report = Recorder(tmp_path / "checkpoints", stop_at=2)
    text = (
        "import os, sys, subprocess\n"
        "if 'RANK' not in os.environ:\n"
        "    ps = [subprocess.Popen([sys.executable, 'train.py'], env={**os.environ, 'RANK': str(r)}) for r in range(3)]\n"
        "    sys.exit(any(p.wait() for p in ps))\n"
        "import automl_run\n"
        "step = 0\n"
        "while not automl_run.report(step, dice=step):\n    step += 1\n"
        "open('stop' + os.environ['RANK'], 'w').write(str(step))\n"
    )
    CommandTarget(script(tmp_path, text), tmp_path).run(replace(job, report=report))
    stopped = {(tmp_path / f"stop{rank}").read_text() for rank in range(3)}
    assert len(stopped) == 1
    assert [step for step, _ in report.seen] == list(range(len(report.seen)))


@pytest.mark.parametrize(
    ("call", "cause", "message"),
    [
        ("report(1, dice=float('nan'))", None, ""),
        ("report(1, dice='high')", "user_error", "exit code 1: TypeError: report: `dice` must be a number, not 'high'"),
        ("report(1.5, dice=1)", "user_error", "the step must be an integer, not 1.5"),
        ("result(dice=[1, 2])", "user_error", "result: `dice` must be a number"),
    ],
)
def test_wrong_reports(tmp_path: Path, job: Job, call: str, cause: str | None, message: str) -> None:
    target = CommandTarget(script(tmp_path, f"import automl_run\nautoml_run.{call}\n"), tmp_path)
    if cause is None:
        target.run(job)
        assert str(reports(job).seen[0][1]["dice"]) == "nan"  # the report of a job ends it, as `diverged`
        return
    with pytest.raises(JobError, match=re.escape(message)) as raised:
        target.run(job)
    assert raised.value.cause == cause


def test_sigterm_of_the_job_ends_the_command_even_if_it_listens(tmp_path: Path, job: Job, sigterm: list[int]) -> None:
    text = "import automl_run, os, signal\nautoml_run.report(1, dice=0.5)\nos.kill(os.getppid(), 15)\nsignal.pause()\n"
    assert CommandTarget(script(tmp_path, text), tmp_path).run(job) is None
    assert sigterm == [signal.SIGTERM]


@pytest.fixture
def sigterm() -> Iterator[list[int]]:
    """The signals that came to the handler that was there before."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    yield heard
    signal.signal(signal.SIGTERM, before)


# -- a script by itself -----------------------------------------------------------------------------------------------------------


def test_a_script_runs_without_a_run(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AUTOML_")} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(script(tmp_path, TRAIN), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    params, steps = json.loads((tmp_path / "checkpoints" / "seen.json").read_text())
    assert (params, steps) == ({"lr": 1.0, "net": {"depth": 3}}, [0, 1, 2, 3, 4])
