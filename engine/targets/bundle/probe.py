"""Looks through a bundle before anything trains, as MONAI will read it: classes, data, metrics. Trains and builds nothing.

    python -m automl_run.engine.targets.bundle.probe < question.json      prints what is wrong, as a JSON list of [id, message]

Expressions of the configuration are evaluated, and code of the bundle imported: hence a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from pydoc import ErrorDuringImport, locate
from typing import Any, Final

import torch
from monai.bundle import ConfigComponent, ConfigParser
from monai.engines import Evaluator, Trainer
from monai.handlers import CheckpointSaver, ValidationHandler

from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.elaborate.metrics import TRAIN_LOSS
from automl_run.engine.targets.failures import describe
from automl_run.engine.targets.loaders import Loaded, Step, is_loader, keys_of, loaded
from automl_run.engine.targets.volume_checks import KEYS, check_volumes, told

from . import folder, host
from .failure import innermost
from .layout import METADATA, config_folder, short

Finding = tuple[str, str]
_METRICS: Final = ("key_train_metric", "key_val_metric", "additional_metrics")


class Probe:
    """`starts`: the ids that are evaluated. `wanted`: the metrics that the study reads, as the training reports them."""

    def __init__(self, config: dict[str, Any], starts: list[str], wanted: list[str]) -> None:
        self.parser = ConfigParser(config)
        self.starts, self.wanted = starts, wanted

    def findings(self) -> Iterator[Finding]:
        try:
            self.parser.parse(True)
        except Exception as error:  # a macro to nothing, a file that is not there
            yield "", f"the configuration cannot be read: {describe(error)}"
            return
        components = list(self.reachable(self.starts))
        classes: dict[str, Any] = {}
        for id, config in components:
            found = self.class_of(config)
            if isinstance(found, str):
                yield f"{id}::_target_", found
            else:
                classes[id] = found
        if len(classes) < len(components):
            return
        yield from self.data_faults(components, classes)
        yield from self.metric_faults(components, classes)

    # -- what is read -----------------------------------------------------------------------------------------------------------

    def reachable(self, starts: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every component that `starts` lead to and that is not switched off by a plain `true`."""
        resolver = self.parser.ref_resolver
        waiting, seen = [start for start in starts if start in resolver.items], set[str]()
        while waiting:
            id = waiting.pop()
            item = resolver.items.get(id)
            if id in seen or item is None:
                continue
            seen.add(id)
            config = item.get_config()
            if isinstance(item, ConfigComponent):
                if item.is_disabled() and config.get("_disabled_") in (True, "true", "True"):
                    continue
                yield id, config
            waiting += resolver.find_refs_in_config(config, id)

    def class_of(self, config: dict[str, Any]) -> Any:
        """The class, None for an expression that gives one; a text that says why there is none."""
        name = config["_target_"]
        if not isinstance(name, str) or name.startswith("$"):
            return None
        locator = self.parser.locator
        module = locator.get_component_module_name(name)
        path = name if module is None else f"{module[0] if isinstance(module, list) else module}.{name}"
        try:
            found = locate(path)
        except ErrorDuringImport as error:
            return f"`{name}` cannot be imported: {describe(error.value) if isinstance(error.value, BaseException) else error}"
        if found is None:
            known = {*(locator._components_table or {}), *_neighbours(name)}
            hint = did_you_mean(name, known)
            return f"there is no class or function `{name}`" + (f"; {hint}" if hint else "")
        return found

    def value(self, id: str) -> Any:
        """What stands at `id`, evaluated. Raises what the expression raises."""
        return self.parser.get_parsed_content(id)

    def quiet_value(self, id: str) -> Any:
        with contextlib.suppress(Exception):
            return self.value(id)
        return None

    # -- data -------------------------------------------------------------------------------------------------------------------

    def data_faults(self, components: list[tuple[str, dict[str, Any]]], classes: dict[str, Any]) -> Iterator[Finding]:
        for id, config in components:
            if "data" not in config or not _is_a(classes[id], torch.utils.data.Dataset):
                continue
            place = f"{id}::data"
            try:
                items = self.value(place)
            except Exception as error:
                yield place, f"the data cannot be listed: {describe(innermost(error))}"
                continue
            if not isinstance(items, (list, tuple)):
                continue
            if not items:
                yield place, f"there are no data: the list is empty{self.why_empty()}"
                continue
            listed = [item for item in items if isinstance(item, dict)]
            read = self.loaded(id)
            findings = check_volumes(listed, read.keys or KEYS, needed=read.needed)
            problem = told(findings, f"`{place.replace('::', '#')}`")
            if problem:
                yield place, problem

    def loaded(self, id: str) -> Loaded:
        """What the transforms of the dataset at `id` read. Their order is not known: any of them may come before a loader."""
        steps = []
        for transform, config in self.reachable([f"{id}::transform"]):
            name = str(config["_target_"])
            if is_loader(name):
                keys = keys_of(self.quiet_value(f"{transform}::keys"))
                is_sure = "_disabled_" not in config and config.get("allow_missing_keys", False) is False
                steps.append(Step(name, keys, lenient=not is_sure))
            elif short(name) != "Compose":
                steps.append(Step(name))
        return loaded(sorted(steps, key=lambda step: is_loader(step.cls)))

    def why_empty(self) -> str:
        found = self.quiet_value("dataset_dir")
        if not isinstance(found, str) or Path(found).is_dir():
            return "" if not isinstance(found, str) else f"; `dataset_dir` is {found}"
        where = "" if Path(found).is_absolute() else ", seen from the bundle's root"
        return f": there is no folder {found}{where}, which is `dataset_dir`"

    # -- metrics ----------------------------------------------------------------------------------------------------------------

    def metric_faults(self, components: list[tuple[str, dict[str, Any]]], classes: dict[str, Any]) -> Iterator[Finding]:
        evaluators = [(id, config) for id, config in components if _is_a(classes[id], Evaluator)]
        trainers = [(id, config) for id, config in components if _is_a(classes[id], Trainer)]
        known = {TRAIN_LOSS} | self.names_of(evaluators) | self.names_of(trainers)
        # What is there without a validation.
        of_training = {TRAIN_LOSS} | self.names_of(trainers, _METRICS[:1] if evaluators else _METRICS)
        for id, config in components:
            if _is_a(classes[id], CheckpointSaver) and config.get("save_key_metric"):
                wanted = config.get("key_metric_name")
                if isinstance(wanted, str) and wanted[:1] not in ("@", "$") and wanted not in known:
                    yield f"{id}::key_metric_name", f"no metric is called `{wanted}`{_hint(wanted, known)}"
        if len(trainers) != 1:
            return
        validations = [(id, config) for id, config in components if _is_a(classes[id], ValidationHandler)]
        for wanted in self.wanted:
            if wanted not in known and evaluators:
                yield evaluators[0][0], f"no metric is called `{wanted}`, which the study reads{_hint(wanted, known)}"
            elif wanted not in of_training and not validations and "validator" not in str(self.parser.get()):
                yield (
                    trainers[0][0],
                    f"nothing validates, so `{wanted}` is never known: the trainer's handlers need a ValidationHandler",
                )
        epochs = self.quiet_value(f"{trainers[0][0]}::max_epochs")
        for id, config in validations:
            interval = self.quiet_value(f"{id}::interval")
            if (
                config.get("epoch_level", True) is True
                and isinstance(interval, int)
                and isinstance(epochs, int)
                and interval > epochs
            ):
                yield f"{id}::interval", f"it validates every {interval} epochs, and trains {epochs}: there would be no score"

    def names_of(self, engines: list[tuple[str, dict[str, Any]]], arguments: tuple[str, ...] = _METRICS) -> set[str]:
        """Of the metrics that these engines are given as `arguments`."""
        return set().union(*(self.names(config.get(name)) for _, config in engines for name in arguments))

    def names(self, value: Any) -> set[str]:
        """The names in a dict of metrics, or in what it refers to, without making any."""
        for _ in range(8):
            if isinstance(value, dict):
                return set(map(str, value))
            if not isinstance(value, str) or not value.startswith("@"):
                return set()
            value = self.parser.get(value[1:])
        return set()


def _is_a(cls: Any, kind: type) -> bool:
    return isinstance(cls, type) and issubclass(cls, kind)


def _hint(name: str, known: set[str]) -> str:
    hint = did_you_mean(name, known)
    return f"; {hint}" if hint else ""


def _neighbours(name: str) -> list[str]:
    """What the module of a dotted name has, under its full name."""
    module = name.rpartition(".")[0]
    found = None
    with contextlib.suppress(ErrorDuringImport):
        found = locate(module) if module else None
    return [f"{module}.{each}" for each in dir(found) if not each.startswith("_")] if found is not None else []


def main() -> int:
    answers = sys.stdout
    question = json.load(sys.stdin)
    root = Path(question["root"])
    config, _ = host.fitted(question["config"], root, torch.cuda.is_available())
    with contextlib.redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as place:
        folder.make(root, Path(place), config, to_read=True)
        os.chdir(place)
        sys.path.insert(0, place)
        metadata = config_folder(root) / METADATA
        probe = Probe(config, question["starts"], question["metrics"])
        if metadata.is_file():
            probe.parser.read_meta(str(metadata))
        found = list(probe.findings())
        os.chdir(root)
    print(json.dumps(found), file=answers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
