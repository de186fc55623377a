"""`Mmar("folder")`: an MMAR's training config, one rendered copy per job. Imports neither torch nor MONAI nor user code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.evaluate import Resolved, ResolvedComponent, to_clara
from automl_run.dsl.ir import Value
from automl_run.dsl.signatures import classes, library_versions
from automl_run.dsl.variables import VariableError, substitute, substitute_config
from automl_run.engine.targets.base import Job, Result
from automl_run.errors import InputError

from . import data_list, folds
from .names import SUCCESSORS
from .syntax import components

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
        """InputError when the folder, its config, a data list, an image, or a stock component of the config is missing."""
        if not self.root.is_dir():
            raise InputError(f"there is no MMAR at {self.root}: " + ("it is a file" if self.root.exists() else "no such folder"))
        if not (self.root / "config").is_dir():
            raise InputError(f"{self.root} is no MMAR: it has no folder `config`")
        config = self._written_config()
        if config is None:
            return
        for section in ("train", "validate"):
            part = config.get(section)
            if isinstance(part, dict):
                self._check_names(part, section)
                self._check_data(part.get("dataset"), config, f"{section}.dataset")

    def _written_config(self) -> dict[str, Value] | None:
        """The config that the variables name; None if it is not there or not JSON: a program may bring its own, checked already."""
        name = self.variables.get("trainconf", self.config_name)
        try:
            data = json.loads((self.root / "config" / str(name)).read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            return None
        return data if isinstance(data, dict) else None

    def _check_data(self, dataset: Value, config: Mapping[str, Value], place: str) -> None:
        for item in dataset if isinstance(dataset, list) else [dataset]:
            if not isinstance(item, dict):
                continue
            first_level = {key: value for key, value in config.items() if not isinstance(value, (dict, list))}
            keys = ("data_list_file_path", "data_file_base_dir", "data_list_key")
            try:
                found = _substitute({key: item[key] for key in keys if key in item}, {**first_level, **self.variables})
            except VariableError:
                continue  # told by the checks of the program, with its place
            source = data_list.source_of(found, self.root, place) if isinstance(found, dict) else None
            if source is not None:
                data_list.check(source)

    def _check_names(self, section: Mapping[str, Value], place: str) -> None:
        if not _table_is_current():
            return
        known = frozenset(classes()) | SUCCESSORS.keys()
        for key, node in section.items():
            for part in components(node, key, f"{place}.{key}"):
                if "." not in part.cls and part.cls not in known and not part.attrs.get("disabled"):
                    hint = did_you_mean(part.cls, known)
                    raise InputError(
                        f"{part.place}: there is no component `{part.cls}` in MONAI, torch or ignite"
                        + (f" ({hint})" if hint else "")
                    )

    def render(self, config: dict[str, Resolved]) -> dict[str, Value]:
        """Clara's JSON with every `{x}` replaced. A variable that is also a first-level key replaces its value there, too."""
        variables = cast("dict[str, Resolved]", self.variables)
        beaten = {key: variables[key] for key, value in config.items() if key in variables and _is_scalar(value)}
        return {key: to_clara(value) for key, value in substitute_config({**config, **beaten}, variables).items()}

    def check_folds(self, config: Mapping[str, Value], count: int) -> None:
        folds.check_folds(config, self.root, count)

    def run(self, job: Job) -> Result:
        from .train import train

        if job.fold is not None:
            job = replace(job, config=folds.with_fold(job.config, self.root, job.fold, job.dir / "config", self.config_name))
        return train(job, self.root)


def _is_scalar(value: Resolved) -> bool:
    return not isinstance(value, (dict, list, ResolvedComponent))


def _substitute(value: Value, variables: Mapping[str, Value]) -> Value:
    """JSON in, JSON out."""
    return to_clara(substitute(cast("Resolved", value), cast("Mapping[str, Resolved]", variables)))


def _table_is_current() -> bool:
    """Whether the table of known classes was made from the MONAI that is installed: another one may have classes it lacks."""
    try:
        return version("monai") == library_versions().get("monai")
    except PackageNotFoundError:
        return False
