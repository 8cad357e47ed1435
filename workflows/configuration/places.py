"""Reads YAML so that each value keeps its place in the file, and every scalar keeps its text.

The models of the fields give the types. So `on`, `1e3` and `010` mean what a person wrote, and not a boolean, a float
and an eight.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from workflows.rendering import document

Path = tuple[str | int, ...]  # names of fields and numbers of items, from the top of the file
_TAB = "a tab is in the indentation. Write spaces"
_QUOTES = 'a value that begins with {0} needs quotes. Write "{0}..."'
_OURS = {  # words for what the parser says
    "found unhashable key": "a name of a field must be a word",
    "but found another document": "a second YAML document begins here. Write all fields in one document",
    "while scanning an alias": _QUOTES.format("*"),
    "violates indentation": _TAB,
    "mapping values are not allowed": "this line has a colon where no field can begin. Indent the fields of a section "
    "alike, and put a value with ': ' in quotes",
}
_LINE_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")  # of YAML 1.1
_NO_START = "cannot start any token"
_NULL = "tag:yaml.org,2002:null"


class BadFileError(document.BadTextError):
    """The file is not one YAML document of plain fields. `line` counts from 1, and is 0 if no line is known."""

    def __init__(self, sentence: str, line: int = 0) -> None:
        super().__init__(sentence)
        self.line = line


class FileFields(NamedTuple):
    """A file: its fields as texts, lists and mappings, and the line of each path."""

    fields: dict[str, Any]
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """Return the line of a path, or else of the nearest path above it."""
        return next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), 1)


def read(text: str) -> FileFields:
    """Read a file. A field without a value is None.

    Raises:
        BadFileError
    """
    try:
        document.read_plain(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise BadFileError(_sentence(error, text), mark.line + 1 if mark else 0) from error
    except document.Error as error:
        raise BadFileError(f"the file is not valid YAML: {' '.join(str(error).split())}") from error
    if root is None or root.tag == _NULL:
        return FileFields({}, {})
    if not isinstance(root, yaml.MappingNode):
        raise BadFileError("the file holds no fields. Write FIELD: VALUE, for instance image: NAME", 1)
    lines: dict[Path, int] = {}
    return FileFields(_mapping(root, (), lines), lines)


def _sentence(error: yaml.MarkedYAMLError, text: str) -> str:
    """Say in our words what the parser found."""
    said, mark = f"{error.context} {error.problem}", error.problem_mark
    if _NO_START in said and mark:
        sign = _LINE_BREAK.split(text)[mark.line][mark.column : mark.column + 1]
        return _TAB if sign == "\t" else _QUOTES.format(sign)
    return next(
        (ours for theirs, ours in _OURS.items() if theirs in said), f"the file is not valid YAML: {error.problem}"
    )


def _mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in node.value:  # the names are words, because `read_plain` has read the file
        place = (*path, name.value)
        line = name.start_mark.line + 1
        if place in lines:
            raise BadFileError(f"{told(place)} is given twice, first in line {lines[place]}", line)
        lines[place] = line
        found[name.value] = _value(value, place, lines)
    return found


def _value(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[*path, number] = item.start_mark.line + 1
        return [_value(item, (*path, number), lines) for number, item in enumerate(node.value)]
    return None if node.tag == _NULL else str(node.value)


def told(path: Path) -> str:
    """Write a path as people do: `pods.tolerations[0].key`."""
    words = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(words).removeprefix(".")
