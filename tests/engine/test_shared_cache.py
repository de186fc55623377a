"""Prepared volumes on disk for all jobs of a run: what is found again, what is not, and that no disk is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import monai.transforms as mt
import pytest
import torch
from brain import write_pairs
from small_mmar import make_study, training_config

from automl_run.cli.main import main
from automl_run.dsl import ir
from automl_run.dsl.load import parse
from automl_run.engine.agent.shared_cache import SharedCache, key_of, prefix

_TRAIN = '''
from pathlib import Path
import numpy as np
import monai.transforms as mt
from monai.data import Dataset

class Loaded(mt.MapTransform):
    """Counts how often a file is really read."""
    def __call__(self, data):
        with open(Path(data["image"]).parent / "loads", "a") as file:
            file.write(".")
        return {"image": np.load(data["image"])}

def train(params, report):
    scale = mt.ScaleIntensityd("image", minv=0.0, maxv=params["top"])
    steps = [Loaded("image"), scale, mt.RandShiftIntensityd("image", 0.1, prob=1.0)]
    items = [{"image": str(Path(__file__).parent / f"{i}.npy")} for i in range(3)]
    data = Dataset(items, mt.Compose(steps).set_random_state(0))
    return float(sum(item["image"].mean() for epoch in range(2) for item in data))
'''


#: A transform of a user's own that leaves a trace of each item that is prepared.
_COUNTED = """
from pathlib import Path
from monai.transforms import MapTransform

class Counted(MapTransform):
    def __call__(self, data):
        with open(Path(__file__).with_name("loads"), "a") as file:
            file.write(".")
        return data
"""


def test_jobs_of_an_mmar_prepare_each_volume_once(tmp_path: Path) -> None:
    """Scores are those of jobs that share nothing; of two jobs the best one's models stay (`keep = 1`)."""
    config = training_config()
    config["train"]["pre_transforms"].insert(0, {"path": "counting.Counted", "args": {"keys": "image"}})
    custom = tmp_path / "mmar" / "custom"
    tables = []
    for run_id, line, loads in (("off", "cache = false", 8), ("on", "keep = 1", 4)):
        file = make_study(tmp_path, config, more=f"workers = [cpu(1), cpu(1)]\n  {line}")
        custom.mkdir(exist_ok=True)
        (custom / "counting.py").write_text(_COUNTED)
        assert main([str(file), "--run-id", run_id]) == 0
        assert len((custom / "loads").read_text()) == loads
        (custom / "loads").unlink()
        tables.append(json.loads((tmp_path / "runs" / run_id / "summary.json").read_bytes()))
    off, on = ([(job["index"], job["score"], job["params"]) for job in table["jobs"]] for table in tables)
    assert on == off
    assert len({score for _, score, _ in on}) == 2
    run = tmp_path / "runs" / "on"
    assert not (run / "cache").exists()
    assert [path.parent.parent.name for path in run.glob("W*/models/model.pt")] == [tables[1]["best"]["job"]]


