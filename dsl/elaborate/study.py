"""The `study` section: its keys, merged over the layers, as `ir.Study`.

Codes: AM401 unknown key, AM402 wrong value, AM403 controller, AM404 metric, AM405 target, AM406 two studies, AM199 what is not
honoured yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .. import ast, ir
from ..diagnostics import Diagnostic, Secondary, did_you_mean, nearest
from ..source import Span
from .layers import Layered, StudyKey
from .study_values import StudyValues, word
from .tree import Fault, later

_ENDLESS = frozenset({"Auto", "Random", "TPE"})
_DEFAULT_TRIALS = 20
_BUILT_IN_METRICS = ("seconds", "peak_gpu_memory", "peak_memory", "parameters", "latency_ms")
_KEYS = ("target", "controller", "workers", "seed", "order", "baseline", "keep", "out", "executor", "handlers", "budget")
#: Honoured in a legacy AutoML config, whose reader translates them.
_LEGACY_KEYS = ("executor", "handlers")
_LATER_KEYS = ("pruner", "repeat", "phase", "accelerate", "stall_time", "disk_reserve")
_WORDS = ("maximize", "minimize", "ensure")
_BUDGET = ("trials", "time", "job_time", "target", "patience")


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: its value and where it stands."""

    value: ast.Expr
    span: Span
    key: StudyKey


