"""Draws the end of a run as it looks in a terminal: python docs/make_picture.py RUN_FOLDER docs/finished-run.svg"""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from automl_run.engine.report.table import final_table

WIDTH = 118


def draw(run: Path) -> str:
    """The final table of the run in folder `run`, as SVG without external fonts."""
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    text = final_table(summary, run, color=True, width=WIDTH)
    for absolute in (str(run.resolve().parents[3]), str(run.resolve())):
        text = text.replace(absolute + "/", "").replace(absolute, run.name)
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.from_ansi(text))
    svg = console.export_svg(title="automl-run examples/brain_tissue/brain_tissue.automl", unique_id="run")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(draw(Path(sys.argv[1])), encoding="utf-8")
