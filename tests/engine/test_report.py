"""The final table and `report.html`."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from automl_run.dsl.ir import Value
from automl_run.engine.report.curve import best_so_far, curve, parameter_plots
from automl_run.engine.report.html import write_report
from automl_run.engine.report.svg import Scale, padded
from automl_run.engine.report.table import final_table
from automl_run.engine.report.wording import (
    number_text,
    score_text,
    seconds_text,
    short_names,
    value_text,
)
from automl_run.engine.summary import read_summary
from automl_run.errors import InputError

LR, PROB, NET = "train.optimizer.args.lr", "train.pre_transforms.Flip.args.prob", "train.model.name"
HOSTILE = '<script>alert("x")</script>&\'"'


def job(index: int, score: float | None, state: str = "done", **more: object) -> dict[str, object]:
    params = {LR: 10.0 ** -(index % 4 + 1), PROB: index / 10, NET: "AHNet" if index % 2 else "UNet"}
    scores = {} if score is None else {"dice": score}
    base: dict[str, object] = {"name": f"W1_{index + 1}_J{index + 1}", "index": index, "state": state, "cause": None}
    return {**base, "score": score, "scores": scores, "params": params, "seconds": 30.0 + index, "gpus": [0], **more}


def summary(*jobs: dict[str, object], best: int | None = None, **more: object) -> dict[str, object]:
    chosen = next((entry for entry in jobs if entry["index"] == best), None)
    found = chosen and {"job": chosen["name"], "score": chosen["score"], "params": chosen["params"], "path": "/runs/r/best"}
    base: dict[str, object] = {"run_id": "r", "state": "done", "digest": "abc", "best": found, "jobs": list(jobs), "seconds": 100.0}
    return {**base, "objectives": [{"name": "dice", "direction": "maximize"}], **more}


FULL = summary(
    job(0, 0.6),
    job(1, 0.7),
    job(2, None, "failed", cause="oom_gpu", message=f"out of memory {HOSTILE}\nsecond line"),
    job(3, 0.82),
    job(4, 0.5, "stopped", cause="median"),
    job(5, None, "running"),
    best=3,
)


class _Strict(HTMLParser):
    """Fails on a tag closed out of order, and keeps what could load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> _Strict:
    parser = _Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def test_the_report_is_whole_and_self_contained(tmp_path: Path) -> None:
    path = write_report(tmp_path, FULL)
    assert path == tmp_path / "report.html"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    page = path.read_text(encoding="utf-8")
    found = parsed(page)
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert not any(link.startswith(("http", "//")) for link in found.links)
    for words in ("W1_4_J4", "oom_gpu", "0.8200", "+0.2200", "baseline 0.6000", "stopped (median)", "median"):
        assert words in page


def test_gpu_hours_are_told_where_there_are_any(tmp_path: Path) -> None:
    data = summary(job(0, 0.5)) | {"gpu_hours": 12.5}
    for said in (write_report(tmp_path, data).read_text(encoding="utf-8"), final_table(data, tmp_path)):
        assert "12.5 GPU hours" in said
    assert "GPU hours" not in final_table(summary(job(0, 0.5)), tmp_path)


@pytest.mark.parametrize("place", ["run_id", "name", "params", "objective", "message", "reason", "path"])
def test_nothing_of_the_user_is_markup(tmp_path: Path, place: str) -> None:
    entry = job(0, 0.5, message=HOSTILE if place == "message" else "")
    other = job(1, 0.6)
    if place == "name":
        entry["name"] = HOSTILE
    if place == "params":
        entry["params"], other["params"] = {HOSTILE: HOSTILE}, {HOSTILE: "y"}
    data = summary(entry, other, best=0)
    if place == "objective":
        data["objectives"] = [{"name": HOSTILE, "direction": "minimize"}]
    if place in ("run_id", "reason"):
        data[place] = HOSTILE
    if place == "path":
        data["best"] = {"job": "W1_1_J1", "score": 0.5, "path": HOSTILE}
    page = write_report(tmp_path, data).read_text(encoding="utf-8")
    parsed(page)
    assert "<script" not in page
    assert "&lt;script" in page


@pytest.mark.parametrize(
    "data",
    [
        summary(),
        summary(state="failed", reason="the first 3 jobs failed alike", objectives=[]),
        summary(job(0, None, "failed", cause="user_error", message="ValueError")),
        summary(job(0, 0.5)),
        summary(job(0, 0.5), job(1, 0.5), best=0),
        summary(job(0, 1e300), job(1, -1e300), best=0),
        summary(job(1, 0.5), best=1),
        summary(*(job(i, 1.0 / (i + 1)) for i in range(300)), best=0),
        summary(job(0, 0.5, params={"a": None, "b": [1, {"c": True}], "d": float("1e-12")}), job(1, 0.1), best=0),
    ],
)
def test_every_run_has_a_report_and_a_table(tmp_path: Path, data: dict[str, object]) -> None:
    parsed(write_report(tmp_path, data).read_text(encoding="utf-8"))
    text = final_table(data, tmp_path, color=False, width=90)
    assert "Run r" in text
    assert str(tmp_path / "report.html") in text


