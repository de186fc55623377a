"""Measuring this package's transforms beside MONAI's, torch by hand, other libraries and a plain copy.

    specs = select("flip", quick=False, gpu=False)
    for result in measure(specs, Options(threads=(2,))): ...

Rules: contenders take turns round by round; sources come from a ring larger than the last-level cache; each rival with its best
settings; nothing is timed whose result is wrong; medians of ratios taken within a round, with their quartiles.
"""

from .cases import all_specs, select
from .machine import busy, describe
from .measurement import Options, Result, Row, measure
from .overview import overview
from .plot import draw
from .table import HEAD, document, lines, result_of, summary

__all__ = [
    "HEAD",
    "Options",
    "Result",
    "Row",
    "all_specs",
    "busy",
    "describe",
    "document",
    "draw",
    "lines",
    "measure",
    "overview",
    "result_of",
    "select",
    "summary",
]
