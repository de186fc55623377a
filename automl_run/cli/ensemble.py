"""`automl-run ensemble RUN`: the mean of the best models' predictions, scored on the validation list."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from automl_run.cli.admin import run_parser
from automl_run.cli.options import whole_number
from automl_run.cli.output import put, put_json


def main(argv: Sequence[str]) -> int:
    parser = run_parser("ensemble", __doc__, json=True)
    parser.add_argument("--top", type=whole_number, default=5, metavar="N", help="how many of the best models (default: 5)")
    parser.add_argument("--predictions", type=Path, metavar="DIR", help="write label maps into this folder, which must not exist")
    args = parser.parse_args(argv)

    from automl_run.cli.admin import folder_of
    from automl_run.engine.export.folder import refuse_place
    from automl_run.engine.export.source import best_trained

    if args.predictions is not None:
        refuse_place(args.predictions)
    best = best_trained(folder_of(args), args.top)

    if len(best.rows) < args.top:
        print(f"only {len(best.rows)} of the best {args.top} have a score and a model", file=sys.stderr)

    from automl_run.engine.export.ensemble import ensemble
    from automl_run.engine.export.ensemble_table import as_json, table

    found = ensemble(best, args.predictions)
    put_json(as_json(found)) if args.json else put(table(found))
    return 0
