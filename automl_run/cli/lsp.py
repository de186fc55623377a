"""`automl-run lsp`: the language server, over standard input and output, for an editor to start."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from automl_run.cli.options import Parser
from automl_run.errors import InputError


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="automl-run lsp", description=__doc__)
    # Editors add it to every server they start; there is no other way to talk here.
    parser.add_argument("--stdio", action="store_true", help="accepted for editors that pass it")
    parser.parse_args(argv)
    if importlib.util.find_spec("pygls") is None:
        raise InputError("the language server needs the package pygls: pip install 'automl-run[lsp]'")
    from automl_run.dsl.language_server.server import serve

    return serve()
