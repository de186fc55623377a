"""Sobol' points (Sobol', USSR Computational Mathematics and Mathematical Physics 7, 1967), scrambled: random search without its
gaps and clusters. SciPy's implementation, with the direction numbers of Joe and Kuo (SIAM J. Scientific Computing 30, 2008).
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Final

from automl_run.dsl import evaluate
from automl_run.dsl.ir import Param, ParamId, Point, Program

from .base import Recommendation
from .domains import from_unit
from .sampling import SamplingController
from .space import generator

#: The sequence is balanced over each power of two.
_BLOCK: Final = 64
_ASKS: Final = 1000


class Sobol(SamplingController):
    """Recommendation k is the k-th point of the sequence that is allowed, whatever the outcomes.

    Every parameter has a dimension of its own, which turns along where a point does not have it. Where `_ASKS` points in a row are
    not allowed, or were all had before, one is drawn at random.
    """

    def __init__(self, program: Program, trials: int | None) -> None:
        super().__init__(program, trials, "sobol")
        self._rest = self._sequence()
        self._begin()

    def restore(self, recommendation: Recommendation) -> None:
        if recommendation.point is not None:
            self._find(recommendation.index)
            super().restore(recommendation)

    def _proposals(self, index: int, rng: random.Random) -> Generator[Point, None, None]:
        yield from islice(self._rest, _ASKS)

    def _sequence(self) -> Iterator[Point]:
        from scipy.stats.qmc import Sobol as Sequence

        params = self._program.params
        seed = generator(self._program.study.seed, "sobol").getrandbits(32)
        sequence = Sequence(len(params), scramble=True, rng=seed) if params else None
        while True:
            for shares in sequence.random(_BLOCK).tolist() if sequence is not None else [[]]:
                at = dict(zip((param.id for param in params), shares, strict=True))
                yield evaluate.build_point(self._program, partial(_value, at))


def _value(at: Mapping[ParamId, float], param: Param) -> int | float:
    return from_unit(param.domain, at[param.id])
