"""Measurement: results are checked first, who is wrong or absent is reported, and rows say how ours compares."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
import torch

from automl_run.kernels import bench
from automl_run.kernels.bench.case import FLOOR, MONAI, OURS, TORCH, Case, Spec
from automl_run.kernels.bench.checks import same, unchecked
from automl_run.kernels.bench.goals import LIGHT, Verdict
from automl_run.kernels.bench.pipelines import Batches, heavy_steps, light_steps
from automl_run.kernels.bench.sources import items

SOURCE = torch.arange(64.0).reshape(1, 4, 4, 4)
OPTIONS = bench.Options(threads=(1,), rounds=3, settle_s=0)
Call = Callable[[int], object]


def spec(ours: Call, *peers: tuple[str, Call]) -> Spec:
    def build(threads: int) -> Case:
        case = Case(read_bytes=256)
        case.add(MONAI, lambda turn: SOURCE * 2, unchecked)
        case.add(OURS, ours, same())
        for name, call in peers:
            case.add(name, call, same())
        case.peer("DALI", lambda module: pytest.fail("made although it is not there"), same())
        return case

    return Spec("double 4^3", "double", build, {OURS: LIGHT})


@pytest.fixture(autouse=True)
def _without_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl_run.kernels.bench.case.find", lambda name: (None, "not installed"))


def measured(spec: Spec) -> bench.Result:
    (result,) = bench.measure([spec], OPTIONS)
    return result


def broken(turn: int) -> object:
    raise RuntimeError("no such\nthing")


def test_a_case_has_ratios_verdicts_and_a_floor() -> None:
    result = measured(spec(lambda turn: SOURCE + SOURCE, (TORCH, lambda turn: SOURCE.mul(2))))
    assert set(result.ms) == {MONAI, OURS, TORCH, FLOOR}
    assert (result.rounds, result.wrong, result.missing) == (3, {}, {"DALI": "not installed"})
    (row,) = result.rows
    assert row.best_peer == TORCH
    assert set(row.verdicts) == {"MONAI", "best peer", "copy floor"}
    assert not result.ours_wrong


def test_wrong_results_are_reported_and_not_timed() -> None:
    result = measured(spec(lambda turn: SOURCE * 2, ("liar", lambda turn: SOURCE * 3), ("breaker", broken)))
    assert set(result.wrong) == {"liar", "breaker"}
    assert result.wrong["breaker"] == "RuntimeError: no such"
    assert not {"liar", "breaker"} & set(result.ms)
    assert not result.ours_wrong
    assert sum("WRONG, not timed" in line for line in bench.lines(result)) == 2


def test_ours_wrong_is_timed_by_nobody() -> None:
    wrong = measured(spec(lambda turn: SOURCE))
    assert wrong.ours_wrong
    assert wrong.ms == {}
    assert "| wrong |" in bench.lines(wrong)[0]


def test_the_number_of_threads_is_set_and_restored() -> None:
    seen, before = set(), torch.get_num_threads()

    def call(turn: int) -> object:
        seen.add(torch.get_num_threads())
        return SOURCE * 2

    for result in bench.measure([spec(call)], OPTIONS):
        assert result.threads == 1
    assert seen == {1}
    assert torch.get_num_threads() == before


@pytest.fixture(scope="module")
def results() -> list[bench.Result]:
    return list(bench.measure([spec(lambda turn: SOURCE * 2, (TORCH, lambda turn: SOURCE.mul(2)))], OPTIONS))


def test_json_and_back(results: list[bench.Result]) -> None:
    (result,) = results
    document = json.loads(json.dumps(bench.document(result)))
    assert document["rows"][0]["best_peer"] == TORCH
    assert bench.result_of(document) == result


def test_a_line_has_a_cell_for_every_column(results: list[bench.Result]) -> None:
    (line,) = bench.lines(results[0])
    assert line.count("|") == bench.HEAD.splitlines()[-1].count("|")
    assert "torch by hand" in line


def test_the_summary_counts_goals(results: list[bench.Result]) -> None:
    said = bench.summary(results)
    assert said[0].endswith("of 2 goals met.") or said[0].endswith("of 3 goals met.")
    assert "left out: DALI: not installed" in said


def test_the_picture_is_valid_and_says_what_it_shows(results: list[bench.Result]) -> None:
    root = ET.fromstring(bench.draw(results, {"cpu": "A & B", "date": "2026-01-01"}))
    words = [element.text or "" for element in root.iter() if element.tag.endswith("text")]
    assert "double 4^3" in words
    assert {"automl-run", "torch by hand", "MONAI"} <= set(words)
    assert any("A & B" in word for word in words)
    assert ET.fromstring(bench.draw([], {})) is not None


def test_batches_go_round_the_ring() -> None:
    ring = items((8, 8, 8), count=6)
    batches = Batches(ring)
    assert [item["image"] is ring[(4 + i) % 6]["image"] for i, item in enumerate(batches(1))] == [True] * 4
    assert batches(0)[0] is not ring[0], "a pipeline may write into its dictionary"


def test_every_case_is_named_once_and_pipelines_hold_what_they_say() -> None:
    names = [spec.name for spec in bench.all_specs()]
    assert len(names) == len(set(names))
    assert {"crop into batch 4 x 96^3", "light pipeline 4 x 128^3", "heavy pipeline 4 x 96^3"} <= set(names)
    assert len(heavy_steps(96)) == len(light_steps(96)) + 3


def test_the_overview_has_the_median_case_of_each_group() -> None:
    def result(case: str, threads: int, factor: float, group: str = "flip") -> bench.Result:
        row = bench.Row(OURS, (factor,) * 3, None, {"A": (2.0, 2.0, 2.0)}, None, {"MONAI": Verdict(5, factor, factor >= 5)})
        ms = {MONAI: (factor,) * 3, OURS: (1.0, 1.0, 1.0)}
        return bench.Result(case, group, threads, 5, ms, [row], {}, {})

    run = [result(case, threads, factor * threads) for threads in (1, 2) for case, factor in (("a", 1), ("b", 3), ("c", 9))]
    head, flips, crops = bench.overview([*run, result("d", 2, 4, "crop")])
    assert "on 1, 2 threads" in head
    assert flips == "| flip | 3 | b | 3, 6 | -, - | 2 A, 2 A | -, - | 3 of 6 |"
    assert crops == "| crop | 1 | d | 4 | - | 2 A | - | 0 of 1 |"
