"""The Python of the pages about kernels runs as it stands; the measured table is written into a copy of the benchmarks' page."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from automl_run.kernels import bench

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("page", ["kernels.md", "faster-augmentation.md"])
def test_the_python_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for text in re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.M | re.S):
        exec(compile(text, page, "exec"), names)
    assert "RandFlipd" in capsys.readouterr().out


def test_the_table_is_written_between_its_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = ROOT / "benchmarks" / "bench_transforms.py"
    spec = importlib.util.spec_from_file_location("bench_transforms", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for folder in ("benchmarks", "docs"):
        (tmp_path / folder).mkdir()
    page = tmp_path / "benchmarks" / "README.md"
    shutil.copyfile(ROOT / "benchmarks" / "README.md", page)
    (result,) = bench.measure(
        bench.select("flip axis 2 96", quick=True, gpu=False), bench.Options(threads=(1,), rounds=2, settle_s=0)
    )
    lines = tmp_path / "results.jsonl"
    lines.write_text(json.dumps({"machine": bench.describe(gpu=False)}) + "\n" + json.dumps(bench.document(result)) + "\n")
    monkeypatch.setattr(sys, "argv", [str(script), str(lines), "--into", str(tmp_path)])
    module.main()
    module.main()
    text = page.read_text(encoding="utf-8")
    assert text.count("| flip | 1 | flip axis 2 96^3 float32 |") == 1
    assert text.count("| flip, plain tensor | 1 | flip axis 2 96^3 float32 | - |") == 1
    written = (tmp_path / "benchmarks" / "transforms.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in written.splitlines()] == [json.loads(line) for line in lines.read_text().splitlines()]
    assert text.count(module.MARKS[0]) == text.count(module.MARKS[1]) == 1
    assert "## `bench_language.py`" in text
    assert (tmp_path / "docs" / "transforms.svg").read_text(encoding="utf-8").startswith("<svg")
