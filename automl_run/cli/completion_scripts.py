"""The completion scripts. They hold all words, so that completing starts no Python; runs are sought when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Option:
    """`takes`: nothing, word (one of `words`), file, folder or text."""

    flag: str
    takes: str
    words: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True)
class Command:
    """`takes`: nothing, word (one of `words`), file or run."""

    name: str
    help: str
    options: tuple[Option, ...]
    takes: str
    words: tuple[str, ...] = ()


_BASH = """\
# Completion of automl-run for bash.
_automl_run_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY+=($(compgen -f -X '!*.automl' -- "$cur") $(compgen -f -X '!*.json' -- "$cur") $(compgen -d -- "$cur"))
}

_automl_run_folders() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY+=($(compgen -d -- "$cur"))
}

# Run ids in --out, ./runs and the MMAR's automl/, and folders.
_automl_run_runs() {
  local i place run places=(runs)
  for ((i = 1; i < COMP_CWORD - 1; i++)); do
    case ${COMP_WORDS[i]} in
      --out) places+=("${COMP_WORDS[i + 1]}") ;;
      -m) places+=("${COMP_WORDS[i + 1]}/automl") ;;
    esac
  done
  for place in "${places[@]}"; do
    for run in "$place"/*/@JOURNAL@; do
      [[ -f $run ]] || continue
      run=${run%/*} run=${run##*/}
      [[ $run == "$cur"* ]] && COMPREPLY+=("$run")
    done
  done
  _automl_run_folders
}

_automl_run() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=run
  COMPREPLY=()
  if ((COMP_CWORD > 1)); then
    case ${COMP_WORDS[1]} in
      @NAMES@) command=${COMP_WORDS[1]} ;;
    esac
  fi
  case $command:$prev in
    *:-m) _automl_run_folders; return ;;
@VALUES@
  esac
  if [[ $cur == -* ]]; then
    case $command in
@OPTIONS@
    esac
    return
  fi
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "@WORDS@" -- "$cur"))
    _automl_run_files
    return
  fi
  case $command in
@TAKES@
  esac
}
complete -F _automl_run automl-run
"""

_BASH_TAKES = {"file": "_automl_run_files", "folder": "_automl_run_folders", "run": "_automl_run_runs", "nothing": ":", "text": ":"}


def bash(commands: Sequence[Command], journal: str) -> str:
    """`journal`: the file that makes a folder a run."""

    def action(takes: str, words: Sequence[str]) -> str:
        return f'COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$cur"))' if takes == "word" else _BASH_TAKES[takes]

    values, options, takes = [], [], []
    for command in commands:
        for option in command.options:
            if option.takes != "nothing":
                values.append(f"    {command.name}:{option.flag}) {action(option.takes, option.words)}; return ;;")
        flags = " ".join(option.flag for option in command.options)
        options.append(f'      {command.name}) COMPREPLY=($(compgen -W "{flags}" -- "$cur")) ;;')
        takes.append(f"    {command.name}) {action(command.takes, command.words)} ;;")
    return _filled(_BASH, commands, journal, VALUES=values, OPTIONS=options, TAKES=takes)


_ZSH = """\
#compdef automl-run
# Completion of automl-run for zsh.
_automl_run_files() { _files -g '*.(automl|json)(-.)' }
_automl_run_folders() { _files -/ }

# Run ids in --out, ./runs and the MMAR's automl/, and folders.
_automl_run_runs() {
  local -a places found
  local i
  places=(runs)
  for ((i = 2; i < CURRENT - 1; i++)); do
    case ${words[i]} in
      --out) places+=("${words[i + 1]}") ;;
      -m) places+=("${words[i + 1]}/automl") ;;
    esac
  done
  for i in $places; do found+=($i/*/@JOURNAL@(N:h:t)); done
  compadd -a found
  _files -/
}

_automl_run() {
  local command=run
  local -a names
  names=(
@DESCRIBED@
  )
  if ((CURRENT > 2)); then
    case ${words[2]} in
      @NAMES@) command=${words[2]} ;;
    esac
  fi
  case $command:${words[CURRENT - 1]} in
    *:-m) _automl_run_folders; return ;;
@VALUES@
  esac
  if [[ ${words[CURRENT]} == -* ]]; then
    case $command in
@OPTIONS@
    esac
    return
  fi
  if ((CURRENT == 2)); then
    _describe command names
    _automl_run_files
    return
  fi
  case $command in
@TAKES@
  esac
}
compdef _automl_run automl-run
"""


def zsh(commands: Sequence[Command], journal: str) -> str:
    """As `bash`."""

    def action(takes: str, words: Sequence[str]) -> str:
        return f"compadd -- {' '.join(words)}" if takes == "word" else _BASH_TAKES[takes]

    values, options, takes, described = [], [], [], []
    for command in commands:
        for option in command.options:
            if option.takes != "nothing":
                values.append(f"    {command.name}:{option.flag}) {action(option.takes, option.words)}; return ;;")
        options.append(f"      {command.name}) compadd -- {' '.join(option.flag for option in command.options)} ;;")
        takes.append(f"    {command.name}) {action(command.takes, command.words)} ;;")
        described.append(f"    {_quoted(f'{command.name}:{command.help}')}")
    return _filled(_ZSH, commands, journal, VALUES=values, OPTIONS=options, TAKES=takes, DESCRIBED=described)


_FISH = """\
# Completion of automl-run for fish.
function __automl_run_runs
  for run in runs/*/@JOURNAL@
    basename (dirname $run)
  end
end

complete -c automl-run -n __fish_use_subcommand -k -a '(__fish_complete_suffix .automl)'
@LINES@
"""


def fish(commands: Sequence[Command], journal: str) -> str:
    """As `bash`; runs are sought in ./runs only."""
    lines: list[str] = []
    for command in commands:
        here = f"complete -c automl-run -n '__fish_seen_subcommand_from {command.name}'"
        if command.name == "run":
            here = "complete -c automl-run -n 'not __fish_seen_subcommand_from @NAMES@'"
        else:
            lines.append(f"complete -c automl-run -n __fish_use_subcommand -f -a {command.name} -d {_quoted(command.help)}")
        for option in command.options:
            takes = {"nothing": "", "word": f" -x -a {_quoted(' '.join(option.words))}", "text": " -x"}.get(option.takes, " -r -F")
            about = f" -d {_quoted(option.help)}" if option.help else ""
            lines.append(f"{here} -l {option.flag[2:]}{takes}{about}")
        if command.takes == "run":
            lines.append(f"{here} -k -a '(__automl_run_runs)'")
        elif command.takes == "word":
            lines.append(f"{here} -f -a {_quoted(' '.join(command.words))}")
        elif command.takes == "nothing":
            lines.append(f"{here} -f")
    names = " ".join(command.name for command in commands if command.name != "run")
    return _FISH.replace("@LINES@", "\n".join(lines)).replace("@NAMES@", names).replace("@JOURNAL@", journal)


def _filled(script: str, commands: Sequence[Command], journal: str, **parts: Sequence[str]) -> str:
    names = [command.name for command in commands]
    script = script.replace("@NAMES@", "|".join(names)).replace("@WORDS@", " ".join(names)).replace("@JOURNAL@", journal)
    for name, lines in parts.items():
        script = script.replace(f"@{name}@", "\n".join(lines))
    return script


def _quoted(text: str) -> str:
    """For a shell, in single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "'\\''") + "'"


SCRIPTS: Final[dict[str, Callable[[Sequence[Command], str], str]]] = {"bash": bash, "fish": fish, "zsh": zsh}
