"""`automl-run stop RUN`: ends a run as Ctrl-C does, so that `resume` goes on with it; also one whose scheduler is dead or stuck."""

from __future__ import annotations

from collections.abc import Sequence

from automl_run.cli.admin import folder_of, run_parser
from automl_run.cli.output import put


def main(argv: Sequence[str]) -> int:
    parser = run_parser("stop", __doc__)
    parser.add_argument("--now", action="store_true", help="kill the jobs instead of asking them for a last checkpoint")
    args = parser.parse_args(argv)

    from automl_run.engine.admin.console import stop

    for line in stop(folder_of(args), now=args.now):
        put(line)
    return 0
