"""Controllers and pruners by name: their arguments, with least values and defaults, and which of them the engine has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Argument:
    """`least`: the smallest number allowed, itself excluded where `above`; `among`: the texts. `default` None: not given."""

    kind: Literal["whole", "number", "text"] = "whole"
    least: float = 1
    default: int | float | str | None = None
    above: bool = False
    among: tuple[str, ...] = ()


#: What a pruner counts: the number that a job gives with its report, as epochs or as steps of another kind, or its reports.
RESOURCES = ("epochs", "steps", "reports")
_RESOURCE = {
    "resource": Argument("text", default="epochs", among=RESOURCES),
    "min": Argument(default=1),
    "max": Argument(),
    "eta": Argument(least=2, default=3),
}

CONTROLLERS: Mapping[str, Mapping[str, Argument]] = {
    "Auto": {},
    "Grid": {"points": Argument()},
    "Random": {},
    "Sobol": {},
    "TPE": {"startup": Argument(default=10), "batch": Argument()},
    "GP": {"startup": Argument(default=10)},
    "CmaEs": {"sigma": Argument("number", 0, 0.3, above=True), "population": Argument(least=4)},
    "NSGA2": {"population": Argument(least=2, default=16)},
    "Reinforcement": {"max_rounds": Argument(default=8)},
    "PBT": {"population": Argument(least=2, default=8), "interval": Argument(default=1)},
}
PRUNERS: Mapping[str, Mapping[str, Argument]] = {
    "Median": {"startup": Argument(least=0, default=5), "warmup": Argument(least=0, default=0)},
    "ASHA": _RESOURCE,
    "Hyperband": _RESOURCE,
}

#: Clara's handlers and its executor, with their arguments. What they say of keeping, stopping and folders the study says too.
HANDLERS: Mapping[str, tuple[str, ...]] = {
    "MMARHandler": ("num_mmars_to_keep", "stop_threshold", "train_config_file", "work_dir", "key_mmar_content_only"),
    "StatsHandler": (),
    "MMARStatsHandler": (),
    "MMARTensorboardHandler": (),
}
EXECUTORS: Mapping[str, tuple[str, ...]] = {"MMARExecutor": ("msg_destination", "remove_search_augs")}
#: Where MMARExecutor's jobs print to; the file is always there.
DESTINATIONS = ("file", "console", "both")

#: Clara's name -> ours.
ALIASES: Mapping[str, str] = {"ReinforcementController": "Reinforcement"}
#: These end by themselves; every other one needs a limit.
FINITE = frozenset({"Grid", "Reinforcement"})
#: These have no use for a second objective; Reinforcement, as Clara's does, heeds the first.
SINGLE_OBJECTIVE = frozenset({"CmaEs"})
#: What the engine carries out, and the arguments of it that it does not.
RUNNABLE = frozenset({"Auto", "Grid", "Random", "Sobol", "TPE", "GP", "CmaEs", "NSGA2", "Reinforcement"})
UNUSED_ARGUMENTS: Mapping[str, tuple[str, ...]] = {"TPE": ("batch",)}


#: Of these targets a job reports epochs, and nothing finer.
REPORT_EPOCHS = frozenset({"Mmar", "Bundle"})


def defaults(table: Mapping[str, Mapping[str, Argument]], name: str) -> dict[str, int | float | str]:
    """What the arguments of `name` mean where they are not given."""
    return {key: argument.default for key, argument in table.get(name, {}).items() if argument.default is not None}
