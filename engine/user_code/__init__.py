"""Controllers, handlers and executors of the user's, written for Clara Train's AutoML: they run as they stand, each in a process
of its own.

    scheduler ── session (process, calls) ── messages ──> host: the user's controller and handlers
    scheduler ── Assign ──> job: the user's executor

`provided/` is the package `automl` that such code imports; nothing outside these two processes ever sees it under that name.
"""
