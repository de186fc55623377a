"""Scales, ticks and text of the report's pictures. Colours are the page's: classes, never values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Scale:
    """From a value to a pixel. `log` needs positive values."""

    lo: float
    hi: float
    first_px: float
    last_px: float
    log: bool = False

    def __call__(self, value: float) -> float:
        lo, hi, at = (math.log10(x) for x in (self.lo, self.hi, value)) if self.log else (self.lo, self.hi, value)
        # Halved before they are subtracted: two huge numbers of opposite sign must not overflow.
        span = hi / 2 - lo / 2
        share = (at / 2 - lo / 2) / span if span > 0 else 0.5
        return self.first_px + share * (self.last_px - self.first_px)

    def ticks(self, count: int) -> list[float]:
        """Round values inside the scale, about `count` of them."""
        if self.log:
            low, high = math.ceil(math.log10(self.lo) - 1e-9), math.floor(math.log10(self.hi) + 1e-9)
            every = max(1, math.ceil((high - low + 1) / count))
            decades = [10.0**power for power in range(low, high + 1, every)]
            return decades if len(decades) >= 2 else [self.lo, self.hi]
        span = self.hi - self.lo
        if not 0 < span < math.inf:
            return [self.lo]
        raw = span / max(1, count)
        magnitude = 10.0 ** math.floor(math.log10(raw))
        step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw * (1 - 1e-9))
        start = math.ceil(self.lo / step - 1e-9)
        return [step * i for i in range(start, math.floor(self.hi / step + 1e-9) + 1)]


def padded(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """The range of `values` with some air; never empty."""
    lo, hi = min(values), max(values)
    air = (hi / 2 - lo / 2) * 2 * share or max(abs(lo) * 0.05, 0.05)
    return max(lo - air, -1e308), min(hi + air, 1e308)


def tick_text(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e") if not 1e-3 <= abs(value) < 1e5 else f"{value:.4g}"


def text(x: float, y: float, words: str, anchor: str = "middle", style: str = "tick") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{style}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def dot(x: float, y: float, radius: float, style: str, hint: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{style}"><title>{escape(hint)}</title></circle>'


def picture(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
