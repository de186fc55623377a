"""The picture of a measurement: each library's speed relative to MONAI's on a logarithmic axis, as SVG without external fonts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from .case import FAST, FLOOR, MONAI, OURS, PLAIN
from .measurement import Result
from .overview import median_cases

#: A group of cases is one block of bars, its median case drawn; these in this order, others after them.
_ORDER = ("flip", "rot90", "crop into batch", "resize", "spacing", "spacing image+label", "affine image+label", "light pipeline")
_OWN = {OURS: "#0b7285", PLAIN: "#3bc9db", FAST: "#15aabf"}
_OTHER, _TEXT, _FAINT, _GRID = "#adb5bd", "#212529", "#495057", "#dee2e6"
_WIDTH, _LEFT, _RIGHT, _BAR, _GAP, _TOP = 860, 250, 70, 15, 16, 74
_FONT = "font-family=\"ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\""


@dataclass(frozen=True, slots=True)
class Block:
    """One case: its title and (contender, times MONAI's speed) from fast to slow."""

    title: str
    bars: Sequence[tuple[str, float]]


def blocks(results: Sequence[Result]) -> list[Block]:
    """One block for each group, on the most threads that were measured: the case whose ratio is the group's median."""
    most = max((result.threads for result in results), default=1)
    found = median_cases([result for result in results if result.threads == most and any(row.peers for row in result.rows)])
    rank = {name: place for place, name in enumerate(_ORDER)}
    return [_block(result) for result in sorted(found, key=lambda result: rank.get(result.group, len(rank)))]


def _block(result: Result) -> Block:
    speeds = {name: result.ms[MONAI][1] / values[1] for name, values in result.ms.items() if name not in (FLOOR, MONAI)}
    for row in result.rows:  # the median of ratios, where there is one
        if row.monai is not None:
            speeds[row.subject] = row.monai[1]
    return Block(result.case, sorted(speeds.items(), key=lambda bar: -bar[1]))


def draw(results: Sequence[Result], about: Mapping[str, object]) -> str:
    """The SVG; `about` is the machine's description, which is written below."""
    shown = blocks(results)
    ratios = [ratio for block in shown for _, ratio in block.bars] or [1.0]
    low, high = math.floor(math.log10(min(*ratios, 0.99))), math.ceil(math.log10(max(*ratios, 1.01)))
    span = _WIDTH - _LEFT - _RIGHT

    def x(ratio: float) -> float:
        return round(_LEFT + span * (math.log10(ratio) - low) / (high - low), 1)

    body, y = [], _TOP
    for block in shown:
        body.append(_text(12, y + 11, block.title, weight="600"))
        y += 20
        for name, ratio in block.bars:
            start, end = sorted((x(1.0), x(ratio)))
            color = _OWN.get(name, _OTHER)
            own = name in _OWN
            body.append(
                _text(_LEFT - 8, y + 11, "automl-run" + name.removeprefix(OURS) if own else name, anchor="end", color=_FAINT)
            )
            body.append(
                f'<rect x="{start}" y="{y}" width="{max(end - start, 1):.1f}" height="{_BAR - 3}" rx="2" fill="{color}">'
                f"<title>{escape(name)}: {ratio:.2g} times MONAI's speed</title></rect>"
            )
            body.append(
                _text(
                    max(end, x(1.0)) + 5,
                    y + 10,
                    f"{ratio:.2g}x" if ratio < 100 else f"{ratio:.0f}x",
                    weight="600" if own else "400",
                )
            )
            y += _BAR
        y += _GAP
    height = y + 34
    decades = [10.0**power for power in range(low, high + 1)]
    grid = [
        f'<line x1="{x(value)}" y1="{_TOP - 14}" x2="{x(value)}" y2="{y}" stroke="{_FAINT if value == 1 else _GRID}"/>'
        + _text(x(value), _TOP - 20, "MONAI" if value == 1 else f"{value:g}x", anchor="middle", color=_FAINT)
        for value in decades
    ]
    most = max((result.threads for result in results), default=1)
    cpu = about.get("gpu") or about.get("cpu", "")
    caption = f"{cpu}, {most} thread{'s' * (most > 1)}, {about.get('date', '')}: automl-run bench transforms --plot"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" {_FONT}>',
            "<title>Speed of transforms relative to MONAI</title>",
            f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
            _text(12, 26, "Times MONAI's speed (logarithmic), medians", size=16, weight="600"),
            *grid,
            *body,
            _text(12, height - 12, caption, size=11, color=_FAINT),
            "</svg>\n",
        ]
    )


def _text(x: float, y: float, words: str, *, size: int = 12, anchor: str = "start", weight: str = "400", color: str = _TEXT) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="{color}">'
        f"{escape(words)}</text>"
    )
