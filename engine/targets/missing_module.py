"""A command whose Python lacks what this one has: `python` on the PATH is often another environment's."""

from __future__ import annotations

import re
import sys
from importlib.machinery import PathFinder
from typing import Final

_MISSING: Final = re.compile(r"ModuleNotFoundError: No module named '(\w+)")
_OURS: Final = "automl_run"


def other_python(words: str) -> str:
    """What helps when a failed command said `words` last, as the end of a sentence; "" where nothing is known."""
    found = _MISSING.search(words)
    if found is None:
        return ""
    # What lies beside the user's own files is no installed module.
    installed = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    if found[1] != _OURS and PathFinder.find_spec(found[1], installed) is None:
        return ""
    help = f"; `{{python}}` in the command is {sys.executable}, which has it"
    return help + (", or run `pip install --no-deps automl-run` in the command's environment" if found[1] == _OURS else "")
