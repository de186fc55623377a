"""What lies where in a MONAI bundle, and the words of its configurations."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from automl_run.dsl.ir import Value

CONFIGS: Final = "configs"
MODELS: Final = "models"
METADATA: Final = "metadata.json"
LOGGING: Final = "logging.conf"
#: What lies beside a configuration and a run is told of -> the option of `monai.bundle run` for it.
SIDE_FILES: Final[Mapping[str, str]] = {METADATA: "meta_file", LOGGING: "logging_file"}
#: Top-level ids of a bundle that splits its data itself: which part is validated on, from 0, and how many there are.
FOLD: Final = "fold"
FOLDS: Final = "folds"
#: How to run what a job ran, with nothing but MONAI.
COMMAND: Final = "command.txt"


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids that MONAI's workflow evaluates, one after the other. Only `run` must be there."""

    run: str = "run"
    initialize: str = "initialize"
    finalize: str = "finalize"


def config_folder(root: Path) -> Path:
    """`configs/` of a bundle; a folder without one holds its configurations itself."""
    return root / CONFIGS if (root / CONFIGS).is_dir() else root


def dicts(value: Value) -> Iterator[dict[str, Value]]:
    """Every dict in a configuration, outermost first."""
    match value:
        case dict():
            yield value
            for child in value.values():
                yield from dicts(child)
        case list():
            for child in value:
                yield from dicts(child)
        case _:
            pass


def texts(value: Value) -> Iterator[str]:
    """Every text in a configuration but those that name a class."""
    match value:
        case str():
            yield value
        case dict():
            for key, child in value.items():
                if key != "_target_":
                    yield from texts(child)
        case list():
            for child in value:
                yield from texts(child)
        case _:
            pass


def short(target: Value) -> str:
    """The class's own name: `CheckpointSaver` of `monai.handlers.CheckpointSaver`; "" for what is no name."""
    return target.rpartition(".")[2] if isinstance(target, str) else ""


def side_files(folder: Path) -> list[str]:
    """Those of the SIDE_FILES that `folder` has."""
    return [name for name in SIDE_FILES if (folder / name).is_file()]


def command(config_name: str, ids: Ids, there: Collection[str]) -> str:
    """The command line that runs a bundle from its own root. `there`: the SIDE_FILES that it has."""
    words = ["python -m monai.bundle run"]
    words += [f"--{option} {value}" for option, value, usual in _options(ids) if value != usual]
    words.append(f"--config_file {CONFIGS}/{config_name}")
    words += [f"--{option} {CONFIGS}/{name}" for name, option in SIDE_FILES.items() if name in there]
    return " ".join(words)


def _options(ids: Ids) -> tuple[tuple[str, str, str], ...]:
    usual = Ids()
    return (
        ("run_id", ids.run, usual.run),
        ("init_id", ids.initialize, usual.initialize),
        ("final_id", ids.finalize, usual.finalize),
    )
