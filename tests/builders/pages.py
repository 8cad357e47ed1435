"""The page of a record, taken apart."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from click.testing import CliRunner

from workflows.__main__ import main

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """A page taken apart: its elements with their attributes, and its text; it must be well-formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text += f"{data} "

    @property
    def bars(self) -> list[tuple[float, float]]:
        """Where each bar begins and how long it is, in percent."""
        styles = [attrs["style"] or "" for _, attrs in self.elements if attrs.get("class") == "bar"]
        parts = [[float(part.partition(":")[2].rstrip("%")) for part in style.split(";")] for style in styles]
        return [(left, width) for left, width in parts]


def foreign(text: str) -> Iterator[str]:
    """What a page must not have: scripts, handlers of events, anything from elsewhere."""
    for tag, attrs in Page(text).elements:
        if tag in {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}:
            yield tag
        yield from (f"{tag} {name}" for name in attrs if name.startswith("on") or name in {"src", "href"})
    style = text.partition("<style>")[2].partition("</style>")[0]
    yield from (word for word in ("url(", "@import", "expression(") if word in style)
    yield from (word for word in ("http://", "https://", "//") if word in style)


def page_of(record: dict[str, Any] | str) -> str:
    """What the command makes of a record."""
    given = record if isinstance(record, str) else json.dumps(record)
    made = CliRunner().invoke(main, ["report", "-"], input=given)
    assert made.exit_code == 0, made.stderr
    return made.stdout
