"""Measures the transforms and writes what the documents show of it.

Into benchmarks/transforms.jsonl the whole run, into benchmarks/README.md a row for each group of cases, and docs/transforms.svg.

    python benchmarks/bench_transforms.py                  # measure all cases, then write all three
    python benchmarks/bench_transforms.py RESULTS.jsonl    # write them from `automl-run bench transforms --json > RESULTS.jsonl`
    python benchmarks/bench_transforms.py --quick --into FOLDER

Measuring alone, without writing, is `automl-run bench transforms`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from automl_run.kernels import bench

ROOT = Path(__file__).resolve().parents[1]
MARKS = ("<!-- transforms: written by bench_transforms.py -->", "<!-- end of transforms -->")


def measured(quick: bool) -> tuple[Mapping[str, object], list[bench.Result]]:
    """The machine and the results, printed while they come."""
    about, results = bench.describe(gpu=False), []
    print(bench.busy(), file=sys.stderr)
    print(bench.HEAD, flush=True)
    for result in bench.measure(bench.select(None, quick=quick, gpu=False), bench.Options(budget_s=1.0 if quick else 2.0)):
        results.append(result)
        print("\n".join(bench.lines(result)), flush=True)
    return about, results


def read(path: Path) -> tuple[Mapping[str, object], list[bench.Result]]:
    """The same from the JSON lines of `automl-run bench transforms --json`."""
    first, *others = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return first["machine"], [bench.result_of(document) for document in others]


def text(about: Mapping[str, object], results: Sequence[bench.Result]) -> str:
    """The part of the page between the marks."""
    peers = about["peers"]
    machine = ", ".join(f"{key} {value}" for key, value in about.items() if key != "peers")
    assert isinstance(peers, Mapping)
    libraries = ", ".join(f"{name} {state}" for name, state in peers.items())
    table, said = bench.overview(results), bench.summary(list(results))
    return "\n".join([MARKS[0], "```", machine, libraries, "```", "", *table, "", "```", *said, "```", MARKS[1]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=Path, help="JSON lines that were measured before")
    parser.add_argument("--quick", action="store_true", help="a few cases")
    parser.add_argument("--into", type=Path, default=ROOT, metavar="FOLDER", help="a copy of the documents instead of this one's")
    options = parser.parse_args()
    page, picture = options.into / "benchmarks" / "README.md", options.into / "docs" / "transforms.svg"
    before = page.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(MARKS[0])}.*?{re.escape(MARKS[1])}", re.S)
    if not pattern.search(before):
        raise SystemExit(f"{page} has no part between `{MARKS[0]}` and `{MARKS[1]}`")
    about, results = read(options.results) if options.results else measured(options.quick)
    page.write_text(pattern.sub(lambda _: text(about, results), before), encoding="utf-8")
    lines = [json.dumps({"machine": about}), *(json.dumps(bench.document(result)) for result in results)]
    (page.parent / "transforms.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    picture.write_text(bench.draw(results, about), encoding="utf-8")


if __name__ == "__main__":
    main()
