"""The `study` section: its keys, merged over the layers, as `ir.Study`.

Codes: AM401 unknown key, AM402 wrong value, AM403 controller, AM404 metric, AM405 target, AM406 two studies,
AM409 a score that takes the best repetition.
`support.py` says what of the outcome the engine carries out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from .. import ast, ir
from ..controllers import CONTROLLERS, FINITE, REPORT_EPOCHS, SINGLE_OBJECTIVE
from ..diagnostics import Diagnostic, Secondary, did_you_mean, nearest
from ..source import Span
from .layers import Layered, StudyKey
from .metric_expressions import MetricExpressions
from .study_values import SCORES, StudyValues, word
from .tree import Fault

#: The text at a span, "" where it is not known.
TextOf: TypeAlias = Callable[[Span], str]

_DEFAULT_TRIALS = 20
#: Of `repeat`: each is a job, and all of a point are planned at once.
_MOST_REPETITIONS = 1000
_KEYS = (
    "target", "controller", "workers", "seed", "order", "baseline", "keep", "out", "executor", "handlers", "budget",
    "pruner", "repeat", "phase", "accelerate", "stall_time", "disk_reserve", "cache",
)  # fmt: skip
#: What MMARHandler's arguments say, as keys of the study. A key that stands in the study itself goes before them.
_SAID_BY_HANDLER = {"num_mmars_to_keep": "keep", "stop_threshold": "budget.target", "work_dir": "out"}
_WORDS = ("maximize", "minimize", "ensure")
_SECTIONS = {
    "budget": ("trials", "time", "job_time", "target", "patience", "gpu_hours"),
    "repeat": ("folds", "seeds", "score", "abandon"),
}
_PHASE_KEYS = ("controller", "pruner", "workers", "budget", "search", "warm_start")


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: its value and where it stands."""

    value: ast.Expr
    span: Span
    key: StudyKey


@dataclass(slots=True)
class _Part:
    """The study itself, or one of its phases: settings by key (`budget.trials`), and what they come to."""

    span: Span
    settings: dict[str, Setting] = field(default_factory=dict)
    values: dict[str, object] = field(default_factory=dict)

    def budget(self) -> ir.Budget:
        values = self.values
        return ir.Budget(
            trials=_whole(values.get("budget.trials")),
            time_s=_float(values.get("budget.time")),
            job_time_s=_float(values.get("budget.job_time")),
            target=_float(values.get("budget.target")),
            patience=_whole(values.get("budget.patience")),
            gpu_hours=_float(values.get("budget.gpu_hours")),
        )

    def workers(self) -> tuple[ir.Worker, ...]:
        workers = self.values.get("workers", ())
        return workers if isinstance(workers, tuple) else ()


