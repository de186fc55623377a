"""All cases, by name."""

from __future__ import annotations

from collections.abc import Iterator

from automl_run.errors import InputError

from . import affine, intensity, pipelines, resample, spatial, training
from .case import Spec


def all_specs() -> Iterator[Spec]:
    """In the order of the table."""
    for module in (pipelines, spatial, resample, affine, intensity, training):
        yield from module.specs()


def select(only: str | None, *, quick: bool, gpu: bool) -> list[Spec]:
    """The cases whose group or name contains `only`; InputError if none does."""
    from . import gpu as on_gpu

    chosen = list(on_gpu.specs() if gpu else all_specs())
    if quick:
        chosen = [spec for spec in chosen if spec.quick]
    if only is None:
        return chosen
    found = [spec for spec in chosen if only.lower() in spec.name.lower() or only.lower() == spec.group.lower()]
    if not found:
        groups = ", ".join(dict.fromkeys(spec.group for spec in chosen))
        raise InputError(f"no case is called `{only}`; there are: {groups} (all names: automl-run bench transforms --list)")
    return found
