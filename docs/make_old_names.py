"""Prints the tables of old names of docs/from-clara.md from the one table that the program has: `python docs/make_old_names.py`.

With `--write` it puts them into the page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from automl_run.dsl.old_names import OLD_ARGUMENTS, OLD_CLASSES, OLD_FUNCTIONS, WITHOUT_SUCCESSOR, OldClass

PAGE: Final = Path(__file__).with_name("from-clara.md")
BEGIN, END = "<!-- old names -->\n", "<!-- end of old names -->"


def tables() -> str:
    """The tables as Markdown."""
    classes = [_class(row) for row in OLD_CLASSES.values() if not row.name.endswith("D")]
    moved = ", ".join(f"`{old}` → `{new}`" for old, new in OLD_FUNCTIONS.items())
    return "\n".join(
        [
            "Classes:\n",
            *_table(("old", "of", "today", "its arguments"), classes),
            "\nArguments of classes that are still there:\n",
            *_table(("of", "old", "today"), [_argument(*row) for row in OLD_ARGUMENTS]),
            f"\nFunctions in `#expressions`: {moved}.",
            "\nNothing stands for these by themselves. A config of 3.x is translated with its pipelines, metrics and policies;",
            "in one of 4.x a run refuses them, and says what to do:\n",
            *_table(("old", "instead"), [(f"`{name}`", help) for name, help in WITHOUT_SUCCESSOR.items()]),
            "",
        ]
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [_line(head), _line(("-",) * len(head)), *map(_line, rows)]


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _class(row: OldClass) -> tuple[str, str, str, str]:
    given = [(old, new) for old, new in row.renamed.items() if old in row.arguments]
    unused = [f"`{old}`" for old, new in given if new is None and f"`{old}`" not in row.note]
    words = [
        *(f"`{old}` → `{new}`" for old, new in given if new is not None),
        *(f"default `{name} = {_value(value)}`" for name, value in row.defaults.items()),
        *([f"unused: {', '.join(unused)}"] if unused else []),
        *([row.note] if row.note else []),
    ]
    return f"`{row.name}`", row.origin, f"`{row.today.rpartition('.')[2]}`", "; ".join(words)


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


def _argument(classes: str, old: str, new: str | None) -> tuple[str, str, str]:
    owners = "all that have it" if classes == "*" else ", ".join(f"`{name}`" for name in classes.split() if not name.endswith("D"))
    return "all without it" if classes == "*" and new is None else owners, f"`{old}`", "unused" if new is None else f"`{new}`"


def main() -> None:
    if "--write" in sys.argv:
        text = PAGE.read_text(encoding="utf-8")
        new = re.sub(f"(?<={BEGIN}).*?(?={END})", lambda _: f"\n{tables()}\n", text, flags=re.S)
        PAGE.write_text(new, encoding="utf-8")
    else:
        print(tables())


if __name__ == "__main__":
    main()
