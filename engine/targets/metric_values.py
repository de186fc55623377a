"""What counts as the value of a metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from automl_run.errors import JobError

_MAX_METRICS: Final = 1000
_MAX_NAME: Final = 200


def metric_values(metrics: Mapping[str, object], where: str = "report", *, finite: bool = True) -> dict[str, float]:
    """`metrics` as floats; numpy and torch scalars are numbers, too.

    TypeError for what is no number, JobError `diverged` for NaN and infinities unless they need not be `finite`.
    """
    values: dict[str, float] = {}
    if len(metrics) > _MAX_METRICS:
        raise TypeError(f"{where}: {len(metrics)} metrics at once; {_MAX_METRICS} are allowed")
    for name, value in metrics.items():
        if not isinstance(name, str) or len(name) > _MAX_NAME:
            raise TypeError(f"{where}: the name of a metric is a text of at most {_MAX_NAME} characters, not {name!r:.100}")
        if isinstance(value, (bool, str, bytes, bytearray)) or not hasattr(value, "__float__"):
            raise TypeError(f"{where}: `{name}` must be a number, not {value!r} ({type(value).__name__})")
        try:
            number = float(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(f"{where}: `{name}` must be one number, not {type(value).__name__}: {error}") from error
        except OverflowError:
            number = math.inf
        if finite and not math.isfinite(number):
            raise JobError("diverged", f"`{name}` became {number}")
        values[name] = number
    return values


def step_number(step: object) -> int:
    """TypeError for what is no integer of 64 bits."""
    try:
        number = step.__index__()  # type: ignore[attr-defined]
    except AttributeError:
        raise TypeError(f"report: the step must be an integer, not {step!r} ({type(step).__name__})") from None
    if not isinstance(number, int) or not -(2**63) <= number < 2**63:
        raise TypeError(f"report: the step {number} is too large")
    return number