@dataclass(slots=True)
class StudyReader:
    """Reads one study. `spans`: where its settings are said, by their keys: `pruner`, `budget.gpu_hours`, `phase NAME`.

    Of the target those of its arguments, too: `target.cwd`, and `target.` for the first.
    """

    layered: Layered
    values: StudyValues
    start: Span
    faults: list[Diagnostic] = field(default_factory=list)
    remarks: list[Diagnostic] = field(default_factory=list)
    spans: dict[str, Span] = field(default_factory=dict)
    _study: _Part = field(init=False)
    _phases: dict[str, _Part] = field(default_factory=dict)
    _objectives: list[tuple[int, ast.Objective]] = field(default_factory=list)
    _ensures: list[ast.Ensure] = field(default_factory=list)
    #: sections that say nothing, `repeat { }`
    _empty: dict[str, Span] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._study = _Part(self.start)

    def read(
        self,
        base: ir.Spec | None,
        metrics: Sequence[str],
        key_metric: ir.Objective | None,
        labels: Collection[str],
        text_of: TextOf,
    ) -> ir.Study:
        """`base`: the target that a `use`d MMAR or bundle gives. `metrics`: those that the configuration names.

        `labels`: those that parameters have.
        """
        self._collect()
        name = self._name()
        for part in (self._study, *self._phases.values()):
            self._evaluate(part)
        self._heed_handlers()
        values = self._study.values
        controller = _spec(values.get("controller")) or ir.Spec("Auto")
        self._place_arguments()
        expressions = MetricExpressions(self.values.expressions, metrics)
        objectives = self._read_objectives(expressions, key_metric, text_of)
        ensures = self._read_ensures(expressions, text_of)
        self.spans.update({f"metric {name}": span for name, span in expressions.spans.items()})
        phases = self._read_phases(labels)
        target = _spec(values.get("target")) or base
        self._refuse_objectives(len(objectives))
        for part in (self._study, *self._phases.values()):
            self._check_pruner(part, target)
        budget = self._study.budget()
        if self._is_endless(controller, budget, phases):
            budget = ir.Budget(_DEFAULT_TRIALS, job_time_s=budget.job_time_s, patience=budget.patience)
        return ir.Study(
            name=name,
            target=target,
            objectives=objectives,
            controller=controller,
            budget=budget,
            workers=self._study.workers(),
            seed=_whole(values.get("seed")) or 0,
            order="fixed" if values.get("order") == "fixed" else "arrival",
            baseline=values.get("baseline") is not False,
            keep=_whole(values.get("keep")),
            out=_str(values.get("out")),
            executor=_spec(values.get("executor")),
            handlers=_specs(values.get("handlers")),
            ensures=ensures,
            pruner=_spec(values.get("pruner")),
            repeat=self._repeat(objectives),
            phases=phases,
            accelerate=values.get("accelerate") is True,
            stall_time_s=_float(values.get("stall_time")),
            disk_reserve=_whole(values.get("disk_reserve")),
            cache=_whole(values.get("cache")),
        )

    def _place_arguments(self) -> None:
        """Of the target: what is wrong with them may show only where they are used."""
        setting = self._study.settings.get("target")
        for arg in setting.value.args if setting is not None and isinstance(setting.value, ast.Call) else ():
            match arg:
                case ast.Positional(value):
                    self.spans.setdefault("target.", value.span)
                case ast.Bind(targets=(ast.Path(steps=(ast.NameStep(name),)),), given=given) if given is not None:
                    self.spans[f"target.{name}"] = given.span

    def _heed_handlers(self) -> None:
        """MMARHandler's arguments mean keys of the study. Those of a legacy config its reader has translated."""
        setting = self._study.settings.get("handlers")
        if setting is None or setting.key.layer in self.layered.automl_configs:
            return
        for spec in _specs(self._study.values.get("handlers")):
            for argument, key in _SAID_BY_HANDLER.items() if spec.name == "MMARHandler" else ():
                if argument not in spec.args or key in self._study.settings:
                    continue
                value = spec.args[argument]
                if isinstance(value, (list, dict)):
                    value = None  # which no key takes
                try:
                    self._study.values[key] = self.values.read(key, ast.Lit(value, setting.value.span), setting.key.file)
                except Fault as fault:
                    found = replace(fault.diagnostic, message=f"`{argument}` of `MMARHandler`: {fault.diagnostic.message}")
                    self.faults.append(found)

    @staticmethod
    def _is_endless(controller: ir.Spec, budget: ir.Budget, phases: tuple[ir.Phase, ...]) -> bool:
        """Nothing would end it, so the default number of trials does."""
        if (budget.trials, budget.time_s, budget.target, budget.gpu_hours) != (None, None, None, None):
            return False
        if not phases:
            return not _ends(controller)
        return any(phase.budget == ir.Budget() and not _ends(phase.controller or controller) for phase in phases)

    def _evaluate(self, part: _Part) -> None:
        for key, setting in part.settings.items():
            try:
                part.values[key] = self.values.read(key, setting.value, setting.key.file)
            except Fault as fault:
                self.faults.append(fault.diagnostic)

    # -- layers ---------------------------------------------------------------------------------------------------------------

    def _name(self) -> str:
        name = ""
        seen: dict[int, ast.Section] = {}
        for label, section, layer in self.layered.study_labels:
            if layer in seen:
                other = (Secondary(seen[layer].path.span, "first here"),)
                fault = Fault("AM406", "a program has one study", section.path.span, label="second study", secondary=other)
                self.faults.append(fault.diagnostic)
            seen[layer] = section
            name = label or name
        return name

    def _collect(self) -> None:
        declared: dict[tuple[int, str], ast.Section] = {}
        for key in self.layered.study:
            try:
                self._statement(key, key.statement, (), declared)
            except Fault as fault:
                self.faults.append(fault.diagnostic)

    def _statement(
        self, key: StudyKey, statement: ast.Statement, prefix: tuple[str, ...], declared: dict[tuple[int, str], ast.Section]
    ) -> None:
        match statement:
            case ast.Objective() if not prefix:
                self._objectives.append((key.layer, statement))
            case ast.Ensure() if not prefix:
                self._ensures.append(statement)
            case ast.Bind(targets=(path,), given=value, search=None, append=False, guard=None) if value is not None:
                self._set((*prefix, *(word(step) for step in path.steps)), value, path.span, key)
            case ast.Section(path, label, body):
                words = (*prefix, *(word(step) for step in path.steps))
                if label is not None:
                    words = self._labelled(words, label, statement, key, declared)
                self._open(words, path.span)
                if not body:
                    self._empty.setdefault(".".join(words), path.span)
                for item in body:
                    try:
                        self._statement(key, item, words, declared)
                    except Fault as fault:
                        self.faults.append(fault.diagnostic)
            case ast.Bind(targets=targets):
                raise Fault("AM402", "a study key is given one fixed value", targets[0].span, help="write `key = value`")
            case _:
                what = f"`{prefix[0]}`" if prefix else "a study"
                holds = "keys" if prefix else "keys and objectives"
                raise Fault("AM402", f"{what} holds {holds} only", statement.span)

    def _labelled(
        self,
        words: tuple[str, ...],
        label: str,
        section: ast.Section,
        key: StudyKey,
        declared: dict[tuple[int, str], ast.Section],
    ) -> tuple[str, ...]:
        """`phase explore { ... }`, the one section of a study with a name; one layer declares it once."""
        if words != ("phase",):
            self._open(words, section.path.span)
            raise Fault("AM402", f"`{words[-1]}` takes no name", section.path.span, help=f"write `{words[-1]} {{ ... }}`")
        first = declared.setdefault((key.layer, label), section)
        if first is not section:
            other = (Secondary(first.path.span, "first here"),)
            raise Fault("AM111", f"the phase `{label}` is there twice", section.path.span, label="again here", secondary=other)
        return ("phase", label)

    def _open(self, words: tuple[str, ...], span: Span) -> None:
        """A section is known, or this says what is wrong with it."""
        if words[0] != "phase":
            if len(words) != 1 or words[0] not in _SECTIONS:
                self._check_key(words, span, _KEYS, "a study", section=True)
            return
        if len(words) == 1:
            raise Fault("AM402", "a phase has a name", span, help="write `phase explore { ... }`")
        self._phases.setdefault(words[1], _Part(span))
        if len(words) > 2 and words[2:] != ("budget",):
            self._check_key(words[2:], span, _PHASE_KEYS, "a phase", section=True)

    def _set(self, words: tuple[str, ...], value: ast.Expr, span: Span, key: StudyKey) -> None:
        part = self._study
        if words[0] == "phase":
            if len(words) < 3:
                help = "write `phase explore { controller = Sobol() }`"
                raise Fault("AM402", "a phase has a name and keys of its own", span, help=help)
            part = self._phases.setdefault(words[1], _Part(span))
            words = words[2:]
            self._check_key(words, span, _PHASE_KEYS, "a phase")
        else:
            self._check_key(words, span, _KEYS, "a study")
        name = ".".join(words)
        old = part.settings.get(name)
        if old is not None and old.key.layer == key.layer:
            other = (Secondary(old.span, "first here"),)
            raise Fault("AM111", f"`{name}` is set twice", span, label="again here", secondary=other)
        part.settings[name] = Setting(value, span, key)
        if part is self._study:
            self.spans[name] = span
            self.spans.setdefault(words[0], span)

    def _check_key(self, words: tuple[str, ...], span: Span, known: Sequence[str], owner: str, section: bool = False) -> None:
        head, rest = words[0], words[1:]
        inner = _SECTIONS.get(head) if head in known else None
        if inner is None:
            if head not in known or rest or section:
                shown = ".".join(words)
                help = _known_key(head, known)
                if head in known:  # `controller { ... }`, `seed.x = 3`
                    help = f"write `{head} = ...`"
                raise Fault("AM401", f"{owner} has no key `{shown}`", span, label="unknown key", help=help)
            return
        example = "budget { trials = 40, time = 12h }" if head == "budget" else "repeat { folds = 5 }"
        if not rest:
            raise Fault("AM402", f"`{head}` is a section", span, help=f"write `{example}`")
        if len(rest) > 1 or rest[0] not in inner or section:
            shown = ".".join(rest)
            raise Fault("AM401", f"a {head} has no `{shown}`", span, label="unknown key", help=did_you_mean(shown, inner))

    # -- what a trial is judged by ----------------------------------------------------------------------------------------------

    def _read_objectives(
        self, expressions: MetricExpressions, key_metric: ir.Objective | None, text_of: TextOf
    ) -> tuple[ir.Objective, ...]:
        top = max((layer for layer, _ in self._objectives), default=0)
        written = [objective for layer, objective in self._objectives if layer == top]
        if not written:
            if key_metric is None and "target" in self._study.values:
                help = "write `maximize NAME` or `minimize NAME` with the name of a metric"
                span = self._study.settings["target"].span
                self.faults.append(Fault("AM404", "nothing says which metric is to be improved", span, help=help).diagnostic)
            return () if key_metric is None else (key_metric,)
        out: list[ir.Objective] = []
        for objective in written:
            try:
                expr = expressions.number(objective.value)
                plain = expr.name if isinstance(expr, ir.Metric) else None
                text = plain or " ".join(text_of(objective.value.span).split()) or f"objective {len(out) + 1}"
                if any(known.metric == text for known in out):
                    raise Fault("AM404", f"`{text}` is an objective twice", objective.span)
                out.append(ir.Objective(text, objective.direction, None if plain else expr))
            except Fault as fault:
                self.faults.append(fault.diagnostic)
        return tuple(out)

    def _read_ensures(self, expressions: MetricExpressions, text_of: TextOf) -> tuple[ir.Ensure, ...]:
        out: list[ir.Ensure] = []
        for ensure in self._ensures:
            try:
                condition = expressions.condition(ensure.condition)
                out.append(ir.Ensure(condition, ensure.reason, " ".join(text_of(ensure.condition.span).split())))
            except Fault as fault:
                self.faults.append(fault.diagnostic)
        return tuple(out)

    def _refuse_objectives(self, count: int) -> None:
        """A controller that would leave objectives out says so. Phases are not run yet, in whatever way theirs would be told."""
        controller = _spec(self._study.values.get("controller"))
        if controller is not None and controller.name in SINGLE_OBJECTIVE and count > 1:
            message = f"`{controller.name}` searches for one objective, and the study has {count}"
            help = "`NSGA2()`, `TPE()` and `GP()` search for several"
            self.faults.append(Fault("AM402", message, self._study.settings["controller"].value.span, help=help).diagnostic)

    # -- sections ---------------------------------------------------------------------------------------------------------------

    def _repeat(self, objectives: Sequence[ir.Objective]) -> ir.Repeat | None:
        values = self._study.values
        said = [setting.span for key, setting in self._study.settings.items() if key.startswith("repeat.")]
        said = said or [span for name, span in self._empty.items() if name == "repeat"]
        if not said:
            return None
        folds, seeds, score = _whole(values.get("repeat.folds")), values.get("repeat.seeds"), values.get("repeat.score")
        if not any(key in self._study.settings for key in ("repeat.folds", "repeat.seeds")):
            help = "write `repeat { folds = 5 }` or `repeat { seeds = [0, 1, 2] }`"
            self.faults.append(Fault("AM402", "`repeat` says what is repeated", said[0], help=help).diagnostic)
        own = tuple(seed for seed in seeds if isinstance(seed, int)) if isinstance(seeds, tuple) else ()
        count = (folds or 1) * max(1, len(own))
        if count > _MOST_REPETITIONS:
            message = f"{count} jobs for each point are more than {_MOST_REPETITIONS}"
            self.faults.append(Fault("AM402", message, said[0]).diagnostic)
        how: ir.RepeatScore = next((known for known in SCORES if known == score), "mean")
        if how == "min" and any(objective.direction == "minimize" for objective in objectives):
            help = 'write `score = "worst"`: the greatest of what is minimized, the least of what is maximized'
            message = '`score = "min"` of what is minimized is its best repetition'
            span = self._study.settings["repeat.score"].value.span
            self.remarks.append(Diagnostic("AM409", message, span, "the least number", help, "warning"))
        return ir.Repeat(folds, own, how, values.get("repeat.abandon") is True)

    def _check_pruner(self, part: _Part, target: ir.Spec | None) -> None:
        """It counts what the target's reports count."""
        pruner = _spec(part.values.get("pruner"))
        if pruner is None:
            return
        span = part.settings["pruner"].value.span
        if pruner.args.get("resource") == "steps" and target is not None and target.name in REPORT_EPOCHS:
            message = f"a job of `{target.name}` reports epochs, not steps"
            self.faults.append(Fault("AM402", message, span, help='write `resource = "epochs"`').diagnostic)

    def _read_phases(self, labels: Collection[str]) -> tuple[ir.Phase, ...]:
        out: list[ir.Phase] = []
        for name, part in self._phases.items():
            self.spans[f"phase {name}"] = part.span
            search = part.values.get("search")
            wanted = tuple(label for label in search if isinstance(label, str)) if isinstance(search, tuple) else None
            for label in wanted or ():
                if label not in labels:
                    span = part.settings["search"].value.span
                    help = did_you_mean(label, labels)
                    fault = Fault("AM402", f"no parameter has the label `{label}`", span, label="unknown label", help=help)
                    self.faults.append(fault.diagnostic)
            warm_start = _whole(part.values.get("warm_start")) or 0
            if warm_start and not out:
                span = part.settings["warm_start"].span
                help = "the first phase starts from the baseline"
                self.faults.append(Fault("AM402", f"there is no phase before `{name}`", span, help=help).diagnostic)
            out.append(
                ir.Phase(
                    name=name,
                    controller=_spec(part.values.get("controller")),
                    pruner=_spec(part.values.get("pruner")),
                    workers=part.workers(),
                    budget=part.budget(),
                    search=wanted,
                    warm_start=warm_start,
                )
            )
        return tuple(out)


def _known_key(word: str, known: Sequence[str]) -> str:
    if word in _WORDS:
        return f"write `{word} NAME`, without `=`"
    words = [*known, *_WORDS] if known is _KEYS else list(known)
    limit = nearest(word, _SECTIONS["budget"])
    if nearest(word, words) is None and limit is not None:
        return f"did you mean `budget {{ {limit} = ... }}`?"
    if nearest(word, words) is None and word in CONTROLLERS:
        return f"did you mean `controller = {word}()`?"
    return did_you_mean(word, words) or f"known here: {', '.join(words)}"


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _float(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _str(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _spec(value: object) -> ir.Spec | None:
    return value if isinstance(value, ir.Spec) else None


def _specs(value: object) -> tuple[ir.Spec, ...]:
    return tuple(item for item in value if isinstance(item, ir.Spec)) if isinstance(value, tuple) else ()


def _ends(controller: ir.Spec) -> bool:
    """By itself; one of the user's is taken at its word."""
    return controller.name in FINITE or "." in controller.name
