"""`python -m automl_run` is `automl-run`."""

import sys

from automl_run.cli.main import main

sys.exit(main())
