"""The space as ConfigSpace sees it: what it draws is allowed, what is allowed it knows."""

from __future__ import annotations

from typing import Any

import pytest

from automl_run.dsl import ir
from automl_run.dsl.configspace import to_sample
from automl_run.dsl.evaluate import active_ids, infeasible_because
from automl_run.dsl.load import parse
from automl_run.errors import InputError

ConfigSpace = pytest.importorskip("ConfigSpace", reason="ConfigSpace is not installed")

PROGRAM = parse(
    """
    m ~ A(k ~ 1..3) | B(w ~ 8 | 16, d ~ 0.0 | 0.1..0.5)
    lr ~ log 1e-4..1e-2
    low ~ log 1e-4..1e-2
    z ~ 1..1000000
    (t, u) ~ (1, 2) | (3, 4)
    s ~ 0.0..1.0 step 0.1
    n ~ 16..256 step *2
    q ~ 0.0..1.0 when lr > 1e-3 and m is not A
    odd ~ null | "1" | true
    name ~ "a" | "b" | "c"
    r ~ 1..5 when name == "a" or s >= 0.5
    g ~ 1..9 when z <= 500000
    require m is A or lr < 5e-3
    require low < lr
    require m.w * t < 40
    require s + t < 3.5
    require z >= 1000 and 9e-3 > lr
    require not (name == "c" and n > 64)
    """
)


def test_its_configurations_are_samples() -> None:
    space = PROGRAM.to_configspace()
    space.seed(1)
    seen: dict[str, set[float]] = {}
    for configuration in [space.get_default_configuration(), *space.sample_configuration(400)]:
        sample = to_sample(PROGRAM, configuration)
        assert infeasible_because(PROGRAM, sample) is None
        assert set(sample) == set(active_ids(PROGRAM, sample)) == set(configuration)
        for id, value in sample.items():
            seen.setdefault(id, set()).add(value)
    assert set(seen) == {param.id for param in PROGRAM.params}
    assert seen["m"] == seen["(t,u)"] == {0, 1}
    assert seen["n"] == {16, 32, 64, 128, 256}


def test_our_samples_are_legal_there() -> None:
    space: Any = PROGRAM.to_configspace()
    for sample in PROGRAM.sample(100, seed=3):
        named = {}
        for id, value in sample.items():
            parameter = space[id]
            names: Any = getattr(parameter, "choices", None) or getattr(parameter, "sequence", None)
            named[id] = names[int(value)] if isinstance(PROGRAM.param(id).domain, ir.Choice) else value
        configuration = ConfigSpace.Configuration(space, values=named)
        assert to_sample(PROGRAM, configuration) == pytest.approx(sample)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x ~ 0.0..1.0\ny ~ 0.0..1.0\nrequire x * y < 0.5", r"cannot say `require x \* y < 0.5`"),
        ("x ~ 0.0..1.0\ny ~ 0.0..1.0\nz ~ 1 | 2 when x < y", "cannot say when `z` exists"),
        ("m ~ A(k ~ 1..3) | B()\nz ~ 1 | 2\nrequire m.k > 1 or z == 2\nrequire m is not B or z == 1", None),
        ("m ~ A(k ~ X() | Y()) | B()\nz ~ 1 | 2\nrequire m.k is X or z == 2", "cannot forbid that a parameter is inactive"),
        ("x ~ log 1..1000000 step 3", "such a step"),
        ("let x ~ -5.0..5.0\ny = 1 / floor(x)", "not defined everywhere"),
    ],
)
def test_what_it_cannot_say_is_named(text: str, reason: str | None) -> None:
    program = parse(text)
    if reason is None:
        program.to_configspace()
        return
    with pytest.raises(InputError, match=reason):
        program.to_configspace()
