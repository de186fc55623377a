"""A pipeline as a list of nodes: taken over, a pipeline inside it, or left to MONAI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monai.transforms.compose import Compose
from monai.utils.misc import MONAIEnvVars

from .recognise import Rule, rule_for


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One step. Neither `rule` nor `inside`: MONAI runs it, for `reason`."""

    transform: Any
    rule: Rule | None = None
    inside: tuple[Node, ...] | None = None
    reason: str = ""


def plan(transforms: Sequence[Any]) -> tuple[Node, ...]:
    return tuple(_node(transform) for transform in transforms)


def _node(transform: Any) -> Node:
    if isinstance(transform, Compose) and runs_in_order(transform):
        if transform.log_stats is not False or transform.unpack_items:
            return Node(transform, reason="logs its steps or unpacks its items")
        return Node(transform, inside=plan(transform.transforms))
    if MONAIEnvVars.trace_transform() == "0":
        return Node(transform, reason="tracing is off")
    rule, reason = rule_for(transform)
    return Node(transform, rule, None, reason)


def runs_in_order(compose: Compose) -> bool:
    """Whether it runs its transforms one after another, as Compose itself does, or is a fused one."""
    return type(compose) is Compose or getattr(type(compose), "runs_in_order", False)
