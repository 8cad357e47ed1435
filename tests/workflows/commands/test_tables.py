"""What rich aligns is plain text, whatever the terminal."""

import pytest
from rich.cells import cell_len

from workflows.commands import tables


@pytest.mark.parametrize("columns", ["20", "400"])
def test_no_terminal_changes_what_is_printed(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    for name, value in {"COLUMNS": columns, "FORCE_COLOR": "1", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    name, why = "n" * 253, "https://example.com/ [bold]1 of 2[/] :warning: " * 20

    lines = tables.aligned([("NAME", "WHY", "LAST"), (name, why.strip(), ""), ("a", "", "b")])

    assert lines == [
        f"{'NAME':<253}  {'WHY':<{len(why) - 1}}  LAST",
        f"{name}  {why.strip()}",
        f"{'a':<253}  {'':<{len(why) - 1}}  b",
    ]


def test_columns_are_aligned_by_the_cells_of_a_terminal() -> None:
    lines = tables.aligned([("三scale", "x"), ("3scale", "x"), ("e\u0301", "x")])

    assert [cell_len(line) for line in lines] == [10, 10, 10]


def test_the_largest_cell_that_an_annotation_can_hold_is_not_cut() -> None:
    assert tables.aligned([("三" * (100 << 10), "end")])[0].endswith("三  end")


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (3 << 30, "3.0 GiB"),
        (2 << 50, "2.0 PiB"),
        (1 << 61, "2048.0 PiB"),
    ],
)
def test_a_size_has_the_largest_unit_that_it_has_one_of(size_bytes: int, said: str) -> None:
    assert tables.size(size_bytes) == said
