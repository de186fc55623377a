"""`Bundle("folder")`: a MONAI bundle's own workflow, with one rendered configuration per job. Imports neither torch nor MONAI."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from automl_run.dsl.bundle_writer import to_monai
from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.evaluate import Resolved
from automl_run.dsl.ir import Value
from automl_run.engine.targets.base import Job, Result
from automl_run.errors import InputError

from .layout import FOLD, FOLDS, Ids

#: Where a bundle's root is, seen from a job's folder: it is one itself.
_HERE = "."
#: What workflows of training are called, in the order of how old the habit is.
_RUN_IDS = ("run", "training", "train")


class BundleTarget:
    """`path`: the bundle's root, relative to `base_dir`. `ids`: what is evaluated, as `monai.bundle run` takes it."""

    config_name = "train.json"

    def __init__(self, path: str, base_dir: Path, ids: Ids | None = None) -> None:
        self.root = (base_dir / Path(path).expanduser()).resolve()
        self.ids = ids or Ids()

    def check(self) -> None:
        """InputError when there is no such folder."""
        if not self.root.is_dir():
            raise InputError(f"there is no bundle at {self.root}: " + ("it is a file" if self.root.exists() else "no such folder"))

    def render(self, config: dict[str, Resolved]) -> dict[str, Value]:
        """MONAI's JSON. InputError for an id that is not there, and for an attribute that MONAI has no word for."""
        try:
            rendered = {key: to_monai(value) for key, value in config.items()}
        except KeyError as error:
            known = "`@disabled`, `@requires`, `@mode` and `@desc`"
            raise InputError(f"Bundle: a component has the attribute `@{error.args[0]}`; MONAI knows {known}") from None
        if self.ids.run not in rendered:
            raise InputError(f"Bundle: {self._nothing_to_run(rendered)}")
        return {**rendered, "bundle_root": _HERE}

    def _nothing_to_run(self, config: dict[str, Value]) -> str:
        there = next((id for id in _RUN_IDS if id in config), None)
        if there is not None:
            help = f'write `Bundle("{self.root.name}", run_id = "{there}")`'
        else:
            help = did_you_mean(self.ids.run, config) or "it is what `python -m monai.bundle run` evaluates"
        return f"this configuration has nothing to run: there is no id `{self.ids.run}`; {help}"

    def inspect(self, config: Mapping[str, Value], metrics: Collection[str], *, folds: bool = False) -> None:
        """InputError for classes, data and metrics that are not there or do not fit. A process of its own asks MONAI: seconds."""
        from .inspection import inspect

        inspect(self.root, config, (self.ids.initialize, self.ids.run, self.ids.finalize), metrics)

    def check_folds(self, config: Mapping[str, Value], count: int) -> None:
        """InputError for a configuration that has no id that says which fold is validated on."""
        if FOLD not in config:
            raise InputError(
                f"Bundle: `repeat {{ folds = {count} }}` needs an id `{FOLD}` that the configuration splits its data by: "
                f"it becomes 0 to {count - 1}, and an id `{FOLDS}`, where there is one, {count}"
            )

    def run(self, job: Job) -> Result:
        from .train import train

        return train(job, self.root, self.ids)
