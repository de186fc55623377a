"""`Mmar("folder")`: an MMAR's training config, one rendered copy per job. Imports neither torch nor MONAI nor user code."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from automl_run.dsl.ir import Value
from automl_run.dsl.resolved import Resolved, ResolvedComponent, to_clara
from automl_run.dsl.variables import substitute_config
from automl_run.engine.targets.base import Job, Result
from automl_run.errors import InputError

from . import folds
from .checks import SECTIONS, Checks
from .places import Places
from .syntax import flag

#: What `{MMAR_CKPT_DIR}` is in a rendered config: relative, so that each job writes into its own folder.
CHECKPOINT_DIR = "models"


class MmarTarget:
    """`path`: the MMAR's root, relative to `base_dir`. `variables`: what `{x}` means beside the config's own first level.

    Relative paths of data (DATA_ROOT, DATASET_JSON) are taken from the MMAR's root, relative output folders from the job's.
    """

    config_name = "config_train.json"

    def __init__(self, path: str, base_dir: Path, variables: Mapping[str, Value]) -> None:
        self.root = (base_dir / Path(path).expanduser()).resolve()
        self.variables: dict[str, Value] = {"MMAR_ROOT": str(self.root), **variables, "MMAR_CKPT_DIR": CHECKPOINT_DIR}

    def check(self) -> None:
        """InputError when the folder or its `config` is missing."""
        if not self.root.is_dir():
            raise InputError(f"there is no MMAR at {self.root}: " + ("it is a file" if self.root.exists() else "no such folder"))
        if not (self.root / "config").is_dir():
            raise InputError(f"{self.root} is no MMAR: it has no folder `config`")

    def inspect(
        self, config: Mapping[str, Value], metrics: Collection[str], *, folds: bool = False, files: Sequence[str] = ()
    ) -> None:
        """InputError for a component, a reference, a metric or a file that is not there, and volumes that do not fit each other."""
        Checks(config, self.root, self._training_config(files)).run(metrics, SECTIONS[:1] if folds else SECTIONS)

    def _training_config(self, files: Sequence[str]) -> Path:
        """The one of the program's files that says what is trained."""
        folder = self.root / "config"
        for file in (Path(name).resolve() for name in files):
            if file.parent == folder and not Places().data(file).keys().isdisjoint(SECTIONS):
                return file
        return folder / str(self.variables.get("trainconf", self.config_name))

    def render(self, config: dict[str, Resolved]) -> dict[str, Value]:
        """Clara's JSON with every `{x}` replaced. A variable that is also a first-level key replaces its value there, too."""
        variables = cast("dict[str, Resolved]", self.variables)
        beaten = {key: variables[key] for key, value in config.items() if key in variables and _is_scalar(value)}
        return {key: to_clara(value) for key, value in substitute_config({**config, **beaten}, variables).items()}

    def check_folds(self, config: Mapping[str, Value], count: int) -> None:
        folds.check_folds(config, self.root, count)

    def ranks(self, config: Mapping[str, Value], gpus: int) -> int:
        """One a GPU, unless the config says `"multi_gpu": false`."""
        return gpus if flag(config.get("multi_gpu", True), "multi_gpu") else 1

    def run(self, job: Job) -> Result:
        from .train import train

        if job.fold is not None:
            job = replace(job, config=folds.with_fold(job.config, self.root, job.fold, job.dir / "config", self.config_name))
        return train(job, self.root)


def _is_scalar(value: Resolved) -> bool:
    return not isinstance(value, (dict, list, ResolvedComponent))
