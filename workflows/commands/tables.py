"""Rows and sizes as text, by rich. A terminal and a pipe get the same text, as wide as its cells.

On a narrow terminal rich would cut names and times that people copy, so the width of the terminal is ignored.
"""

import io
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.filesize import pick_unit_and_suffix
from rich.table import Table
from rich.text import Text

_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
_STEP = 1024
_GAP = 2  # cells between two columns
_WIDEST = 1 << 20  # cells; an annotation in Kubernetes has at most 256 KiB


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """One line for each row, with columns aligned by the cells of a terminal and no blanks at the end."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, _GAP, 0, 0))
    for row in rows:
        table.add_row(*(Text(cell, no_wrap=True, overflow="ignore") for cell in row))
    console = Console(file=io.StringIO(), color_system=None, force_jupyter=False, width=_WIDEST)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


def size(size_bytes: int) -> str:
    """Write a number of bytes in the largest binary unit of which it has at least one."""
    unit_bytes, unit = pick_unit_and_suffix(size_bytes, _UNITS, _STEP)
    return f"{size_bytes / unit_bytes:.{0 if unit_bytes == 1 else 1}f} {unit}"
