"""The intermediate representation: what a program means, without spans, text or Python objects.

A `Program` is a value: it compares by content, travels as msgpack and is stored in the journal. Everything a trial decides is a
`Point`: one entry per *active* parameter, the index of the alternative for a `Choice`, the number itself for `Real` and `Int`.

Invariants (checked by `validate.py`): parameter ids unique and path-like; parameters topologically ordered, so a condition reads
only earlier ones; `lo < hi`, `log` implies `lo > 0`; a choice has at least one alternative with one value per target; every
`Read` refers to an existing parameter and slot; no NaN or infinity anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    import ConfigSpace
    import optuna

#: What a configuration value can be once it is data: JSON's types. (msgspec cannot decode a recursive alias, so it sees Any.)
if TYPE_CHECKING:
    Value: TypeAlias = "None | bool | int | float | str | list[Value] | dict[str, Value]"
else:
    Value = Any

ParamId: TypeAlias = str
#: One recommendation: parameter id -> alternative index (Choice) or number (Real, Int); inactive parameters are absent.
Point: TypeAlias = Mapping[ParamId, "int | float"]

IR_VERSION = (1, 0)


class Node(msgspec.Struct, frozen=True, tag=True, tag_field="kind"):
    """Base of every tagged value in the IR."""


# -- expressions over parameters, evaluated per trial --------------------------------------------------------------------


class Lit(Node, frozen=True):
    value: Value


class ParamRef(Node, frozen=True):
    """The value that parameter `param` gives to its target number `slot`."""

    param: ParamId
    slot: int = 0


class IsAlt(Node, frozen=True):
    """True iff `param` is active and its alternative is one of `alts` (indices)."""

    param: ParamId
    alts: tuple[int, ...]


class Unary(Node, frozen=True):
    op: Literal["-", "not"]
    operand: Expr


class Binary(Node, frozen=True):
    op: Literal["+", "-", "*", "/", "//", "%", "**", "and", "or", "==", "!=", "<", "<=", ">", ">=", "in", "not in"]
    left: Expr
    right: Expr


class IfElse(Node, frozen=True):
    condition: Expr
    then: Expr
    otherwise: Expr


class ListOf(Node, frozen=True):
    items: tuple[Expr, ...]


class MapOf(Node, frozen=True):
    entries: tuple[tuple[str, Expr], ...]


class Comprehension(Node, frozen=True):
    """`[body for name in iterable if condition]`"""

    body: Expr
    name: str
    iterable: Expr
    condition: Expr | None


class RangeOf(Node, frozen=True):
    """The integers lo..hi, both inclusive."""

    lo: Expr
    hi: Expr


class Local(Node, frozen=True):
    """A comprehension's variable."""

    name: str


class IndexOf(Node, frozen=True):
    base: Expr
    index: Expr


class Metric(Node, frozen=True):
    """What a trial reported under this name; stands in `ensure` and objectives only."""

    name: str


class Apply(Node, frozen=True):
    """A built-in function: abs, min, max, len, sum, floor, ceil, round, sqrt, log2, int, float."""

    function: str
    args: tuple[Expr, ...]


Expr: TypeAlias = (
    Lit | ParamRef | IsAlt | Unary | Binary | IfElse | ListOf | MapOf | Comprehension | RangeOf | Local | IndexOf | Metric | Apply
)

# -- domains -------------------------------------------------------------------------------------------------------------


class Step(msgspec.Struct, frozen=True):
    """`add`: lo, lo + size, ...; `mul`: lo, lo * size, ...; never above hi."""

    kind: Literal["add", "mul"]
    size: float


class Real(Node, frozen=True):
    """Floats lo..hi, both inclusive."""

    lo: float
    hi: float
    scale: Literal["linear", "log"] = "linear"
    step: Step | None = None


class Int(Node, frozen=True):
    """Integers lo..hi, both inclusive."""

    lo: int
    hi: int
    scale: Literal["linear", "log"] = "linear"
    step: Step | None = None


class Alt(msgspec.Struct, frozen=True):
    """One alternative. `values`: one per target; a component or a range shows its label there and lives in a `ChoiceNode`."""

    label: str
    values: tuple[Value, ...]


class Choice(Node, frozen=True):
    """All alternatives are equally likely; `ordered` iff they are strictly increasing numbers."""

    alts: tuple[Alt, ...]
    ordered: bool = False


Domain: TypeAlias = Real | Int | Choice


