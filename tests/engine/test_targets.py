"""The thin targets: a Python function, a command line, and how failures are classified."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from automl_run.dsl.ir import Spec, Value
from automl_run.dsl.resolved import ResolvedComponent
from automl_run.engine.targets.base import Job
from automl_run.engine.targets.command import CommandTarget
from automl_run.engine.targets.command_line import Filling
from automl_run.engine.targets.failures import cause_of_exception, cause_of_status, cause_of_text, describe
from automl_run.engine.targets.metric_lines import metric_line
from automl_run.engine.targets.python_function import PythonTarget
from automl_run.engine.targets.registry import make_target
from automl_run.errors import InputError, JobError


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


def job(folder: Path, config: dict[str, Value], report: Recorder | None = None) -> Job:
    return Job(
        name="W1_1_J1",
        dir=folder,
        config=config,
        params={},
        seed=3,
        threads=1,
        gpus=(),
        objectives=("dice",),
        report=report or Recorder(folder),
    )


# -- the registry ---------------------------------------------------------------------------------------------------------


def test_a_target_is_made_from_its_spec(tmp_path: Path) -> None:
    assert isinstance(make_target(Spec("Python", {"function": "a:b"}), tmp_path, {}), PythonTarget)
    assert isinstance(make_target(Spec("Command", {"template": "true"}), tmp_path, {}), CommandTarget)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Spec("python", {"function": "a:b"}), "did you mean `Python`"),
        (Spec("Keras", {}), "known here: Bundle, Command, Mmar, Python"),
        (Spec("Command", {}), "takes one argument"),
        (Spec("Command", {"line": "true"}), "no argument `line`"),
        (Spec("Python", {"function": 3}), "must be a text"),
        (Spec("Python", {"function": "train"}), "must name a module and a function"),
        (Spec("Python", {"function": "src/train.py:fn"}), '"src.train:fn"'),
    ],
)
def test_a_wrong_spec_is_an_input_error(spec: Spec, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        make_target(spec, tmp_path, {})


# -- Python ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "netlab_pkg"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('check must not import')\n")
    (folder / "train.py").write_text("if True:\n    def fit(params, report): pass\n")
    (folder / "broken.py").write_text("def fit(:\n")
    (folder / "dynamic.py").write_text("from os.path import *\n")
    (tmp_path / "spaced_pkg").mkdir()
    (tmp_path / "spaced_pkg" / "train.py").write_text("fit = print\n")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["netlab_pkg.train:fit", "netlab_pkg.dynamic:join", "spaced_pkg.train:fit", "math:sqrt", "json:dumps"]
)
def test_check_finds_a_function_without_importing(package: Path, name: str) -> None:
    PythonTarget(name, package).check()
    assert not any(module.startswith(("netlab_pkg", "spaced_pkg")) for module in sys.modules)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("netlab_pkgs.train:fit", "no module `netlab_pkgs`"),
        ("netlab_pkg.trian:fit", r"no module `netlab_pkg.trian` in .*netlab_pkg"),
        ("netlab_pkg.train.deep:fit", "is a module, not a package"),
        ("netlab_pkg.train.py:fit", r'write `Python."netlab_pkg.train:fit".`, without the ending'),
        ("netlab_pkg.train:fitt", "no `fitt` in .*train.py; did you mean `fit`"),
        ("netlab_pkg.broken:fit", r"broken.py, line 1: "),
    ],
)
def test_check_says_what_is_missing(package: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PythonTarget(name, package).check()


def test_a_file_with_the_name_of_a_module_that_is_loaded_already_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its import would give the other module."""
    (tmp_path / "random.py").write_text("def fit(params): return 0.5\n")
    with pytest.raises(InputError, match=r"random.py has the name of one of Python's own modules"):
        PythonTarget("random:fit", tmp_path).check()
    (tmp_path / "twice_here.py").write_text("def fit(params): return 0.5\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "twice_here", ModuleType("twice_here"))
    PythonTarget("twice_here:fit", tmp_path).check()
    with pytest.raises(InputError, match=r"twice_here.py has the name of a module that is loaded before it"):
        PythonTarget("twice_here:fit", tmp_path).run(job(tmp_path, {}, Recorder(tmp_path)))


def test_components_become_plain_data(tmp_path: Path) -> None:
    net = ResolvedComponent("SegAhnet", {"layers": [3, 4]}, {"disabled": False})
    rendered = PythonTarget("a:b", tmp_path).render({"lr": 0.1, "net": net})
    assert rendered == {"lr": 0.1, "net": {"_target_": "SegAhnet", "@disabled": False, "layers": [3, 4]}}


@pytest.mark.parametrize("name", ["both", "alone", "keyword", "optional", "anything", "Net.fit"])
def test_a_function_may_take_the_report_or_not(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "forms_here.py").write_text(
        "def both(p, report): report(1, a=p['x']); return 1.0\n"
        "def alone(p): return 1.0\n"
        "def keyword(p, *, report): return both(p, report)\n"
        "def optional(p, scale=1.0): return scale\n"
        "def anything(*args): return both(*args)\n"
        "class Net:\n    fit = staticmethod(both)\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "forms_here", raising=False)
    report = Recorder(tmp_path)
    assert PythonTarget(f"forms_here:{name}", tmp_path).run(job(tmp_path, {"x": 2.0}, report)) == 1.0
    assert report.seen == ([] if name in ("alone", "optional") else [(1, {"a": 2.0})])


@pytest.mark.parametrize(
    ("head", "config", "value"),
    [
        ("lr, depth", {"lr": 2.0, "depth": 3}, 5.0),
        ("lr, depth=1", {"lr": 2.0}, 3.0),
        ("lr=1.0, depth=1", {"lr": 2.0}, 3.0),
        ("*, lr, depth, report", {"lr": 2.0, "depth": 3}, 5.0),
        ("lr, report, **rest", {"lr": 2.0, "depth": 3}, 5.0),
        ("**rest", {"lr": 2.0, "depth": 3}, 5.0),
        ("params, lr=9", {"lr": 2.0, "depth": 3}, 5.0),
        ("lr, /", {"lr": 2.0, "depth": 3}, 5.0),
        ("params=None, scale=1", {"lr": 2.0, "depth": 3}, 5.0),
    ],
)
def test_a_function_may_take_its_parameters_by_name(
    tmp_path: Path, head: str, config: dict[str, float], value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "by_name.py").write_text(
        "import inspect\n"
        f"def fn({head}):\n"
        "    had = dict(locals())\n"
        "    values = [v for k, v in had.items() if k not in ('report', 'scale')]\n"
        "    got = next((v for v in values if isinstance(v, dict) and 'lr' in v), None)\n"
        "    if got is not None:\n        return float(got['lr'] + got['depth'])\n"
        "    return float(had['lr'] + had.get('depth', had.get('rest', {}).get('depth', 0)))\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "by_name", raising=False)
    target = PythonTarget("by_name:fn", tmp_path)
    target.check()
    assert target.render({**config}) == config
    assert target.run(job(tmp_path, {**config})) == value


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("lr, depth, dropout", "the configuration has no `dropout`"),
        ("lr", "the configuration has `depth`, too"),
        ("a, b, c", "takes a, b, c, but it gets one dict of parameters: write `def fn(params)`"),
        ("a, b, report", "takes a, b, but it gets one dict"),
        ("params, *, device", "takes params, device, but it gets one dict"),
        ("", "takes nothing, but it gets one dict"),
    ],
)
def test_a_function_that_takes_neither_is_refused_before_a_run(
    tmp_path: Path, head: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "neither.py").write_text(f"def fn({head}): return 1.0\n")
    target = PythonTarget("neither:fn", tmp_path)
    target.check()
    with pytest.raises(InputError, match=re.escape(said)):
        target.render({"lr": 2.0, "depth": 3})
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "neither", raising=False)
    with pytest.raises(InputError, match=re.escape(said)):
        PythonTarget("neither:fn", tmp_path).run(job(tmp_path, {"lr": 2.0, "depth": 3}))


