"""`Bundle("folder")`: a MONAI bundle's own workflow, with one rendered configuration per job. Imports neither torch nor MONAI."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from automl_run.dsl.bundle_target import ids_of
from automl_run.dsl.bundle_writer import to_monai
from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.ir import Value
from automl_run.dsl.resolved import Resolved
from automl_run.engine.targets.base import Job, Result
from automl_run.errors import InputError

from .layout import FOLD, FOLDS, Ids, texts

#: Where a bundle's root is, seen from a job's folder: it is one itself.
_HERE = "."
#: What expressions of a configuration for several GPUs call.
_DISTRIBUTED = ("init_process_group", "dist.get_rank", "distributed.get_rank")


class BundleTarget:
    """`path`: the bundle's root, relative to `base_dir`. `ids`: `run_id` and its kin, those that are not the usual ones."""

    config_name = "train.json"

    def __init__(self, path: str, base_dir: Path, ids: Mapping[str, Value] | None = None) -> None:
        self.root = (base_dir / Path(path).expanduser()).resolve()
        self._ids = dict(ids or {})

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
        run = self.ids(rendered).run
        if run not in rendered:
            help = did_you_mean(run, rendered) or f'name the one there is: `Bundle("{self.root.name}", run_id = "...")`'
            raise InputError(f"Bundle: this configuration has nothing to run: there is no id `{run}`; {help}")
        return {**rendered, "bundle_root": _HERE}

    def ids(self, config: Mapping[str, Value]) -> Ids:
        """What is evaluated of this rendered configuration."""
        found = ids_of(self._ids, config)
        return Ids(found["run_id"], found["init_id"], found["final_id"])

    def inspect(
        self, config: Mapping[str, Value], metrics: Collection[str], *, folds: bool = False, files: Sequence[str] = ()
    ) -> None:
        """InputError for classes, data and metrics that are not there or do not fit. A process of its own asks MONAI: seconds."""
        from .inspection import inspect

        ids = self.ids(config)
        inspect(self.root, config, (ids.initialize, ids.run, ids.finalize), metrics)

    def check_folds(self, config: Mapping[str, Value], count: int) -> None:
        """InputError for a configuration that has no id that says which fold is validated on."""
        if FOLD not in config:
            raise InputError(
                f"Bundle: `repeat {{ folds = {count} }}` needs an id `{FOLD}` that the configuration splits its data by: "
                f"it becomes 0 to {count - 1}, and an id `{FOLDS}`, where there is one, {count}"
            )

    def ranks(self, config: Mapping[str, Value], gpus: int) -> int:
        """One a GPU for a configuration that trains so itself, as the zoo's `multi_gpu_train.json` over `train.json` does."""
        return gpus if any(word in text for text in texts(dict(config)) for word in _DISTRIBUTED) else 1

    def run(self, job: Job) -> Result:
        from .train import train

        return train(job, self.root, self.ids(job.config))
