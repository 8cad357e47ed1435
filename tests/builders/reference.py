"""The pages of docs/reference that are made from the code. `RECORD_GOLDEN=1` writes them again."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

REFERENCE = Path(__file__).parents[2] / "docs/reference"


def made_by(tests: str) -> str:
    """The sentence of a page that says where it comes from."""
    return f"This page is made from the code:\n`RECORD_GOLDEN=1 .venv/bin/python -m pytest {tests}`."


def table(*columns: str, rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table in Markdown; a bar inside a cell is escaped."""
    yield _row(columns)
    yield _row("---" for _ in columns)
    yield from map(_row, rows)


def code(text: object) -> str:
    """A word as code; nothing stays nothing."""
    return f"`{text}`" if text else ""


def recorded(name: str, lines: Iterable[str]) -> tuple[str, str]:
    """What a page says, and what the code says; the page is written first where that is asked for."""
    page, text = REFERENCE / name, "\n".join(lines) + "\n"
    if os.environ.get("RECORD_GOLDEN"):
        page.write_text(text)
    return page.read_text(), text


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