# -- Command --------------------------------------------------------------------------------------------------------------


def test_placeholders_are_quoted_and_other_braces_are_the_shells(tmp_path: Path) -> None:
    template = "train --lr {lr} --w {net.width} --s {size[1]} --name {name} ${HOME} {1..3} {{lr}}"
    command = CommandTarget(template, tmp_path)
    assert command.placeholders == ("lr", "net.width", "size[1]", "name")
    config: dict[str, Value] = {"lr": 0.001, "net": {"width": 8}, "size": [1, 2], "name": "it's; rm -rf /"}
    expected = "train --lr 0.001 --w 8 --s 2 --name 'it'\"'\"'s; rm -rf /' ${HOME} {1..3} {lr}"
    assert Filling(config, {}).shell(template) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{lrr}", "no `lrr`; did you mean `lr`"),
        ("{net.layers}", "no `layers` in `net`; known here: width"),
        ("{lr.x}", "no `x` in `lr`"),
        ("{size[9]}", "`size` is no list with an item 9"),
    ],
)
def test_an_undefined_placeholder_is_an_input_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CommandTarget(f"train {text}", tmp_path).render({"lr": 0.1, "net": {"width": 8}, "size": [1]})


def test_a_command_reports_and_returns_its_final_values(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = 'echo loud >&2; echo "automl: step=1 dice=0.5 loss=2"; echo "automl: step=2 dice={x}"; printf "automl: dice=%s" 0.75'
    report = Recorder(tmp_path)
    result = CommandTarget(script, tmp_path).run(job(tmp_path, {"x": 0.625}, report))
    assert report.seen == [(1, {"dice": 0.5, "loss": 2.0}), (2, {"dice": 0.625})]
    assert result == {"dice": 0.75}
    assert "loud" in capfd.readouterr().out


def test_a_command_finds_its_environment(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = 'echo "$AUTOML_PARAMS $AUTOML_SEED $AUTOML_CHECKPOINT_DIR $(pwd)"'
    assert CommandTarget(script, tmp_path).run(replace(job(tmp_path, {"a": {"b": 1}}), objectives=())) is None
    assert capfd.readouterr().out == f'{{"a": {{"b": 1}}}} 3 {tmp_path} {tmp_path}\n'


@pytest.mark.parametrize(
    ("script", "cause", "message"),
    [
        ("echo no data; exit 4", "user_error", "exit code 4"),
        ("echo 'RuntimeError: CUDA out of memory. Tried to'; exit 1", "oom_gpu", "exit code 1"),
        ("kill -SEGV $$", "user_error", "SIGSEGV"),
        ("echo automl: step=one dice=1", "user_error", "cannot read `step=one`"),
        ("echo automl: dice", "user_error", "cannot read `dice`"),
        ("no_such_program_here", "user_error", "exit code 127: .*no_such_program_here.*not found"),
    ],
)
def test_a_failing_command_says_why(tmp_path: Path, script: str, cause: str, message: str) -> None:
    with pytest.raises(JobError, match=message) as raised:
        CommandTarget(script, tmp_path).run(job(tmp_path, {}))
    assert raised.value.cause == cause


def test_a_command_is_told_to_stop_and_may_end_well(tmp_path: Path) -> None:
    script = "trap 'echo automl: dice=0.9; exit 0' TERM; echo automl: step=1 dice=0.5; while :; do read x < fifo; done"
    os.mkfifo(tmp_path / "fifo")
    assert CommandTarget(script, tmp_path).run(job(tmp_path, {}, Recorder(tmp_path, stop_at=1))) == {"dice": 0.9}


def test_what_a_command_leaves_behind_does_not_hold_it_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    script = "cat fifo & echo automl: dice=0.5"
    assert CommandTarget(script, tmp_path).run(job(tmp_path, {})) == {"dice": 0.5}


def test_metric_lines() -> None:
    assert metric_line("automl: step=3 dice=0.81 loss=1e-3") == (3, {"dice": 0.81, "loss": 0.001})
    assert metric_line("  automl:dice=-1\r") == (None, {"dice": -1.0})


# -- causes ---------------------------------------------------------------------------------------------------------------


def _raised_from(cause: BaseException) -> BaseException:
    error = RuntimeError("training failed")
    error.__cause__ = cause
    return error


class _TorchOom(RuntimeError):
    pass


_TorchOom.__name__, _TorchOom.__module__ = "OutOfMemoryError", "torch.cuda"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ValueError("x"), "user_error"),
        (MemoryError(), "oom_host"),
        (_TorchOom("anything"), "oom_gpu"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "oom_gpu"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "gpu_error"),
        (RuntimeError("CUDA error: device-side assert triggered"), "user_error"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (_raised_from(MemoryError()), "oom_host"),
        (JobError("diverged", "loss is nan"), "diverged"),
        (JobError("tired", "?"), "user_error"),
        (SystemExit(3), "user_error"),
    ],
)
def test_the_cause_of_an_exception(error: BaseException, cause: str) -> None:
    assert cause_of_exception(error)[0] == cause


def test_the_cause_of_a_status() -> None:
    assert cause_of_status(-signal.SIGKILL, "", oom_kills=1)[0] == "oom_host"
    assert cause_of_status(-signal.SIGKILL, "")[0] == "lost"
    assert cause_of_status(None, "")[0] == "lost"
    assert cause_of_text("numpy.core._exceptions._ArrayMemoryError: Unable to allocate") == "oom_host"
    assert cause_of_text("OSError: [Errno 28] No space left on device") == "disk_full"


def test_the_message_of_an_exception_is_printable() -> None:
    assert describe(ValueError("\udcff \x1b[31m né")) == "ValueError: \\udcff \\x1b[31m né"
    assert describe(SystemExit("bad\x00luck")) == "bad\\x00luck"


def test_a_failure_is_told_with_what_it_was_raised_from() -> None:
    try:
        try:
            raise ValueError("the crop is larger than the image")
        except ValueError as error:
            raise RuntimeError("applying transform <Crop>") from error
    except RuntimeError as error:
        told = cause_of_exception(error)
    assert told == ("user_error", "RuntimeError: applying transform <Crop>: ValueError: the crop is larger than the image")
