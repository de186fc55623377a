"""What a row of the proof took, and that one failed."""

from __future__ import annotations

import time
from collections.abc import Generator

import proof_scale
import pytest


@pytest.fixture(autouse=True)
def _timed() -> None:
    proof_scale.began_at = time.monotonic()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        proof_scale.record("failed", test=item.nodeid, when=report.when)
    return report
