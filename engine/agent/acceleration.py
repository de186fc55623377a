"""`accelerate = true`: in a job's process every MONAI `Compose` is called fused, whoever made it.

The training code stays as it is. MONAI is not imported for this: code that never uses it pays nothing. Subclasses of `Compose`
(`OneOf`, a user's own) go on as they are, and so do processes that the training code starts with another interpreter.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from .import_hook import when_imported

_MODULE: Final = "monai.transforms.compose"
_FUSED: Final = "_fused_by_automl_run"


def accelerate_pipelines() -> None:
    """From now on, in this process and its forks. Once is enough; again does no harm."""
    when_imported(_MODULE, _accelerate)


def _accelerate(module: ModuleType) -> None:
    compose: Any = module.Compose
    if hasattr(compose.__call__, _FUSED):
        return
    call = _fused_call(compose, compose.__call__)
    setattr(call, _FUSED, True)
    compose.__call__ = call


def _fused_call(compose: type[Any], plain: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if type(self) is not compose:
            return plain(self, *args, **kwargs)
        settings = (self.transforms, self._lazy, self.overrides, self.map_items)
        made = self.__dict__.get(_FUSED)
        if made is None or any(old is not new for old, new in zip(made[0], settings, strict=True)):
            # Here, not above: the kernels import MONAI.
            from automl_run.kernels import fuse

            self.__dict__.pop(_FUSED, None)
            made = self.__dict__[_FUSED] = (settings, fuse(self))
            print(f"automl-run: this pipeline is accelerated:\n{made[1].explain()}", flush=True)
        return made[1](*args, **kwargs)

    return call
