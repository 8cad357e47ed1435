"""A result record as a page that a person would rather read: one file, no script, nothing from elsewhere.

Names in a record were chosen by others, so all of it is escaped, and the page forbids the browser to run
or load anything.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

Record = Mapping[str, Any]  # a record as `steps.evidence.result` dumps it, times as such

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5c6670; --line: #d5dae0; --paper: #fff; --bar: #2f6fb0;
  --good: #1d7a3e; --bad: #b3261e; --open: #9a6700; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa5b1; --line: #3a424b;
  --paper: #14181c; --bar: #6aa8e6; --good: #5fc27e; --bad: #ff8a80; --open: #e0b040; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 3rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.succeeded { color: var(--good); } .failed { color: var(--bad); } .running, .refused { color: var(--open); }
.said { border-left: .3rem solid var(--bad); padding: .25rem 1rem; margin: 1rem 0; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 1rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; color: var(--soft); font-weight: normal; }
th, td { padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.track { min-width: 4rem; width: 40%; }
.bar { height: .8rem; min-width: 2px; margin-top: .35rem; border-radius: 2px; background: var(--bar);
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.note { color: var(--soft); margin: .25rem 0 .5rem; }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
  .counted { font-size: .85rem; } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } tr { break-inside: avoid; } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_MINUTE_S = 60
_LEGEND = (
    "A bar lies where its phase lay in the time of all. A phase begins with its process: between two bars, pods start."
)


def render(record: Record) -> str:
    """Write the page."""
    title = f"{record['operation'].capitalize()} {record['backup'] or record['claim']}"
    outcome = record["outcome"]
    parts = [
        f'<h1>{escape(title)}: <span class="{outcome}">{outcome}</span></h1>',
        *_failures(record),
        _facts(record),
        *_phases(record),
        *_objects(record),
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}: {outcome}</title>",
            f"<style>{_STYLE}</style></head><body>",
            *parts,
            "</body></html>\n",
        ]
    )


def _failures(record: Record) -> Iterable[str]:
    """What failed and what to do next, first of all."""
    said = [f"<p><b>{escape(each['phase'])}</b>: {escape(each['sentence'])}</p>" for each in record["failures"]]
    said += [f"<p>{escape(sentence)}</p>" for sentence in record["held_back"]]
    if record["advice"]:
        said.append(f"<p><b>What to do next</b>: {escape(record['advice'])}</p>")
    if said:
        yield f'<div class="said">{"".join(said)}</div>'


def _facts(record: Record) -> str:
    began, ended = record["began"], record["ended"]
    took = f" ({_duration((ended - began).total_seconds())})" if ended else ""
    facts = {
        "began": _moment(began),
        "ended": f"{_moment(ended)}{took}" if ended else "not yet, or nobody told",
        "service account": record["service_account"],
        "workflow": f"{record['workflow']} (uid {record['workflow_uid']})",
        "namespace": record["namespace"],
        "claim": record["claim"],
        "backup": record["backup"],
        "manifest, SHA-256": record["manifest_sha256"],
        "APIManager": record["apimanager"],
        "3scale": record["threescale_version"],
        "files of System": record["file_storage"],
        "in all": _counted(record["counts"]),
        "made by": f"{record['tool']} {record['tool_version']}",
    }
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value)
    return f"<dl>{rows}</dl>"


def _phases(record: Record) -> Iterable[str]:
    """A bar for each phase, where it lay in the time of all of them."""
    phases = record["phases"]
    if not phases:
        return
    begins = [each["began"].timestamp() for each in phases]
    first = min(begins)
    whole_s = max(begin - first + each["duration_s"] for begin, each in zip(begins, phases, strict=True)) or 1.0
    yield "<h2>Phases</h2>"
    yield f'<p class="note">{_LEGEND}</p>'
    yield _row("th", ("", "phase"), ("number", "time"), ("track", ""), ("counted", "counted"), before="<table>")
    for begin, each in zip(begins, phases, strict=True):
        left, width = 100 * (begin - first) / whole_s, 100 * each["duration_s"] / whole_s
        yield _row(
            "td",
            ("", escape(each["phase"])),
            ("number", _duration(each["duration_s"])),
            ("track", f'<div class="bar" style="margin-left:{left:.2f}%;width:{width:.2f}%"></div>'),
            ("counted", escape(_counted(each["counts"]))),
        )
    yield "</table>"
    yield from (
        f'<p class="note"><b>{escape(each["phase"])}</b>: {escape(note)}</p>'
        for each in phases
        for note in each.get("notes", ())
    )


def _objects(record: Record) -> Iterable[str]:
    lines, cut = record["objects"], record["cut"]
    if not lines and not cut:
        return
    yield "<h2>Objects</h2>"
    if cut:
        yield f"<p>{cut} lines were cut, to make room for newer records.</p>"
    if lines:
        yield _row("th", ("", "kind"), ("", "name"), ("", "done"), ("", ""), before="<table>")
        for line in lines:
            yield _row("td", *(("", escape(line[field])) for field in ("kind", "name", "done", "how")))
        yield "</table>"


def _row(tag: str, *cells: tuple[str, str], before: str = "") -> str:
    """A row of a table; a cell is its class and its HTML."""
    inside = "".join(f'<{tag} class="{kind}">{content}</{tag}>' for kind, content in cells)
    return f"{before}<tr>{inside}</tr>"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(_bytes(number) if what == "bytes" else f"{number:,} {what}" for what, number in counts.items())


def _bytes(number: int) -> str:
    for size, unit in _UNITS:
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} bytes"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _duration(seconds: float) -> str:
    if seconds < _MINUTE_S:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    hours, minutes = divmod(minutes, _MINUTE_S)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