def test_best_so_far_follows_the_direction() -> None:
    jobs = (job(0, 0.5), job(1, 0.4), job(2, None, "failed"), job(3, 0.9))
    assert [step.best for step in best_so_far(read_summary(summary(*jobs)))] == [0.5, 0.5, 0.5, 0.9]
    down = summary(*jobs, objectives=[{"name": "loss", "direction": "minimize"}])
    assert [step.best for step in best_so_far(read_summary(down))] == [0.5, 0.4, 0.4, 0.4]


def test_the_curve_has_one_mark_per_ended_job() -> None:
    picture = curve(read_summary(FULL))
    assert picture is not None
    assert picture.count("<circle") == 4
    assert picture.count('class="lost"') == 1
    assert curve(read_summary(summary(job(0, None, "failed")))) is None


def test_linked_targets_share_one_picture_and_constants_have_none() -> None:
    jobs = [
        job(i, 0.5 + i / 10, params={"a.x": i / 7, "b.x": i / 7, "c": "abc"[i % 3], "d": "uvw"[i % 3], "e": 1, "f": 3.0**i})
        for i in range(6)
    ]
    read = read_summary(summary(*jobs, best=5))
    assert [path for path, _ in parameter_plots(read, short_names(read.paths))] == ["a.x", "c", "f"]


def test_the_final_table_says_what_was_found(tmp_path: Path) -> None:
    text = final_table(FULL, tmp_path, color=False, width=110)
    assert "\x1b" not in text
    assert re.search(r"W1_4_J4 \*\s+done\s+0\.8200", text)
    assert re.search(r"dice\s+0\.8200 \(\+0\.2200\)\s+0\.6000", text)
    assert re.search(r"lr\s+1\.00e-04\s+0\.1", text)
    assert "W1_3_J3: out of memory" in text
    assert "second line" not in text
    assert re.search(r"Best model\s+/runs/r/best", text)
    assert "6 jobs: 3 done, 1 stopped, 1 failed, 1 running" in text


def test_many_parameters_share_one_column(tmp_path: Path) -> None:
    params = {f"section{i}.value{i}": i / 3 for i in range(20)}
    text = final_table(summary(job(0, 0.5, params=params)), tmp_path, color=False, width=80)
    assert "value19=6.333" in text
    assert all(len(line) <= 80 for line in text.splitlines() if str(tmp_path) not in line)


def test_color_is_asked_for(tmp_path: Path) -> None:
    assert "\x1b[" in final_table(FULL, tmp_path, color=True, width=110)


def test_a_foreign_document_is_refused() -> None:
    with pytest.raises(InputError, match="not the summary of a run"):
        read_summary({"hello": 1})
    assert read_summary({**FULL, "later": {"version": 9}}).run_id == "r"


def test_words_and_numbers() -> None:
    assert short_names([LR, PROB, NET]) == {LR: "lr", PROB: "prob", NET: "model.name"}
    assert short_names(["a.x", "b.x", "x"]) == {"a.x": "a.x", "b.x": "b.x", "x": "x"}
    assert [number_text(x) for x in (0.0, 0.5, 3e-4, 12.3456, 2e7, -0.25)] == ["0", "0.5", "3.00e-04", "12.35", "2.00e+07", "-0.25"]
    values: list[Value] = ["a", True, None, [1, 2], 3]
    assert [value_text(x) for x in values] == ["a", "true", "null", "[1, 2]", "3"]
    assert [score_text(x) for x in (None, 0.81234, 0.0, 1e-6, 12345.6)] == ["–", "0.8123", "0.0000", "1e-06", "12346"]
    assert [seconds_text(x) for x in (None, 0.31, 9.97, 59.7, 61, 3725)] == [
        "–", "0.3 s", "10 s", "1 min 00 s", "1 min 01 s", "1 h 02 min",
    ]  # fmt: skip


def test_scales() -> None:
    scale = Scale(1e-4, 1e-1, 0.0, 300.0, log=True)
    assert scale(1e-3) == pytest.approx(100.0)
    assert scale.ticks(4) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])
    assert Scale(0.0, 1.0, 0.0, 100.0).ticks(5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    lo, hi = padded([0.5, 0.5])
    assert lo < 0.5 < hi
