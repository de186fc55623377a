"""What a training config and its data show before any job trains: pure reading, neither torch nor MONAI is imported.

Looked at is the rendered configuration of the baseline, so that `--set`, environment.json and programs above the file count. All
that is found is told at once, each with its place in the file where it stands there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from automl_run.dsl.clara_python import expression, reference, with_names
from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.elaborate.metrics import TRAIN_LOSS
from automl_run.dsl.ir import Value
from automl_run.dsl.old_names import WITHOUT_SUCCESSOR
from automl_run.dsl.signatures import classes, library_versions
from automl_run.engine.targets.loaders import Loaded
from automl_run.engine.targets.volume_checks import KEYS, check_volumes, told
from automl_run.errors import InputError, JobError

from . import data_list
from .loaded import loaded_keys
from .places import Places
from .syntax import Component, component, components, is_enabled, metric_label
from .wiring import wired

SECTIONS: Final = ("train", "validate")
#: `@x` that mean something in every config.
_BUILT_IN: Final = ("conf", "device")
#: What every training reports beside the metrics of its validation.
_ALWAYS: Final = (TRAIN_LOSS,)
_MOST: Final = 5

Config = Mapping[str, Value]
Path_ = tuple[str | int, ...]


class Checks:
    """`config`: rendered. `root`: of the MMAR. `file`: the training config, for places."""

    def __init__(self, config: Config, root: Path, file: Path) -> None:
        self.config, self.root, self.file = wired(config), root, file
        self.places = Places()
        self.errors: list[InputError] = []

    def run(self, metrics: Collection[str], data_of: Collection[str] = SECTIONS) -> None:
        """InputError with everything that is found. `metrics`: those that the study wants. `data_of`: sections whose data count."""
        for check in (
            self._names, self._references, lambda: self._metrics(metrics), self._validation, lambda: self._data(data_of)
        ):  # fmt: skip
            self._collect(check)
        if self.errors:
            more = len(self.errors) - _MOST
            shown = [str(error) for error in self.errors[:_MOST]] + ([f"and {more} more mistakes"] if more > 0 else [])
            raise InputError("\n\n".join(shown))

    def _collect(self, check: Callable[[], None]) -> None:
        try:
            check()
        except JobError as error:  # of the reading of a component
            self.errors.append(InputError(str(error)))

    def _error(self, message: str, path: Path_, help: str = "") -> None:
        self.errors.append(self.places.error(message, self.file, path, help))

    # -- components -----------------------------------------------------------------------------------------------------------

    def _sections(self) -> Iterator[tuple[str, Config]]:
        for name in SECTIONS:
            part = self.config.get(name)
            if isinstance(part, dict):
                yield name, part

    def _parts(self, section: str, node: Config, key: str) -> Iterator[Component]:
        """The enabled components of `section.key`."""
        for part in components(node.get(key), key, f"{section}.{key}"):
            if is_enabled(part):
                yield part

    def _names(self) -> None:
        """Of the baseline's components, and of those in the file that a search may choose. Each class is told once."""
        if not _table_is_current():
            return
        known = frozenset(classes())
        found: dict[str, dict[str, None]] = {}
        for section in SECTIONS:
            for config in (self.config, wired(self.places.data(self.file))):
                node = config.get(section)
                for key, value in node.items() if isinstance(node, dict) else ():
                    for part in components(value, key, f"{section}.{key}"):
                        is_off = part.attrs.get("disabled") in (True, "true")
                        if not is_off and "." not in part.cls and part.cls not in known:
                            found.setdefault(part.cls, {})[part.place] = None
        for cls, places in found.items():
            self._unknown(cls, list(places), known)

    def _unknown(self, cls: str, places: Sequence[str], known: Collection[str]) -> None:
        help = WITHOUT_SUCCESSOR.get(cls)
        what = "is no component of MONAI, torch or ignite" if help is None else "has no successor in MONAI"
        if help is None:
            help = did_you_mean(cls, known) or "a class of your own has a `path`"
        self._error(f"{', '.join(places)}: `{cls}` {what}", _steps(places[0]), help)

    def _references(self) -> None:
        for section, node in self._sections():
            other = self.config.get(SECTIONS[1 - SECTIONS.index(section)])
            known = {*node, *(other if isinstance(other, dict) else ()), *self.config, *_BUILT_IN} - {*SECTIONS}
            for key in node:
                for part in self._parts(section, node, key):
                    for name, path in _references(dict(part.args), (*_steps(part.place), "args")):
                        if name not in known:
                            self._error(f"{part.title}: `@{name}` is nothing in this config", path, did_you_mean(name, known))

    # -- metrics --------------------------------------------------------------------------------------------------------------

    def _metrics(self, wanted: Collection[str]) -> None:
        """The study's metrics are among those that the validation computes."""
        validate = self.config.get("validate")
        if not isinstance(validate, dict) or not wanted:
            return
        evaluators = list(self._parts("validate", validate, "evaluator"))
        if not evaluators:
            self._error("the config has no `validate.evaluator`: nothing computes a metric", ("validate",))
            return
        labels: set[str] = set(_ALWAYS)
        for name in ("key_val_metric", "additional_metrics"):
            given = evaluators[0].args.get(name)
            key = reference(given) if isinstance(given, str) else None
            if given is not None and key is None:
                return  # given by an expression or as a component: not known before it is built
            if key is not None:
                labels |= {metric_label(part) for part in self._parts("validate", validate, key)}
        for metric in wanted:
            if metric not in labels:
                shown = ", ".join(f"`{label}`" for label in sorted(labels - {*_ALWAYS})) or "none"
                message = f"the study wants `{metric}`, which the validation does not compute; its metrics are {shown}"
                self._error(message, self._metric_place(validate), did_you_mean(metric, labels))

    @staticmethod
    def _metric_place(validate: Config) -> Path_:
        key = "key_metric" if "key_metric" in validate else "evaluator"
        node = validate.get(key)
        return ("validate", key, "log_label") if isinstance(node, dict) and "log_label" in node else ("validate", key)

    def _validation(self) -> None:
        """A validation comes before the last epoch ends."""
        train = self.config.get("train")
        if not isinstance(train, dict):
            return
        trainers = list(self._parts("train", train, "trainer"))
        epochs = trainers[0].args.get("max_epochs") if trainers else None
        handlers = list(self._parts("train", train, "handlers"))
        named = [part for part in handlers if part.cls.rpartition(".")[2] == "ValidationHandler"]
        if len(named) != 1 or not isinstance(epochs, int) or named[0].args.get("epoch_level") is not True:
            return
        interval = named[0].args.get("interval")
        if isinstance(interval, int) and interval > epochs:
            message = f"{named[0].title}: validation comes after {interval} epochs, but a job ends after {epochs}"
            help = "set `num_interval_per_valid=1`, or more `epochs`" if "num_interval_per_valid" in self.config else ""
            self._error(message, (*_steps(named[0].place), "args", "interval"), help)

    # -- data -----------------------------------------------------------------------------------------------------------------

    def _data(self, sections: Collection[str]) -> None:
        for section, node in self._sections():
            for part in self._parts(section, node, "dataset") if section in sections else ():
                here = (*_steps(part.place), "data_list_file_path")
                try:
                    source = data_list.source_of(part.attrs, self.root, part.place)
                    items = [] if source is None else data_list.resolved(source)
                except InputError as error:
                    self._error(str(error), here)
                    continue
                if source is not None:
                    self._volumes(source, items, loaded_keys(self.config, section, part), here)

    def _volumes(self, source: data_list.DataSource, items: list[dict[str, Value]], read: Loaded, here: Path_) -> None:
        keys = read.keys or KEYS
        findings = check_volumes(items, keys, needed=read.needed, alike=[key for key in KEYS if key in keys], base=source.base)
        message = told(findings, f"`{source.key}` of the data list")
        if not message:
            return
        first = findings.faults[0]
        help = ""
        if first.kind == "missing":
            lacks = "" if source.base.is_dir() else ", a folder that is not there"
            help = f"relative paths are taken from {source.base}{lacks}; `--set DATA_ROOT=...` says another"
        also = (self.file, here, "the data list is named here")
        self.errors.append(self.places.error(message, source.file, (source.key, first.index, first.key), help, also))


def _steps(place: str) -> Path_:
    """`train.pre_transforms[3]` as steps."""
    return tuple(int(number) if number else name for name, number in re.findall(r"([^.\[\]]+)(?=[.\[]|$)|\[(\d+)\]", place))


def _references(node: Value, path: Path_) -> Iterator[tuple[str, Path_]]:
    """The names of all `@x` in an argument, with their places. Those of components that stand in it, too."""
    match node:
        case str():
            if (name := reference(node)) is not None:
                yield name, path
            elif (python := expression(node)) is not None:
                yield from ((name, path) for name in with_names(python)[1].values())
        case list():
            for index, item in enumerate(node):
                yield from _references(item, (*path, index))
        case dict():
            part = component(node, "", "", is_argument=True)
            if part is None or is_enabled(part):
                for key, item in node.items():
                    yield from _references(item, (*path, key))


def _table_is_current() -> bool:
    """Whether the table of known classes was made from the MONAI that is installed: another one may have classes it lacks."""
    try:
        return version("monai") == library_versions().get("monai")
    except PackageNotFoundError:
        return False
