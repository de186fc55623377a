"""A concrete configuration: what a program has become at one point, and its forms as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from .ir import Value


@dataclass(frozen=True, slots=True)
class ResolvedComponent:
    """A component of a concrete configuration. `args` and `attrs` hold values, lists, dicts and further components."""

    cls: str
    args: dict[str, Resolved]
    attrs: dict[str, Resolved]
    instance: str | None = None


Resolved = None | bool | int | float | str | list["Resolved"] | dict[str, "Resolved"] | ResolvedComponent


def to_plain(value: Resolved) -> Value:
    """`value` as plain data: a component is {"_target_": class, its attributes with `@`, its arguments}."""
    match value:
        case ResolvedComponent(cls, args, attrs):
            out: dict[str, Value] = {"_target_": cls}
            out.update({f"@{key}": to_plain(item) for key, item in attrs.items()})
            out.update({key: to_plain(item) for key, item in args.items()})
            return out
        case list():
            return [to_plain(item) for item in value]
        case dict():
            return {key: to_plain(item) for key, item in value.items()}
        case _:
            return value


def to_clara(value: Resolved) -> Value:
    """`value` as Clara's JSON has it: a component is {"name" or "path": class, "args": {...}, its attributes}."""
    match value:
        case ResolvedComponent(cls, args, attrs, instance):
            name = f"{cls}#{instance}" if instance else cls
            out: dict[str, Value] = {"path" if "." in cls else "name": name}
            out.update({key: to_clara(item) for key, item in attrs.items()})
            out["args"] = {key: to_clara(item) for key, item in args.items()}
            return out
        case list():
            return [to_clara(item) for item in value]
        case dict():
            return {key: to_clara(item) for key, item in value.items()}
        case _:
            return value
