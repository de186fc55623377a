"""What can be seen of a command before it runs: that its program and its script are there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from automl_run.errors import InputError

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=")
#: What a shell does by itself, or reads as its own grammar.
_BUILTINS: Final = frozenset({
    ".", ":", "[", "[[", "alias", "builtin", "cd", "command", "declare", "echo", "enable", "eval", "exec", "exit", "export",
    "false", "getopts", "hash", "kill", "let", "local", "mapfile", "popd", "printf", "pushd", "pwd", "read", "readarray",
    "readonly", "return", "set", "shift", "shopt", "source", "test", "time", "times", "trap", "true", "type", "typeset",
    "ulimit", "umask", "unset", "wait", "if", "for", "while", "until", "case", "select", "function", "coproc", "{", "!",
})  # fmt: skip
_RUNS_A_FILE: Final = re.compile(r"(?:python[\d.]*|bash|sh|Rscript|julia|perl)")
_SCRIPT: Final = re.compile(r".+\.(?:py|sh|bash|R|jl|pl)")


def check_words(words: Sequence[str], folder: Path, path: str | None) -> None:
    """For a program with its arguments. InputError if it is not there, or the script that it is given first is not.

    `folder`: where it will run; `path`: the PATH that it is sought in. A word with a `$` is not known yet.
    """
    program = words[0]
    if "$" in program:
        return
    if "/" in program:
        found: str | None = str(folder / program) if os.access(folder / program, os.X_OK) else None
        if found is None:
            reason = "may not be executed" if (folder / program).exists() else "is not there"
            raise InputError(f"Command: {folder / program} {reason}")
    else:
        found = shutil.which(program, path=path)
        if found is None:
            help = "; `{python}` is the one that runs automl-run" if _RUNS_A_FILE.fullmatch(program) else ""
            raise InputError(f"Command: there is no program `{program}` on the PATH{help}")
    if _RUNS_A_FILE.fullmatch(Path(program).name) is None:
        return
    for word in words[1:]:
        if "$" in word or (word.startswith("-") and word not in ("-c", "-m", "-")):
            continue
        if _SCRIPT.fullmatch(word) is not None and not (folder / word).exists():
            raise InputError(f"Command: there is no file {folder / word}")
        return


def check_shell(line: str, folder: Path, environment: Mapping[str, str]) -> None:
    """For the first command of a line of the shell, as far as it is plain."""
    words: list[str] = []
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()<>\n")
        lexer.whitespace_split = True
        for word in lexer:
            if word and word[0] in ";&|()<>\n":
                if words and word[0] == "(":
                    return  # a function of its own
                break
            words.append(word)
    except ValueError:
        return  # the shell will say it better
    while words and _ASSIGNMENT.match(words[0]):
        if words.pop(0).startswith("PATH="):
            return
    if not words or words[0] in _BUILTINS or re.search(r"[`*?~{}\[\]]", words[0]):
        return
    # A function that the shell inherits, such as a cluster's `module`.
    if f"BASH_FUNC_{words[0]}%%" in environment or "BASH_ENV" in environment:
        return
    check_words(words, folder, environment.get("PATH"))
