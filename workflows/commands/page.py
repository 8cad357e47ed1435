"""A result record as an HTML page: one file, without scripts and without content from elsewhere.

The names in a record are not trusted. So the template `page.html` escapes all values, and the page forbids the browser
to run or load anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from workflows.commands import tables

Record = Mapping[str, Any]  # a record as `steps.evidence.result` dumps it, times as such

_MINUTE_S = 60


def render(record: Record) -> str:
    """Write the page."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {"counted": _counted, "duration": _duration}
    page = templates.get_template("page.html")
    return page.render(record=record, facts=_facts(record), bars=list(_bars(record["phases"])))


def _facts(record: Record) -> dict[str, str]:
    began, ended = record["began"], record["ended"]
    took = f" ({_duration((ended - began).total_seconds())})" if ended else ""
    return {
        "began": _moment(began),
        "ended": f"{_moment(ended)}{took}" if ended else "not recorded",
        "service account": record["service_account"],
        "workflow": f"{record['workflow']} (uid {record['workflow_uid']})",
        "namespace": record["namespace"],
        "claim": record["claim"],
        "backup": record["backup"],
        "manifest, SHA-256": record["manifest_sha256"],
        "APIManager": record["apimanager"],
        "3scale": record["threescale_version"],
        "files of System": record["file_storage"],
        "total": _counted(record["counts"]),
        "made by": f"{record['tool']} {record['tool_version']}",
    }


def _bars(phases: Sequence[Record]) -> Iterator[str]:
    """Yield the CSS of each phase's bar: its place and length in the time of all phases."""
    begins = [each["began"].timestamp() for each in phases]
    first = min(begins, default=0)
    spans = [(begin - first, each["duration_s"]) for begin, each in zip(begins, phases, strict=True)]
    whole_s = max((after + took for after, took in spans), default=0) or 1.0
    for after, took in spans:
        yield f"margin-left:{100 * after / whole_s:.2f}%;width:{100 * took / whole_s:.2f}%"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(
        tables.size(number) if what == "bytes" else f"{number:,} {what}" for what, number in counts.items()
    )


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _duration(seconds: float) -> str:
    if seconds < _MINUTE_S:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    hours, minutes = divmod(minutes, _MINUTE_S)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
