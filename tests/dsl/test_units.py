"""Units of `require`: what does not go together is told with both places."""

from __future__ import annotations

import pytest

from automl_run.dsl.load import check_text, parse

HEAD = """
let patch = 10mm ~ 5mm..20mm
let cache ~ 1GiB | 2GiB | 4GiB
let wait = 3min
let plain ~ 1..9
off ~ 0mm | 1mm..3mm
half = patch / 2
m ~ UNet(gap ~ 1mm..2mm) | VNet(gap ~ 1..2)
window = [5mm, 10mm]
"""


@pytest.mark.parametrize(
    "condition",
    [
        "patch <= 3GiB",
        "3GiB >= patch",
        "half < wait",
        "cache + patch < 9",
        "max(cache, wait) > plain",
        "plain * patch <= 40HU",
        "(patch if plain > 2 else half) <= 2h",
        "patch in [1GiB, 2GiB]",
        "1mm <= patch <= 2s",
        "off <= 3GiB",
        "not (patch > 2GiB)",
        "plain > 1 and patch > 2GiB",
        "patch / plain > 2GiB",
        "-patch > 2GiB",
        "m.UNet.gap > 2GiB",
    ],
)
def test_dimensions_that_do_not_go_together(condition: str) -> None:
    checked = check_text(f"{HEAD}require {condition}")
    assert [found.code for found in checked.diagnostics] == ["AM109"], checked.rendered()
    assert checked.diagnostics[0].secondary


@pytest.mark.parametrize(
    "condition",
    [
        "patch <= 15mm",
        "plain ** 3 * 4 <= 3GiB",
        "patch <= 30",
        "patch / 1mm <= 15",
        "patch / off <= 99999 or off == 0mm",
        "cache / patch <= 3GiB",
        "patch * patch <= 900",
        "cache <= 3GiB and wait <= 1h",
        "window[0] <= patch",
        "m.VNet.gap <= 3GiB",
        "cache // 2 <= 4GiB",
    ],
)
def test_what_goes_together(condition: str) -> None:
    checked = check_text(f"{HEAD}require {condition}")
    assert [found.code for found in checked.diagnostics if found.code not in ("AM124", "AM909")] == [], checked.rendered()


def test_names_within_a_section() -> None:
    checked = check_text("train {\n let roi ~ 5mm..9mm\n require roi <= 3GiB\n x ~ 1..2\n}")
    assert [found.code for found in checked.diagnostics] == ["AM109"]


def test_bytes_have_a_unit_of_their_own() -> None:
    assert check_text("x = 512B\ny ~ 1..3\nrequire 4B * y <= 1KB").ok
    assert parse("x = 512B").digest == parse("x = 512").digest
    assert not check_text("x = 512Bq").ok
