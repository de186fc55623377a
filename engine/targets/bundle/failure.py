"""What went wrong in a bundle, from under MONAI's wrappers: they name a component or an expression, and hide what it said."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from automl_run.engine.targets.failures import cause_of_exception, describe
from automl_run.errors import JobError

_COMPONENT = re.compile(r"Failed to instantiate component '([^']+)'")
_EXPRESSION = re.compile(r"Failed to evaluate ConfigExpression:\s*(.+)", re.S)
_REFERENCE = re.compile(r"__local_refs\['([^']*)'\]")
_MAX_SHOWN = 200


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """JobError, with the innermost component or expression and what it said, for an error that MONAI has wrapped."""
    try:
        yield
    except RuntimeError as error:
        place, root = _place_of(error), innermost(error)
        if place is None or root is error:
            raise
        cause, _ = cause_of_exception(error)
        raise JobError(cause, f"{place}: {describe(root)}") from error


def innermost(error: BaseException) -> BaseException:
    """What was raised first."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _place_of(error: BaseException) -> str | None:
    """The component or expression closest to what was raised first."""
    place: str | None = None
    link: BaseException | None = error
    while link is not None:
        place, link = _place(str(link)) or place, link.__cause__
    return place


def _place(message: str) -> str | None:
    """MONAI's `monai.networks.nets.unet.UNet` as `UNet`, its `__local_refs['train::trainer'].run()` as `$@train#trainer.run()`."""
    if found := _COMPONENT.match(message):
        return f"`{found[1].rpartition('.')[2]}`"
    if found := _EXPRESSION.match(message):
        text = _REFERENCE.sub(lambda match: "@" + match[1].replace("::", "#"), found[1].strip().strip("'\""))
        return f"`{text[:_MAX_SHOWN]}`"
    return None
