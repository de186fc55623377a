"""python -m automl_run.engine.testing.killed.agent: an agent, with the kill of the environment's plan in it."""

from __future__ import annotations

import sys

from automl_run.engine.agent.__main__ import main
from automl_run.engine.launchers.local import LocalLauncher

from .boundaries import arm


class KilledLauncher(LocalLauncher):
    """Starts such agents."""

    module = "automl_run.engine.testing.killed.agent"


if __name__ == "__main__":
    arm("agent")
    sys.exit(main(sys.argv[1:]))
