"""What an editor asks about a program, answered from the same parser and elaborator as `automl-run check`.

    open texts --(documents)--> analysis (diagnostics, layers, places) --> completion, hover, definition, symbols, fixes

`server.py` alone speaks the protocol's transport. Nothing is imported from here but by `automl-run lsp`.
"""
