"""The tasks that `withParam` makes of one task: one for each item of a list, with its own name and tags.

Source: expandTask in workflow/controller/dag.go and processItem in operator.go of Argo 4.1.2. A list or a map within
the list is not played.
"""

import json
from typing import Any, Final, NamedTuple

from workflows.rehearsal import errors
from workflows.rehearsal.argo import tags

NONE: Final = "Skipped, empty params"
TAG: Final = "item"


class NoList(ValueError):
    """The value for the items is not a JSON list. The text is Argo's message."""


class Item(NamedTuple):
    """One of the tasks: its name, and the values of its tags."""

    name: str
    values: dict[str, str | None]


def items(task: str, text: str, where: str) -> list[Item]:
    """Read the list of items of a task."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise NoList(f"withParam value could not be parsed as a JSON list: {text.strip()}: {error}") from error
    if found is None:
        return []
    if not isinstance(found, list):
        raise NoList(f"withParam value could not be parsed as a JSON list: {text.strip()}: it is none")
    return [_item(task, index, item, where) for index, item in enumerate(found)]


def _item(task: str, index: int, item: Any, where: str) -> Item:
    if isinstance(item, list | dict) or item is None:
        raise errors.UnknownField(where, f"withParam[{index}], which is a list, a map or null,")
    told = tags.as_text(item)
    return Item(f"{task}({index}:{told.replace('(', '').replace(')', '')})", {TAG: told})
