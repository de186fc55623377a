"""`Command("python train.py --lr {lr}")`: a command line that trains, in whatever language.

It finds its configuration in the file that AUTOML_CONFIG names (JSON; its text is in AUTOML_PARAMS, too), its folders in
AUTOML_JOB_DIR and AUTOML_CHECKPOINT_DIR and its seed in AUTOML_SEED. It calls `automl_run.report(3, dice=0.81)`, or prints
`automl: step=3 dice=0.81` to report, and `automl: dice=0.83` for its final values.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from automl_run.dsl.command_template import places
from automl_run.dsl.ir import Value
from automl_run.dsl.resolved import Resolved, to_plain
from automl_run.errors import InputError, JobError, TargetError

from .base import Job, Result
from .command_check import check_shell, check_words
from .command_line import Filling, text_of
from .command_script import SCRIPT_NAME, write_script
from .conversation import Conversation
from .script import CONFIG
from .script_arguments import folder_of
from .script_channel import ScriptChannel

#: Linux allows 128 KiB for one variable of the environment.
_MAX_VARIABLE: Final = 120_000
_YAML = "params.yaml"
_SILENT: Final = (
    "the command ended well, but said nothing of `{0}`: it calls `automl_run.report(step, {0}=...)`, "
    'prints `automl: step=1 {0}=0.5`, or prints lines that `metrics = {{{0}: "... ([0-9.]+)"}}` finds'
)
#: Stands for a folder or a file that only a job has: as unknown as a variable of the shell.
_LATER: Final = "$LATER"


class CommandTarget:
    """Runs `template` in `cwd`, which is taken from `base_dir`: a text with the shell, a list of arguments as it is.

    Its places are those of `dsl/command_template.py`; `cwd` and `env` may have them, too. `env`: variables for it, None takes one
    away. `metrics`: name -> a pattern of lines that it prints (`metric_lines.py`).
    """

    config_name = "params.json"

    def __init__(
        self,
        template: str | Sequence[str],
        base_dir: Path,
        *,
        cwd: str = ".",
        env: Mapping[str, Value] | None = None,
        metrics: Mapping[str, str] | None = None,
    ) -> None:
        self.template = template
        self.base_dir = base_dir
        self.cwd = cwd
        self.env = dict(env or {})
        self.metrics = dict(metrics or {})

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The paths that the command names, in order."""
        texts = [self.template] if isinstance(self.template, str) else self.template
        return tuple(place.path for text in texts for place in places(text))

    def check(self) -> None:
        if not self.base_dir.is_dir():
            raise InputError(f"Command: the folder {self.base_dir} does not exist")
        if not places(self.cwd):
            _check_folder(self.folder(Filling({}, {})))

    def render(self, config: dict[str, Resolved]) -> dict[str, Value]:
        """InputError when the command names a path that `config` lacks, or a program or script that is not there."""
        rendered = {key: to_plain(value) for key, value in config.items()}
        later = dict.fromkeys(("job_dir", "checkpoint_dir", "config_json", "config_yaml"), _LATER)
        filling = Filling(rendered, {**self._provided(), **later, "seed": "0", "fold": "0", "folds": "1"})
        environment = self._environment(filling)
        folder = self.folder(filling)
        known_folder = _LATER not in str(folder)
        if known_folder:
            _check_folder(folder)
        if isinstance(self.template, str):
            line = filling.shell(self.template)
            if known_folder:
                check_shell(line, folder, environment)
        else:
            words = filling.words(self.template)
            if not words or not words[0]:
                raise InputError("Command: the program has no name in this job")
            if known_folder:
                check_words(words, folder, environment.get("PATH"))
        return rendered

    def folder(self, filling: Filling) -> Path:
        """Where it runs."""
        return folder_of(self.base_dir, filling.text(self.cwd))

    def _provided(self) -> dict[str, str]:
        return {"python": sys.executable, "program_dir": str(self.base_dir)}

    def _environment(self, filling: Filling) -> dict[str, str]:
        environment = dict(os.environ)
        for name, value in self.env.items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = filling.text(value) if isinstance(value, str) else text_of(value)
        return environment

    def run(self, job: Job) -> Result:
        config_json, config_yaml = (job.dir / "config" / name for name in (self.config_name, _YAML))
        filling = Filling(
            job.config,
            {
                **self._provided(),
                "job_dir": str(job.dir),
                "checkpoint_dir": str(job.report.checkpoint_dir),
                "config_json": str(config_json),
                "config_yaml": str(config_yaml),
                "seed": str(job.seed),
                # Without a cross-validation, the first split of whatever the script has.
                "fold": str(0 if job.fold is None else job.fold.number),
                "folds": str(1 if job.fold is None else job.fold.count),
            },
        )
        if "config_yaml" in self.placeholders and "config_yaml" not in job.config:
            _write_yaml(config_yaml, job.config)
        arguments = _arguments(self.template, filling)
        folder = self.folder(filling)
        environment = self._environment(filling)
        given = {
            "AUTOML_JOB_DIR": str(job.dir),
            "AUTOML_CHECKPOINT_DIR": str(job.report.checkpoint_dir),
            "AUTOML_SEED": str(job.seed),
            CONFIG: str(config_json),
        }
        own = {name: None if value is None else environment[name] for name, value in self.env.items()}
        write_script(job.dir / "config" / SCRIPT_NAME, arguments, folder, own, given)
        environment |= given
        params = json.dumps(job.config)
        if len(params) <= _MAX_VARIABLE:
            environment["AUTOML_PARAMS"] = params
        else:
            print(f"automl-run: AUTOML_PARAMS would be too long; it is in {config_json}", flush=True)
        channel = ScriptChannel()
        try:
            process = subprocess.Popen(
                arguments,
                cwd=folder,
                env={**environment, **channel.environment()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except OSError as error:
            channel.close()
            raise JobError("user_error", f"the command cannot be started in {folder}: {error}") from error
        try:
            conversation = Conversation(process, job.report, channel, self.metrics)
            result = conversation.run()
        finally:
            channel.close()
        if job.objectives and not conversation.heard and not conversation.told:
            print(f"automl-run: {_SILENT.format(job.objectives[0])}", flush=True)
        return result


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise TargetError(f"Command: the folder {folder} {what}", "cwd")


def _arguments(template: str | Sequence[str], filling: Filling) -> list[str]:
    if not isinstance(template, str):
        return filling.words(template)
    bash = shutil.which("bash")
    # A training that fails must not be hidden by the `tee` after it.
    return [*([bash, "-o", "pipefail"] if bash else ["/bin/sh"]), "-c", filling.shell(template)]


def _write_yaml(path: Path, config: Mapping[str, Value]) -> None:
    import yaml

    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True), encoding="utf-8", errors="surrogatepass")