class Param(msgspec.Struct, frozen=True):
    """One decision of the search.

    `targets`: the configuration paths it sets, dotted, for people and tables; a `let` names itself. `active`: the condition under
    which it exists (its `when` guards and the alternatives that own it), None for always. `baseline`: one value per target, as the
    configuration had it, possibly outside the domain. `label`: lr, net, transform or the user's own.
    """

    id: ParamId
    domain: Domain
    targets: tuple[str, ...]
    baseline: tuple[Value, ...]
    active: Expr | None = None
    label: str = ""
    doc: str = ""

    @property
    def has_order(self) -> bool:
        """Whether one value can lie between two others."""
        return not isinstance(self.domain, Choice) or self.domain.ordered


# -- configuration tree --------------------------------------------------------------------------------------------------


class Const(Node, frozen=True):
    value: Value


class Read(Node, frozen=True):
    """The value of a parameter at this place. The baseline trial puts `baseline` here, None: the parameter's own."""

    param: ParamId
    slot: int = 0
    baseline: Const | None = None


class Derived(Node, frozen=True):
    expr: Expr


class Component(Node, frozen=True):
    """A constructor call. `attrs` are what stands beside name and args: disabled, rank, log_label, ..."""

    cls: str
    args: dict[str, ConfigNode]
    attrs: dict[str, ConfigNode] = {}
    instance: str | None = None


class ListNode(Node, frozen=True):
    items: tuple[ConfigNode, ...]


class MapNode(Node, frozen=True):
    entries: dict[str, ConfigNode]


class ChoiceNode(Node, frozen=True):
    """`nodes[i]` stands here when `param` takes alternative i.

    `baseline` stands here in the baseline trial when the configuration's own value is none of the alternatives.
    """

    param: ParamId
    nodes: tuple[ConfigNode, ...]
    baseline: ConfigNode | None = None


class Guarded(Node, frozen=True):
    """`then` while the guard holds, else `otherwise`, else nothing: the key or the list item is absent."""

    guard: Expr
    then: ConfigNode
    otherwise: ConfigNode | None = None


ConfigNode: TypeAlias = Const | Read | Derived | Component | ListNode | MapNode | ChoiceNode | Guarded

# -- the study -----------------------------------------------------------------------------------------------------------


class Spec(msgspec.Struct, frozen=True):
    """A named thing of the engine with its arguments: a target, a controller, an executor, a handler."""

    name: str
    args: dict[str, Value] = {}


class Objective(msgspec.Struct, frozen=True, omit_defaults=True):
    """`metric` is what the job reports under this name; with `expr` it is only the text of that expression over metrics."""

    metric: str
    direction: Literal["maximize", "minimize"]
    expr: Expr | None = None


class Require(msgspec.Struct, frozen=True):
    """Checked before a trial. One that reads an inactive parameter holds."""

    condition: Expr
    reason: str = ""
    text: str = ""


class Ensure(msgspec.Struct, frozen=True):
    """Checked after a trial: one that breaks it is kept, infeasible, and never the best."""

    condition: Expr
    reason: str = ""
    text: str = ""


class Budget(msgspec.Struct, frozen=True):
    """None: no limit. `trials` counts the baseline in; `target` is a score of the first objective; `patience` is in jobs."""

    trials: int | None = None
    time_s: float | None = None
    job_time_s: float | None = None
    target: float | None = None
    patience: int | None = None
    gpu_hours: float | None = None


class Worker(msgspec.Struct, frozen=True):
    """`gpus`: indices into the inherited CUDA_VISIBLE_DEVICES, () for a CPU worker; `threads` for a CPU worker."""

    gpus: tuple[int, ...] = ()
    threads: int = 1


#: What makes one number of the scores of repetitions.
RepeatScore: TypeAlias = Literal["mean", "median", "min", "worst"]


class Repeat(msgspec.Struct, frozen=True):
    """Each point is tried once for every fold and seed; `score` makes one number of theirs.

    "min" is the least, "worst" the least of an objective that is maximized and the greatest of one that is minimized.

    `abandon`: what is left of a point is not tried once it cannot become the best.
    """

    folds: int | None = None
    seeds: tuple[int, ...] = ()
    score: RepeatScore = "mean"
    abandon: bool = False


class Phase(msgspec.Struct, frozen=True):
    """One stretch of a study. None, () and an empty budget: as the study has it.

    `search`: labels of the parameters that it searches, None for all; the others stay at the best so far. `warm_start`: how many
    of the best outcomes before it the controller is shown.
    """

    name: str
    controller: Spec | None = None
    pruner: Spec | None = None
    workers: tuple[Worker, ...] = ()
    budget: Budget = Budget()
    search: tuple[str, ...] | None = None
    warm_start: int = 0


