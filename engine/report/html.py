"""`report.html`: one self-contained file with no script and no network, readable in light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote

from automl_run.engine.files import REPORT, write_whole
from automl_run.engine.summary import Job, Recommendation, Summary, read_summary
from automl_run.engine.words import counted

from .curve import curve, parameter_plots
from .wording import (
    best_note,
    counts_text,
    gain_text,
    gpu_hours_text,
    score_text,
    seconds_text,
    short_names,
    state_text,
    value_text,
)


def write_report(folder: Path, summary: Mapping[str, object]) -> Path:
    """Writes `folder`/report.html from the content of summary.json and returns its path."""
    path = folder / REPORT
    write_whole(path, render(read_summary(summary), folder).encode())
    return path


def render(summary: Summary, folder: Path) -> str:
    """The page. `folder`: links to files inside it are made relative."""
    names = short_names(summary.paths)
    parts = [
        _header(summary),
        _cards(summary),
        _curve(summary),
        _best(summary, names, folder),
        _plots(summary, names),
        _jobs(summary, names),
        f'<footer>automl-run · digest <span class="mono">{escape(summary.digest or "unknown")}</span></footer>',
    ]
    title = escape(f"{summary.run_id} · automl-run")
    return _PAGE.replace("{title}", title).replace("{style}", _STYLE).replace("{body}", "\n".join(filter(None, parts)))


def _header(summary: Summary) -> str:
    goal = f"{summary.objective.direction} {summary.objective.name}" if summary.objectives else "no objective"
    others = "".join(f", {entry.direction} {entry.name}" for entry in summary.objectives[1:])
    reason = f'<p class="reason">{escape(summary.reason)}</p>' if summary.reason else ""
    return (
        f'<header><h1>{escape(summary.run_id)}<span class="state {escape(summary.state)}">{escape(summary.state)}</span></h1>'
        f'<p class="sub">{escape(goal + others)} · {escape(counts_text(summary))}</p>{reason}</header>'
    )


def _cards(summary: Summary) -> str:
    best, baseline = summary.best, summary.baseline
    cards = [
        ("best", score_text(best.score if best else None), best_note(best)),
        ("baseline", score_text(baseline.score if baseline else None), baseline.name if baseline else "not run"),
    ]
    gain = gain_text(summary)
    if gain:
        cards.append(("gain over the baseline", gain, summary.objective.name))
    spent = f", {gpu_hours_text(summary.gpu_hours)}" if summary.gpu_hours else ""
    cards.append(("time", seconds_text(summary.seconds), counted(len(summary.jobs), "job") + spent))
    return (
        '<section class="cards">'
        + "".join(
            f'<div class="card"><div class="what">{escape(what)}</div><div class="value">{escape(value)}</div>'
            f'<div class="note">{escape(note)}</div></div>'
            for what, value, note in cards
        )
        + "</section>"
    )


def _curve(summary: Summary) -> str:
    picture = curve(summary)
    if picture is None:
        return '<section><h2>Best so far</h2><p class="empty">No job has a score.</p></section>'
    keys = (
        ("curve", "best so far"),
        ("best", "the best"),
        ("done", "done"),
        ("cut", "stopped early"),
        ("first", "baseline"),
        ("lost", "without a score"),
    )
    legend = "".join(f'<span><i class="key {style}"></i>{words}</span>' for style, words in keys)
    return f'<section><h2>Best so far</h2><figure>{picture}<figcaption class="legend">{legend}</figcaption></figure></section>'


def _best(summary: Summary, names: Mapping[str, str], folder: Path) -> str:
    best = summary.best
    if best is None:
        return ""
    before = summary.baseline.params if summary.baseline else {}
    rows = []
    for path, value in best.params.items():
        old = value_text(before[path]) if path in before else "–"
        new = value_text(value)
        changed = ' class="changed"' if old not in (new, "–") else ""
        rows.append(
            f'<tr><td title="{escape(path)}">{escape(names.get(path, path))}<span class="path">{escape(path)}</span></td>'
            f"<td{changed}>{escape(new)}</td><td>{escape(old)}</td></tr>"
        )
    table = (
        '<div class="scroll"><table class="params"><thead><tr><th>parameter</th><th>best</th><th>baseline</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        if rows
        else '<p class="empty">Nothing was searched.</p>'
    )
    where = f'<p class="sub">Best model: {_link(best.path, folder)}</p>' if best.path else ""
    return f"<section><h2>Best parameters</h2>{table}{where}</section>"


def _plots(summary: Summary, names: dict[str, str]) -> str:
    plots = parameter_plots(summary, names)
    if not plots:
        return ""
    figures = "".join(f'<figure title="{escape(path)}">{picture}</figure>' for path, picture in plots)
    return f'<section><h2>Parameters and score</h2><div class="plots">{figures}</div></section>'


def _jobs(summary: Summary, names: Mapping[str, str]) -> str:
    if not summary.rows:
        return '<section><h2>Jobs</h2><p class="empty">No job was started.</p></section>'
    paths = summary.paths
    others = [entry.name for entry in summary.objectives[1:]]
    heads = ["#", "job", "state", summary.objective.name, *others, *(["repetitions"] if summary.recommendations else []), "time"]
    head = "".join(f"<th>{escape(word)}</th>" for word in heads)
    head += "".join(f'<th title="{escape(path)}">{escape(names[path])}</th>' for path in paths)
    body = "".join(_row(summary, job, paths, others) for job in summary.rows)
    return (
        f'<section><h2>Jobs</h2><div class="scroll"><table class="jobs"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></section>"
    )


def _row(summary: Summary, job: Job, paths: list[str], others: list[str]) -> str:
    style = "best" if summary.best is not None and summary.best.job == job.name else ""
    note = '<span class="tag">baseline</span>' if job.is_baseline else ""
    hint = f' title="{escape(job.message)}"' if job.message else ""
    cells = [
        f'<td class="number">{job.index}</td>',
        f'<td class="mono"><a href="{quote(job.name)}/">{escape(job.name)}</a>{note}</td>',
        f'<td{hint}><span class="dot {escape(job.state)}"></span>{escape(state_text(job))}</td>',
        f'<td class="number">{score_text(job.score)}</td>',
    ]
    cells += [f'<td class="number">{score_text(job.scores.get(name))}</td>' for name in others]
    if isinstance(job, Recommendation):
        links = " ".join(
            f'<a href="{quote(name)}/">{score_text(score)}</a>' for name, score in zip(job.jobs, job.each, strict=True)
        )
        cells.append(f'<td class="number">{links}</td>')
    cells.append(f'<td class="number">{seconds_text(job.seconds)}</td>')
    for path in paths:
        value = job.params.get(path)
        kind = "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else ""
        cells.append(f'<td class="{kind}">{escape(value_text(value)) if path in job.params else ""}</td>')
    return f'<tr class="{style}">{"".join(cells)}</tr>'


def _link(path: str, folder: Path) -> str:
    place = Path(path)
    if place.is_relative_to(folder):
        return f'<a class="mono" href="{quote(place.relative_to(folder).as_posix())}/">{escape(path)}</a>'
    return f'<span class="mono">{escape(path)}</span>'


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""

_STYLE = """
:root { --page: #f6f7f9; --panel: #ffffff; --text: #1b1f24; --soft: #5c6672; --line: #dfe3e8; --grid: #eceff2;
  --accent: #1f6feb; --best: #0f8a5f; --cut: #b7791f; --bad: #c0392b; --first: #7a4fbf; --tint: #eaf6f1; }
@media (prefers-color-scheme: dark) {
  :root { --page: #111418; --panel: #191d23; --text: #e6e9ed; --soft: #98a2ad; --line: #2d333b; --grid: #242a31;
    --accent: #6aa5ff; --best: #4cc38a; --cut: #e0ac55; --bad: #f0776a; --first: #b394f0; --tint: #16291f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 48px; }
h1 { font-size: 26px; margin: 0; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 0 0 12px; }
p { margin: 6px 0 0; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
section { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: 18px 20px; margin-top: 18px; }
.sub, .note, .empty, footer { color: var(--soft); }
.reason { color: var(--soft); }
.mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 0.92em; overflow-wrap: anywhere; }
.state { font-size: 12px; font-weight: 600; letter-spacing: 0.02em; vertical-align: 5px; margin-left: 12px; padding: 2px 10px;
  border-radius: 999px; border: 1px solid currentColor; color: var(--soft); }
.state.done { color: var(--best); } .state.failed { color: var(--bad); } .state.running { color: var(--accent); }
.state.paused, .state.stopped { color: var(--cut); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 14px;
  background: none; border: 0; padding: 0; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: 14px 18px; }
.card .what { color: var(--soft); font-size: 13px; }
.card .value { font-size: 28px; font-weight: 650; line-height: 1.25; font-variant-numeric: tabular-nums; }
.card .note { font-size: 13px; overflow-wrap: anywhere; }
figure { margin: 0; } svg { display: block; width: 100%; height: auto; }
.tick { font-size: 11px; fill: var(--soft); } .label { font-size: 12px; fill: var(--text); }
.axis { stroke: var(--soft); stroke-width: 1; } .grid { stroke: var(--grid); stroke-width: 1; }
.baseline { stroke: var(--first); stroke-width: 1.5; stroke-dasharray: 6 4; }
.curve { fill: none; stroke: var(--accent); stroke-width: 2.25; stroke-linejoin: round; }
.job { stroke: var(--panel); stroke-width: 1; } .job.done { fill: var(--soft); fill-opacity: 0.75; }
.job.best { fill: var(--best); } .job.first { fill: var(--first); }
.job.cut { fill: var(--panel); stroke: var(--cut); stroke-width: 1.75; }
.lost path { stroke: var(--bad); stroke-width: 1.75; fill: none; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 8px; font-size: 13px; color: var(--soft); }
.key { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 6px; }
.key.curve { width: 18px; height: 3px; border-radius: 2px; vertical-align: 3px; background: var(--accent); }
.key.best { background: var(--best); } .key.done { background: var(--soft); } .key.first { background: var(--first); }
.key.cut { border: 2px solid var(--cut); } .key.lost { border-radius: 2px; background: var(--bad); }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 18px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; font-size: 13px; white-space: nowrap; }
.jobs td { white-space: nowrap; } td.number { font-variant-numeric: tabular-nums; }
tbody tr:last-child td { border-bottom: 0; } tr.best td { background: var(--tint); font-weight: 600; }
.params td { overflow-wrap: anywhere; } td.changed { font-weight: 650; color: var(--best); }
.path { display: block; color: var(--soft); font-size: 12px; }
.tag { margin-left: 8px; font-size: 11px; color: var(--first); border: 1px solid currentColor; border-radius: 999px;
  padding: 0 7px; font-family: system-ui, sans-serif; }
.dot { display: inline-block; width: 8px; height: 8px; border-radius: 50%; margin-right: 7px; background: var(--soft); }
.dot.done { background: var(--best); } .dot.failed, .dot.infeasible { background: var(--bad); }
.dot.stopped, .dot.paused { background: var(--cut); } .dot.running { background: var(--accent); }
footer { font-size: 12px; margin-top: 22px; }
@media print { body { background: #fff; } section, .card { break-inside: avoid; } }
"""