def _study(folder: Path, line: str, run_id: str) -> tuple[int, list[float]]:
    """Loads, and scores of the three jobs with equal transforms."""
    import numpy as np

    (folder / "mine.py").write_text(_TRAIN)
    (folder / "loads").unlink(missing_ok=True)
    for i in range(3):
        np.save(folder / f"{i}.npy", np.random.RandomState(i).rand(1, 4, 4, 4).astype(np.float32))
    (folder / "a.automl").write_text(
        f'automl 1\nstudy "a" {{\n  target = Python("mine:train")\n  maximize score\n  controller = Random()\n  {line}\n'
        f"  budget {{ trials = 3 }}\n  workers = [cpu(1), cpu(1)]\n}}\ntop = 2.0\nother ~ 0.0..1.0\n"
    )
    command = [sys.executable, "-m", "automl_run", "a.automl", "--run-id", run_id, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    jobs = json.loads(done.stdout)["jobs"]
    return len((folder / "loads").read_text()), [job["score"] for job in jobs]


def test_plain_datasets_only_where_the_study_says_so(tmp_path: Path) -> None:
    alone, scores = _study(tmp_path, "", "off")
    shared, same = _study(tmp_path, "cache = 1GiB", "on")
    assert (alone, shared) == (18, 3)
    assert same == scores


def test_one_makes_an_item_and_others_wait_for_it(tmp_path: Path) -> None:
    cache, made = SharedCache(tmp_path / "cache", 1 << 20), []
    everybody = threading.Barrier(4)

    def make() -> torch.Tensor:
        made.append(1)
        return torch.ones(3)

    def get() -> None:
        everybody.wait(60)
        assert torch.equal(cache.get("k", make), torch.ones(3))

    threads = [threading.Thread(target=get) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert made == [1]


def test_a_full_cache_keeps_what_it_has_and_serves_the_rest_fresh(tmp_path: Path) -> None:
    cache = SharedCache(tmp_path / "cache", 6000)
    made: list[str] = []

    def make(name: str) -> torch.Tensor:
        made.append(name)
        return torch.zeros(800)

    for name in ("a", "b", "a", "b"):
        cache.get(name, lambda name=name: make(name))  # type: ignore[misc]
    assert made == ["a", "b", "b"]
    assert sum(path.stat().st_size for path in (tmp_path / "cache").iterdir()) <= 6000


def test_a_damaged_item_is_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = SharedCache(tmp_path, 1 << 20)
    cache.get("k", lambda: 1)
    (tmp_path / "k.pt").write_bytes(b"no such thing")
    assert [cache.get("k", lambda: 2), cache.get("k", lambda: 3)] == [2, 2]
    assert "k.pt cannot be read" in capsys.readouterr().out


def test_an_error_in_the_transforms_is_the_jobs_and_nothing_is_kept(tmp_path: Path) -> None:
    cache = SharedCache(tmp_path, 1 << 20)

    def fail() -> object:
        raise ArithmeticError("mine")

    with pytest.raises(ArithmeticError, match="mine"):
        cache.get("k", fail)
    assert cache.get("k", lambda: 4) == 4


def test_what_cannot_be_stored_is_served_all_the_same(tmp_path: Path) -> None:
    blocked = tmp_path / "cache"
    blocked.write_text("a file where the folder should be")
    assert SharedCache(blocked, 1 << 20).get("k", lambda: 5) == 5
    value = SharedCache(tmp_path / "other", 1 << 20).get("k", lambda: lambda: 6)  # a function has no pickle
    assert value() == 6


def test_a_key_follows_files_items_and_arguments(tmp_path: Path) -> None:
    file = tmp_path / "a.nii"
    file.write_text("one")
    item = {"image": str(file), "n": 1}

    def key(item: object = item, top: float = 1.0, more: tuple[object, ...] = ()) -> str | None:
        compose = mt.Compose([mt.LoadImaged("image"), mt.ScaleIntensityd("image", maxv=top), mt.RandFlipd("image")])
        return key_of(item, prefix(compose), more)

    first = key()
    assert first is not None
    assert first == key()
    assert len({first, key(item={**item, "n": 2}), key(top=2.0), key(more=("contiguous",))}) == 4
    os.utime(file, ns=(1, 1))
    assert key() != first


def test_a_key_is_that_of_one_item_whatever_was_loaded_before(tmp_path: Path) -> None:
    items = [str(tmp_path / item["image"]) for item in write_pairs(tmp_path, 2, 8)]
    steps = [mt.LoadImaged("image"), mt.LoadImaged("image", reader="NibabelReader"), mt.EnsureChannelFirstd("image")]
    compose = mt.Compose([*steps[1:], mt.RandFlipd("image")])
    first = key_of({"image": items[1]}, prefix(compose), ())
    compose({"image": items[0]})
    assert key_of({"image": items[1]}, prefix(compose), ()) == first != key_of({"image": items[0]}, prefix(compose), ())
    steps[0]({"image": items[0]})
    assert key_of(0, [steps[0]], ()) == key_of(0, [mt.LoadImaged("image")], ())


def test_no_key_for_what_cannot_be_told_apart() -> None:
    compose = mt.Compose([mt.Lambdad("image", func=lambda x: x + 1), mt.RandFlipd("image")])
    assert key_of({"image": "a"}, prefix(compose), ()) is None
    assert prefix(mt.Compose([mt.RandFlipd("image"), mt.ScaleIntensityd("image")])) == []
    assert prefix(mt.OneOf([mt.ScaleIntensityd("image")])) == []


def test_the_key_of_a_study() -> None:
    def cache(line: str) -> int | None:
        study: ir.Study = parse(
            f'automl 1\nx ~ 0.0..1.0\nstudy {{ target = Python("a:b"), maximize y{line} }}\n', name="a.automl"
        ).study
        return study.cache

    assert [cache(""), cache(", cache = 2GiB"), cache(", cache = false")] == [None, 2 << 30, 0]
