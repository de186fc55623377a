"""What the JSON of a training config means: components and switches. `dsl/clara_python.py` has its references and expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from automl_run.dsl.ir import Value
from automl_run.errors import JobError

_KEYS = frozenset({"name", "path", "args", "search", "apply", "disabled"})


@dataclass(frozen=True, slots=True)
class Component:
    """`{"name" or "path": ..., "args": ...}`. `cls`: what it constructs; `instance`: `Mine` in `Scale#Mine`; `key`: where."""

    cls: str
    instance: str | None
    args: Mapping[str, Value]
    attrs: Mapping[str, Value]
    key: str
    place: str

    @property
    def title(self) -> str:
        return f"{self.place}: {self.cls}"

    def is_called(self, name: str) -> bool:
        return name in (self.instance, self.cls, self.cls.rpartition(".")[2])


def component(node: Value, key: str, place: str, is_argument: bool = False) -> Component | None:
    """`node` as a component, None when it is data. Within arguments an object is taken for data more readily."""
    if not isinstance(node, dict):
        return None
    if is_argument and not ("args" in node and set(node) <= _KEYS):
        return None
    named = node.get("path") or node.get("name")
    if not isinstance(named, str):
        return None
    cls, _, instance = named.partition("#")
    args = node.get("args")
    if args is not None and not isinstance(args, dict):
        raise JobError("user_error", f"{place}: `args` of {cls} must be an object")
    attrs = {name: value for name, value in node.items() if name not in _KEYS - {"disabled"} and not name.startswith("_")}
    kept = {name: value for name, value in (args or {}).items() if not name.startswith("_")}
    return Component(cls, instance or None, kept, attrs, key, place)


def flag(value: Value, place: str) -> bool:
    """A switch; Clara's variables may have made it a text."""
    if isinstance(value, bool):
        return value
    if value is None:
        return False
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise JobError("user_error", f"{place}: expected true or false, got {value!r}")


def is_enabled(part: Component, rank: int = 0) -> bool:
    """False when it is disabled, or belongs to another rank than this one; without a rank of its own it belongs to all."""
    return not flag(part.attrs.get("disabled", False), part.title) and part.attrs.get("rank") in (rank, None)


def metric_label(part: Component) -> str:
    """The name under which a metric is reported."""
    return str(part.attrs.get("log_label") or part.instance or part.cls)


def components(node: Value, key: str, place: str) -> Iterator[Component]:
    """The components that stand at `node` itself or in its list, disabled ones too; a `{"ref": ...}` is not one."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from components(item, key, f"{place}[{index}]")
    elif (found := component(node, key, place)) is not None:
        yield found
