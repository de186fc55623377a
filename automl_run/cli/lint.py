"""`automl-run lint FILE ...`: what is allowed and hardly meant."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from automl_run.cli.options import Parser
from automl_run.cli.output import put, put_json
from automl_run.cli.rewrite import read_text, replace_file
from automl_run.dsl.diagnostics import Diagnostic, render
from automl_run.dsl.lint import lint, repair
from automl_run.dsl.load import Checked, check
from automl_run.errors import InputError


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="automl-run lint", description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="an .automl program or a Clara training config")
    parser.add_argument("--fix", action="store_true", help="make the fixes that leave the meaning as it is")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    args = parser.parse_args(argv)
    paths: list[Path] = args.files
    for path in paths:
        read_text(path)  # so that a file that is not there is told like any other wrong argument
        if args.fix and path.suffix == ".json":
            raise InputError("`--fix` changes .automl programs only")
    code, entries = 0, list[dict[str, object]]()
    for path in paths:
        checked, found = _linted(path, fix=args.fix)
        code = max(code, 2 if checked.program is None else 1 if found else 0)
        entries += [_entry(each, checked) for each in found]
        if args.json:
            continue
        if found:
            put("\n\n".join(_shown(each, checked) for each in found), sys.stderr if checked.program is None else sys.stdout)
        else:
            put(f"{path}: nothing found")
    if args.json:
        put_json({"ok": not entries, "diagnostics": entries})
    return code


def _linted(path: Path, *, fix: bool) -> tuple[Checked, list[Diagnostic]]:
    """The program, and what is found in it; with `fix` what is left when the file has been mended."""
    if not fix:
        checked = check(path)
        errors = [each for each in checked.diagnostics if each.severity == "error"]
        return checked, errors or lint(checked, str(path))
    repaired = repair(path)
    if repaired.text is not None:
        replace_file(path, repaired.text)
        put(f"{path}: {repaired.made} fixed", sys.stderr)
    return repaired.checked, list(repaired.left)


def _shown(diagnostic: Diagnostic, checked: Checked) -> str:
    text = render(diagnostic, checked.sources)
    if diagnostic.fixes and all(fix.safe for fix in diagnostic.fixes):
        line, _ = checked.sources[diagnostic.span.file].position(diagnostic.span.start)
        text += f"\n{'':>{len(str(line))}} = note: `--fix` does it"
    return text


def _entry(diagnostic: Diagnostic, checked: Checked) -> dict[str, object]:
    source = checked.sources.get(diagnostic.span.file)
    line, column = (None, None) if source is None else source.position(diagnostic.span.start)
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "help": diagnostic.help or None,
        "file": diagnostic.span.file or None,
        "line": line,
        "column": column,
        "fixes": [
            {"start": fix.span.start, "end": fix.span.end, "replacement": fix.replacement, "safe": fix.safe}
            for fix in diagnostic.fixes
        ],
    }
