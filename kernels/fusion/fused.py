"""`fuse`: a MONAI pipeline whose steps are carried out together."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakSet

import monai.transforms as mt
import numpy as np
from monai.transforms.compose import Compose
from monai.transforms.traits import LazyTrait, ThreadUnsafe
from monai.transforms.transform import apply_transform
from monai.utils.misc import MONAIEnvVars

from .ahead import Ahead
from .batch import collate
from .buffers import Buffers
from .call import Call
from .explain import describe
from .lazy import carry_out
from .noise import Source
from .operations import traces
from .plan import Node, plan, runs_in_order
from .values import any_pending, settled


def fuse(compose: Compose, noise: str = "exact", threads: int | None = None) -> Fused:
    """`compose` with its crops, flips, quarter turns, paddings, one interpolation and intensities done in one pass per sample.

    The result is called like `compose`, shares its transforms and their random generators, and gives what it gives from the same
    seed: moved voxels bit for bit, interpolated ones within 1e-5 of the intensity range, metadata and trace included, so that
    `inverse` and `Invertd` work. Steps that cannot be taken over run unchanged; `explain()` lists them.

    noise: "exact" draws MONAI's own fields; "fast" draws others of the same distribution from a counter, several times faster.
    threads: at most so many for the fused steps, never more than torch uses (None: as many; in DataLoader workers one).

    Raises TypeError for what is not a Compose and ValueError for another `noise`.
    """
    return Fused(compose, noise, threads)


class Fused(Compose):  # type: ignore[misc]
    """See `fuse`. Safe to call from several threads: random decisions are then made one call at a time."""

    runs_in_order = True

    def __init__(self, compose: Compose, noise: str = "exact", threads: int | None = None) -> None:
        # Compose's own constructor would seed every transform again.
        if not isinstance(compose, Compose):
            raise TypeError(f"fuse takes a monai.transforms.Compose, not {type(compose).__name__}: put the transforms into one")
        if noise not in ("exact", "fast"):
            raise ValueError(f'noise must be "exact" or "fast", not {noise!r}')
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        self._original = compose
        if runs_in_order(compose):
            self.__dict__.update({k: v for k, v in compose.__dict__.items() if k not in _OWN and k != "_tracing"})
        else:
            # Such as OneOf: it goes on deciding for itself.
            self.transforms, self.map_items, self.unpack_items, self.log_stats = (compose,), compose.map_items, False, False
            self._lazy, self.overrides, self.R = compose._lazy, compose.overrides, compose.R
        self.noise = noise
        self.threads = threads
        self._forget()
        _living.add(self)

    def _forget(self) -> None:
        """Everything that belongs to this process: a fork may have copied a lock that is held."""
        self._lock = threading.RLock()
        self._buffers = Buffers()
        self._sources: dict[int, Source] = {}
        self._planned: tuple[tuple[Any, ...], tuple[Node, ...]] | None = None
        self._missed: dict[tuple[object, str], int] = {}

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {k: v for k, v in state.items() if k not in _OWN or k == "_original"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()
        _living.add(self)

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> Fused:
        """As Compose's: seeds every transform. For what chooses among its transforms, its own method."""
        if runs_in_order(self._original):
            super().set_random_state(seed, state)
        else:
            self._original.set_random_state(seed, state)
            self.R = self._original.R
        return self

    def __call__(
        self, input_: Any, start: int = 0, end: int | None = None, threading: bool = False, lazy: bool | None = None
    ) -> Any:
        stop = len(self.transforms) if end is None else end
        if (
            threading
            or self.log_stats is not False
            or self.unpack_items
            or start is None
            or not 0 <= start <= stop <= len(self.transforms)
        ):
            # Copies of the random transforms for each call, logs, or an error: Compose's own way.
            return super().__call__(input_, start, end, threading, lazy)
        if start == end:
            return input_
        call = self._call()
        data = self._run(
            self._nodes()[start:stop], input_, self.map_items, self._lazy if lazy is None else lazy, self.overrides, call
        )
        self._note(call)
        return data if call is None else settled(data, self.threads)

    def batch(self, items: Sequence[Any]) -> Any:
        """The items transformed and collated as `monai.data.list_data_collate` does, images written straight into the batch."""
        if not items:
            raise ValueError("a batch needs at least one item")
        if self.log_stats is not False or self.unpack_items:
            return collate([self(item) for item in items], self.threads, self._buffers)
        call = self._call()
        lazy = self._lazy
        ahead, done = Ahead(len(items), self.threads, self._buffers), []
        try:
            for item in items:
                done.append(self._run(self._nodes(), item, self.map_items, lazy, self.overrides, call))
                ahead.see(len(done) - 1, done[-1])
        finally:
            ahead.end()
        self._note(call)
        return collate(done, self.threads, self._buffers, ahead.buffers)

    def explain(self) -> str:
        """A table of the steps: what each became, or why it was left as it was; also what calls so far could not take over."""
        return describe(self._nodes(), self._lazy, self.noise, self._missed)

    def _call(self) -> Call:
        return Call(self.noise == "fast", self.threads, self._sources)

    def _note(self, call: Call) -> None:
        if call.missed:
            with self._lock:
                for key, count in call.missed.items():
                    self._missed[key] = self._missed.get(key, 0) + count

    def _nodes(self) -> tuple[Node, ...]:
        planned = self._planned
        if planned is None or planned[0] is not self.transforms:
            planned = self._planned = (self.transforms, plan(self.transforms))
        return planned[1]

    def _run(self, nodes: Sequence[Node], data: Any, map_items: bool | int, lazy: bool | None, overrides: Any, call: Call) -> Any:
        """`data` through `nodes`; images that were touched are virtual in what comes out, and nothing is pending."""
        pending = any_pending(data)
        for node in nodes:
            t = node.transform
            now = isinstance(t, LazyTrait) and bool(t.lazy if lazy is None else lazy)
            if pending and not (now and not t.requires_current_data) and not isinstance(t, (mt.ApplyPending, mt.ApplyPendingd)):
                data, pending = carry_out(data, overrides, call), False
            if node.inside is not None and not now and not pending:
                data = self._inside(node, data, lazy, call)
            elif node.rule is None or now or node.inside is not None or not traces(t):
                data = self._by_monai(t, settled(data, self.threads), map_items, lazy, overrides)
                pending = lazy is not False and any_pending(data)
            else:
                with self._lock:
                    data = self._step(node, data, int(map_items), call)
        return carry_out(data, overrides, call) if pending else data

    def _inside(self, node: Node, data: Any, lazy: bool | None, call: Call) -> Any:
        inner = node.transform
        assert node.inside is not None
        try:
            return self._run(node.inside, data, inner.map_items, inner._lazy if lazy is None else lazy, inner.overrides, call)
        except Exception as error:
            raise _as_monai(error, inner) from error

    def _by_monai(self, t: Any, data: Any, map_items: bool | int, lazy: bool | None, overrides: Any) -> Any:
        if isinstance(t, ThreadUnsafe):
            with self._lock:
                return apply_transform(t, data, map_items, False, False, lazy, overrides)
        return apply_transform(t, data, map_items, False, False, lazy, overrides)

    def _step(self, node: Node, data: Any, depth: int, call: Call) -> Any:
        if isinstance(data, (list, tuple)) and depth > 0:
            return [self._step(node, item, depth - 1, call) for item in data]
        assert node.rule is not None
        if type(data) is not dict and not isinstance(data, Mapping):
            return apply_transform(node.transform, settled(data, self.threads), False, lazy=False)
        item = dict(data)
        call.begin(node, item)
        try:
            return node.rule.run(node.transform, item, call)
        except Exception as error:
            raise _as_monai(error, node.transform) from error


_living: WeakSet[Fused] = WeakSet()


def _forget_after_fork() -> None:
    for fused in list(_living):
        fused._forget()


os.register_at_fork(after_in_child=_forget_after_fork)

_OWN = frozenset({"_lock", "_buffers", "_sources", "_planned", "_missed", "_original"})


def _as_monai(error: Exception, transform: object) -> Exception:
    """The error that MONAI's Compose raises around one of a step."""
    if MONAIEnvVars.debug():
        return error
    return RuntimeError(f"applying transform {transform}")