class Study(msgspec.Struct, frozen=True):
    """`workers` () means one worker with all GPUs, or one per ... as the launcher finds. `keep` None: keep all job folders.

    `out`: where run folders go, None for the default. `phases` (): one, which is the study's own. `disk_reserve`: in bytes.
    `cache`: bytes of prepared volumes that jobs share; 0 for none, None for what the engine finds fitting.
    """

    name: str = ""
    target: Spec | None = None
    objectives: tuple[Objective, ...] = ()
    controller: Spec = Spec("Auto")
    budget: Budget = Budget()
    workers: tuple[Worker, ...] = ()
    seed: int = 0
    order: Literal["arrival", "fixed"] = "arrival"
    baseline: bool = True
    keep: int | None = None
    out: str | None = None
    executor: Spec | None = None
    handlers: tuple[Spec, ...] = ()
    ensures: tuple[Ensure, ...] = ()
    pruner: Spec | None = None
    repeat: Repeat | None = None
    phases: tuple[Phase, ...] = ()
    accelerate: bool = False
    stall_time_s: float | None = None
    disk_reserve: int | None = None
    cache: int | None = None


class Program(msgspec.Struct, frozen=True, dict=True):
    """A whole search. `variables`: what `{x}` means, --set and environment.json included, first-level keys excluded.

    `base_dir`: the folder that relative paths of the target are taken from. `files`: what was read, in order.
    """

    study: Study
    params: tuple[Param, ...]
    config: MapNode
    requires: tuple[Require, ...] = ()
    variables: dict[str, Value] = {}
    base_dir: str = "."
    files: tuple[str, ...] = ()
    edition: int = 1
    ir: tuple[int, int] = IR_VERSION
    digest: str = ""

    def param(self, id: ParamId) -> Param:
        """The parameter called `id`; KeyError if there is none."""
        return self._by_id[id]

    @cached_property
    def _by_id(self) -> dict[ParamId, Param]:
        return {param.id: param for param in self.params}

    # -- for programs that embed this one; the work is done in `sampling.py`, `embed.py` and `configspace.py`, loaded when needed --

    def sample(self, n: int, seed: int = 0) -> list[dict[ParamId, int | float]]:
        """`n` allowed points, drawn from the prior: parameter id -> alternative index or number, active parameters only.

        The first ones do not depend on `n`. InputError if a `require` leaves nothing to draw.
        """
        from .sampling import sample

        return sample(self, n, seed)

    def resolve(self, sample: Point | None = None) -> dict[str, Value]:
        """The concrete configuration of a sample (None: the baseline) as plain data, components as `{"_target_": class, ...}`.

        InputError, with the reason, if the sample is not allowed.
        """
        from .embed import resolve

        return resolve(self, sample)

    def labelled(self, sample: Point) -> dict[ParamId, int | float | str]:
        """A sample for people: the label of each alternative in place of its index."""
        from .embed import labelled

        return labelled(self, sample)

    def to_optuna(self, trial: optuna.trial.BaseTrial) -> dict[ParamId, int | float]:
        """A sample that an Optuna trial suggests, parameter by parameter; TrialPruned if a `require` forbids it."""
        from .embed import to_optuna

        return to_optuna(self, trial)

    def to_configspace(self) -> ConfigSpace.ConfigurationSpace:
        """The same space for ConfigSpace (an optional dependency). InputError naming what that library cannot say."""
        from .configspace import to_configspace

        return to_configspace(self)

    def to_automl(self) -> str:
        """The program as one `.automl` text, layers resolved, with this digest. InputError for what no single text says."""
        from .to_automl import to_automl

        return to_automl(self)

    def to_legacy(self, mode: Literal["strict", "lower"] = "strict") -> dict[str, Value]:
        """The configuration and its searches as a Clara training config. InputError names all that Clara's JSON cannot say.

        `lower`: integers, steps and log scales become lists and grids of values.
        """
        from .legacy.convert import to_legacy

        return to_legacy(self, mode=mode)

    def to_bytes(self) -> bytes:
        """msgpack, for the journal."""
        return msgspec.msgpack.encode(self)

    @staticmethod
    def from_bytes(data: bytes) -> Program:
        """Inverse of `to_bytes`. ValueError (msgspec's) on anything else."""
        return msgspec.msgpack.decode(data, type=Program)
