"""`automl-run bench transforms`: measures the fast transforms beside MONAI's, torch by hand, other libraries and a plain copy.

Ratios are taken round by round and checked for right results first; see docs/kernels.md. Exit code 1 if a result of ours is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from automl_run.cli.options import Parser
from automl_run.cli.output import put
from automl_run.errors import InputError


def main(argv: Sequence[str]) -> int:
    args = parsed(argv)

    # Measuring needs torch and MONAI, the options do not.
    from automl_run.kernels import bench

    if args.gpu:
        _need_gpu()
    specs = bench.select(args.only, quick=args.quick, gpu=args.gpu)
    if args.list:
        put("\n".join(f"{spec.group}: {spec.name}" for spec in specs))
        return 0
    about = bench.describe(args.gpu)
    if busy := bench.busy():
        put(busy, sys.stderr)
    if args.json:
        put(json.dumps({"machine": about}))
    else:
        put(_described(about) + "\n\n" + bench.HEAD)
    budget_s = 1.0 if args.quick else 2.0
    results = []
    for result in bench.measure(specs, bench.Options(args.threads or ((1,) if args.gpu else (1, 2)), args.rounds, budget_s)):
        results.append(result)
        put(json.dumps(bench.document(result)) if args.json else "\n".join(bench.lines(result)))
    if not args.json:
        put("\n" + "\n".join(bench.summary(results)))
    if args.plot is not None:
        args.plot.write_text(bench.draw(results, about), encoding="utf-8")
    return int(any(result.ours_wrong for result in results))


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """The options; InputError for what cannot be measured or written."""
    parser = Parser(prog="automl-run bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["transforms"], help="what is measured")
    parser.add_argument("--only", metavar="CASE", help="only the cases of this group, or with this in their name")
    parser.add_argument("--list", action="store_true", help="print the cases and measure none")
    parser.add_argument("--quick", action="store_true", help="a few cases, few rounds: about a minute")
    parser.add_argument("--threads", type=_threads, metavar="N,N", help="numbers of threads (default: 1,2; with --gpu: 1)")
    parser.add_argument("--rounds", type=_rounds, metavar="N", help="rounds a case (default: 5 to 31, as many as fit into 2 s)")
    parser.add_argument("--gpu", action="store_true", help="measure on the GPU instead")
    parser.add_argument("--json", action="store_true", help="print one JSON line a case, after one for the machine")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the ratios to MONAI as SVG")
    args = parser.parse_args(argv)
    if args.list and args.json:
        raise InputError("--list prints names and has no --json")
    if args.plot is not None:
        # Minutes of measuring should not end at a wrong path.
        if args.plot.suffix != ".svg":
            raise InputError(f"--plot {args.plot}: only SVG is drawn, the name ends in .svg")
        if not args.plot.parent.is_dir():
            raise InputError(f"--plot {args.plot}: there is no folder {args.plot.parent}")
    return args


def _described(about: dict[str, object]) -> str:
    peers = about.pop("peers")
    said = ", ".join(f"{key} {value}" for key, value in about.items())
    about["peers"] = peers
    return said + "\npeers: " + ", ".join(f"{name} {state}" for name, state in dict(peers).items())  # type: ignore[call-overload]


def _need_gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        raise InputError("--gpu: torch finds no GPU on this machine")


def _threads(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) if part.isdecimal() else 0 for part in text.split(","))
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is no list of threads such as 1,2")
    return numbers


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is no number of rounds from 1 up")
    return int(text)
