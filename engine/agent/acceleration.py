"""`accelerate = true`: in a job's process every MONAI `Compose` is called fused, whoever made it.

The training code stays as it is. MONAI is not imported for this: code that never uses it pays nothing. Subclasses of `Compose`
(`OneOf`, a user's own) go on as they are, and so do processes that the training code starts with another interpreter.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

_MODULE: Final = "monai.transforms.compose"
_FUSED: Final = "_fused_by_automl_run"


def accelerate_pipelines() -> None:
    """From now on, in this process and its forks. Once is enough; again does no harm."""
    loaded = sys.modules.get(_MODULE)
    if loaded is not None:
        _accelerate(loaded)
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds MONAI's module as Python does, and has it changed once it is loaded."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _MODULE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _accelerate(module)


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
