"""The reference page of other controllers' marks, made from the table."""

from collections.abc import Iterator

from steps.parts import controllers
from tests.builders.reference import code, made_by, recorded, table


def page() -> Iterator[str]:
    yield from ("# Marks of other controllers", "")
    yield "Other controllers mark objects with labels, annotations and owners."
    yield "Such a mark means one cluster only, or another object in the same cluster."
    yield "A backup keeps all labels and annotations as they were. It never saves owners."
    yield "A restore and a drill drop some of them, and keep the others."
    yield "The plans of a backup and of a restore have a `warning` for each object that another controller may write."
    yield made_by("tests/steps/parts/test_reference_controllers.py")
    yield ""
    yield from table("Controller", "Names begin with", "Owner", "A restore", "Warning", "Source", rows=rows())


def rows() -> Iterator[list[str]]:
    for row in controllers.TABLE:
        marks = ", ".join(map(code, row.marks))
        fate = {controllers.Fate.DROPPED: "drops them", controllers.Fate.KEPT: "keeps them"}[row.fate]
        yield [row.controller, marks, code(row.owner), fate, row.warns, row.source]


def test_the_page_is_as_the_table_says():
    found, made = recorded("other-controllers.md", page())

    assert found == made
