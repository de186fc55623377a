"""What one call of a fused pipeline carries along."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from .geometry import Geometry
from .noise import Source
from .settle import settle
from .track import Track

T = TypeVar("T")
Item = dict[Hashable, Any]


@dataclass(slots=True)
class Call:
    """State of one call."""

    fast_noise: bool
    threads: int | None
    #: by transform; kept by the pipeline from call to call
    sources: dict[int, Source]
    #: (step, reason) of images that a step could not take over
    missed: dict[tuple[object, str], int] = field(default_factory=dict)
    step: object = None
    item: Item = field(default_factory=dict)
    #: what a step computes once for all keys
    made: dict[Hashable, Any] = field(default_factory=dict)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """`make()`, the first time in this step."""
        if key not in self.made:
            self.made[key] = make()
        return cast(T, self.made[key])

    def begin(self, step: object, item: Item) -> None:
        self.step, self.item = step, item
        self.made.clear()

    def moved(self, before: Geometry, key: tuple[Hashable, ...], move: Callable[[Geometry], Geometry]) -> Geometry:
        """`move(before)`, the same object for every key that shares `before`."""
        # `before` is kept, so that its id belongs to no other object.
        return self.once((id(before), *key), lambda: (before, move(before)))[1]

    def track(self, item: Item, key: Hashable) -> Track:
        """The image under `key`, virtual from now on."""
        value = item[key]
        if type(value) is not Track:
            value = item[key] = Track(value)
        return value

    def noise_source(self, inner: Any) -> Source:
        """The order of the fields of MONAI's RandGaussianNoise `inner`; a new one when it was seeded again."""
        source = self.sources.get(id(inner))
        if source is None or source.generator is not inner.R or (source.std, source.sample_std) != (inner.std, inner.sample_std):
            source = self.sources[id(inner)] = Source(inner.R, inner.std, inner.sample_std)
        return source

    def miss(self, reason: str) -> None:
        self.missed[self.step, reason] = self.missed.get((self.step, reason), 0) + 1

    def write(self, track: Track) -> None:
        """Carry out what is pending on this image and on those of the sample that share its pass; they stay virtual."""
        tracks = [track]
        if track.solid is None and (track.points or track.geometry.warp is not None):
            others = [v for v in self.item.values() if type(v) is Track and v is not track and v.solid is None]
            tracks += [v for v in others if v.geometry is track.geometry and v.geometry.warp is not None]
        for each, result in zip(tracks, settle(tracks, threads=self.threads), strict=True):
            each.reset(result)

    def ready(self, track: Track, why_not: Callable[[], str | None]) -> str | None:
        """Why a step cannot take the image over, after what is pending was carried out if that was in the way."""
        why = why_not()
        if why is not None and track.solid is None:
            self.write(track)
            why = why_not()
        return why
