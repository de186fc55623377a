"""A controller brought up to date after a restart: it is never the truth, so it is rebuilt from the journal."""

from __future__ import annotations

from collections.abc import Sequence

from .controllers.base import Controller, Recommendation
from .core import facts
from .core.ending import outcome
from .core.state import State
from .user_code.own_controller import OwnController


def restore(controller: Controller | OwnController, history: Sequence[facts.Durable], state: State) -> None:
    """Feeds `controller` what it once recommended and saw, in journal order."""
    shown = 0
    for fact in history:
        match fact:
            case facts.Recommended(index, point, seed_key) if point is not None:
                controller.restore(Recommendation(index, point, seed_key))
            case facts.Ended(job) if not state.fixed_order and state.repeat is None:
                controller.observe(outcome(state, state.jobs[job].index))
            case facts.Concluded(index) if not state.fixed_order:
                controller.observe(outcome(state, index))
            case facts.Shown(count):
                for position in range(shown, count):
                    controller.observe(outcome(state, state.order[position]))
                shown = count
            case _:
                pass
