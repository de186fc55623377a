"""The scheduler's side of its second socket: every request, answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from automl_run.engine.core.inputs import Input
from automl_run.engine.core.state import State

from .operate import operate
from .requests import Answer, AnyRequest, Show, Stop


@dataclass(frozen=True, slots=True)
class Desk:
    """`put` hands an input to the scheduler; `interrupt` asks it to end."""

    state: Callable[[], State]
    summary: Callable[[], object]
    put: Callable[[Input], None]
    interrupt: Callable[[str], None]

    def __call__(self, request: AnyRequest) -> object:
        match request:
            case Show():
                return self.summary()
            case Stop(now):
                for _ in range(1 + now):
                    self.interrupt("an operator stops the run")
                return Answer("the run stops: its jobs are killed" if now else "the run stops: its jobs are asked to end")
            case _:
                answer, wish = operate(self.state(), request)
                if wish is not None:
                    self.put(wish)
                return answer
