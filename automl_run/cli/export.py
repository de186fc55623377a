"""`automl-run export RUN --bundle OUT`: a trained model of a run as a MONAI bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from automl_run.cli.admin import folder_of, run_parser
from automl_run.cli.output import put


def main(argv: Sequence[str]) -> int:
    parser = run_parser("export", __doc__)
    parser.add_argument("--bundle", type=Path, metavar="OUT", required=True, help="the folder to make, which must not exist")
    parser.add_argument("--job", metavar="J", help="a job, by its name or number (default: the best)")
    args = parser.parse_args(argv)

    from automl_run.engine.export.bundle import export_bundle
    from automl_run.engine.export.folder import refuse_place

    refuse_place(args.bundle)
    put(export_bundle(folder_of(args), args.bundle, args.job))
    return 0
