"""`automl-run logs RUN JOB`: what a job has printed; with -f also what it prints from now on, until it ends."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from automl_run.cli.admin import folder_of, run_parser

_SELDOM = 25


def main(argv: Sequence[str]) -> int:
    parser = run_parser("logs", __doc__)
    parser.add_argument("job", metavar="JOB", help="its name, its number, or the worker whose newest job it is: W1_2_J3, 3 or W1")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job ends")
    args = parser.parse_args(argv)

    from automl_run.engine import journal
    from automl_run.engine.admin.console import read_run
    from automl_run.engine.admin.logs import Follower, has_ended, job_named, nap, printed
    from automl_run.errors import RunError

    folder = folder_of(args)
    job, attempt = job_named(read_run(folder), args.job, folder)
    if not args.follow:
        _write(printed(folder, job, attempt))
        return 0
    follower = Follower(folder, job, attempt)
    over, naps = False, 0
    while True:
        if not _write(follower.read(attempt)) or over:
            return 0
        nap()
        naps += 1
        # The scheduler has better things to do than to write summaries.
        if naps % _SELDOM and not has_ended(folder, job, attempt):
            continue
        alive = journal.in_use(folder)
        try:
            found = next(one for one in read_run(folder)["jobs"] if one["name"] == job)
        except RunError:
            # Its scheduler is just starting or ending.
            continue
        attempt, over = found["attempts"], not alive or found["state"] not in ("running", "waiting")


def _write(parts: Iterable[bytes]) -> bool:
    """False when nobody reads any more."""
    sys.stdout.flush()
    try:
        for data in parts:
            sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        return False
    return True