@dataclass(slots=True)
class StudyReader:
    """Reads one study."""

    layered: Layered
    values: StudyValues
    faults: list[Diagnostic] = field(default_factory=list)

    def read(self, base: ir.Spec | None, labels: Sequence[str], key_metric: str | None) -> ir.Study:
        """`base`: the target that a `use`d MMAR gives. `labels`: the metrics that the configuration names."""
        settings, objectives = self._collect()
        name = self._name()
        values: dict[str, object] = {}
        for key, setting in settings.items():
            try:
                values[key] = self.values.read(key, setting.value, setting.key.file)
            except Fault as fault:
                self.faults.append(fault.diagnostic)

        controller = _spec(values.get("controller")) or ir.Spec("Auto")
        trials, seconds = _whole(values.get("budget.trials")), _float(values.get("budget.time"))
        target_score = _float(values.get("budget.target"))
        if controller.name in _ENDLESS and trials is None and seconds is None and target_score is None:
            trials = _DEFAULT_TRIALS
        workers = values.get("workers", ())
        self._check_order(settings, controller, workers)
        if not objectives and key_metric is None and "target" in values:
            help = "write `maximize NAME` or `minimize NAME` with the name of a metric"
            aimless = Fault("AM404", "nothing says which metric is to be improved", settings["target"].span, help=help)
            self.faults.append(aimless.diagnostic)
        return ir.Study(
            name=name,
            target=_spec(values.get("target")) or base,
            objectives=self._objectives(objectives, labels, key_metric),
            controller=controller,
            budget=ir.Budget(
                trials,
                seconds,
                _float(values.get("budget.job_time")),
                target_score,
                _whole(values.get("budget.patience")),
            ),
            workers=workers if isinstance(workers, tuple) else (),
            seed=_whole(values.get("seed")) or 0,
            order="fixed" if values.get("order") == "fixed" else "arrival",
            baseline=values.get("baseline") is not False,
            keep=_whole(values.get("keep")),
            out=_str(values.get("out")),
            executor=_spec(values.get("executor")),
            handlers=_specs(values.get("handlers")),
        )

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

    def _collect(self) -> tuple[dict[str, Setting], list[ast.Objective]]:
        settings: dict[str, Setting] = {}
        objectives: list[tuple[int, ast.Objective]] = []
        for key in self.layered.study:
            try:
                self._statement(key, key.statement, "", settings, objectives)
            except Fault as fault:
                self.faults.append(fault.diagnostic)
        top = max((layer for layer, _ in objectives), default=0)
        return settings, [objective for layer, objective in objectives if layer == top]

    def _statement(
        self,
        key: StudyKey,
        statement: ast.Statement,
        prefix: str,
        settings: dict[str, Setting],
        objectives: list[tuple[int, ast.Objective]],
    ) -> None:
        match statement:
            case ast.Objective() if not prefix:
                objectives.append((key.layer, statement))
            case ast.Bind(targets=(path,), given=value, search=None, append=False, guard=None) if value is not None:
                name = prefix + ".".join(word(step) for step in path.steps)
                self._check_key(name, path.span)
                if name in _LEGACY_KEYS and key.layer not in self.layered.automl_configs:
                    help = "`keep`, `out` and `budget { target = ... }` say what MMARHandler said" if name == "handlers" else ""
                    raise Fault("AM199", f"`{name}` is not supported yet", path.span, help=help)
                old = settings.get(name)
                if old is not None and old.key.layer == key.layer:
                    other = (Secondary(old.span, "first here"),)
                    raise Fault("AM111", f"`{name}` is set twice", path.span, label="again here", secondary=other)
                settings[name] = Setting(value, path.span, key)
            case ast.Section(path, label, body):
                name = prefix + ".".join(word(step) for step in path.steps)
                if name in _LATER_KEYS:
                    raise later(f"`{name}`", path.span)
                if name != "budget" or label is not None:
                    self._check_key(name + ".", path.span)
                for item in body:
                    self._statement(key, item, f"{name}.", settings, objectives)
            case ast.Ensure(span=span):
                raise later("`ensure`", span)
            case ast.Bind(targets=targets):
                raise Fault("AM402", "a study key is given one fixed value", targets[0].span, help="write `key = value`")
            case _:
                raise Fault("AM402", "a study holds keys and objectives only", statement.span)

    def _check_key(self, name: str, span: Span) -> None:
        head, dot, rest = name.partition(".")
        if head in _LATER_KEYS:
            raise later(f"`{head}`", span)
        if head == "budget" and dot:
            if rest == "gpu_hours":
                raise later("`gpu_hours`", span)
            if rest not in _BUDGET:
                raise Fault("AM401", f"a budget has no `{rest}`", span, label="unknown key", help=did_you_mean(rest, _BUDGET))
        elif head not in _KEYS or dot:
            raise Fault("AM401", f"a study has no key `{name.rstrip('.')}`", span, label="unknown key", help=_known_key(head))
        elif head == "budget":
            raise Fault("AM402", "a budget has several limits", span, help="write `budget { trials = 40, time = 12h }`")

    # -- objectives -------------------------------------------------------------------------------------------------------------

    def _objectives(
        self, written: Sequence[ast.Objective], labels: Sequence[str], key_metric: str | None
    ) -> tuple[ir.Objective, ...]:
        if not written:
            return () if key_metric is None else (ir.Objective(key_metric, "maximize"),)
        out: list[ir.Objective] = []
        for objective in written:
            try:
                metric = self._metric(objective.value, labels)
                if any(known.metric == metric for known in out):
                    raise Fault("AM404", f"`{metric}` is an objective twice", objective.span)
                out.append(ir.Objective(metric, objective.direction))
            except Fault as fault:
                self.faults.append(fault.diagnostic)
        return tuple(out)

    def _metric(self, expr: ast.Expr, labels: Sequence[str]) -> str:
        match expr:
            case ast.Name(metric, span):
                places = self.layered.places
                if metric in places.root.entries or ((), metric) in places.lets:
                    raise Fault("AM404", f"`{metric}` is a metric here, but it also names a value of this program", span)
            case ast.Lit(str() as metric, span):
                pass
            case _:
                raise later("an objective that is more than the name of a metric", expr.span)
        if labels and metric not in labels:
            if metric in _BUILT_IN_METRICS:
                raise later(f"the built-in metric `{metric}`", span)
            raise Fault(
                "AM404",
                f"the configuration has no metric `{metric}`",
                span,
                label="unknown metric",
                help=did_you_mean(metric, labels),
            )
        return metric

    def _check_order(self, settings: Mapping[str, Setting], controller: ir.Spec, workers: object) -> None:
        """With several workers the order of arrival matters to controllers that learn from it; a fixed order is not kept yet."""
        setting = settings.get("order")
        if setting is None or not isinstance(setting.value, ast.Lit) or setting.value.value != "fixed":
            return
        alone = isinstance(workers, tuple) and len(workers) == 1
        if not alone and controller.name in ("Auto", "TPE"):
            self.faults.append(later('`order = "fixed"` with several workers', setting.span).diagnostic)


def _known_key(word: str) -> str:
    if word in _WORDS:
        return f"write `{word} NAME`, without `=`"
    known = [*_KEYS, *_LATER_KEYS, *_WORDS]
    limit = nearest(word, _BUDGET)
    if nearest(word, known) is None and limit is not None:
        return f"did you mean `budget {{ {limit} = ... }}`?"
    return did_you_mean(word, known) or f"known here: {', '.join((*_KEYS, *_WORDS))}"


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
