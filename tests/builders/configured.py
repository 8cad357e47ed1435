"""The fields of an installation's file, walked through the model, and files and commands with them."""

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as File
from typing import Any, NamedTuple

import click
import yaml
from click.testing import CliRunner, Result
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from workflows.__main__ import main
from workflows.commands import installing
from workflows.configuration.fields import fields, plain
from workflows.configuration.installation import Installation
from workflows.configuration.places import Path, told

IMAGE = "registry.example.com/steps:1"
_KEYS = {"phases": "backup/seal", "accounts": "backup", "limits": "memory", "requests": "memory"}


class Field(NamedTuple):
    """A field of the file. In its path, items of lists and maps have the number 0 and a valid key."""

    path: Path
    info: FieldInfo

    @property
    def form(self) -> Any:
        """Its type, without None and marks."""
        return plain(self.info.annotation)

    @property
    def is_section(self) -> bool:
        return isinstance(self.form, type) and issubclass(self.form, BaseModel)

    @property
    def is_map(self) -> bool:
        return typing.get_origin(self.form) is Mapping

    @property
    def is_list(self) -> bool:
        return typing.get_origin(self.form) is tuple


def walk(model: type[BaseModel] = Installation, above: Path = ()) -> Iterator[Field]:
    """All fields, a section before its own."""
    for name, info in fields(model):
        found = Field((*above, name), info)
        yield found
        for item, inner in _below(found):
            yield from walk(inner, (*found.path, *item))


def _below(field: Field) -> Iterator[tuple[Path, type[BaseModel]]]:
    if field.is_section:
        yield (), field.form
    if field.is_list or field.is_map:
        inner = plain(typing.get_args(field.form)[1 if field.is_map else 0])
        if isinstance(inner, type) and not isinstance(inner, types.GenericAlias) and issubclass(inner, BaseModel):
            yield (0 if field.is_list else _KEYS[str(field.path[-1])],), inner


FIELDS = list(walk())


def name_of(field: Field) -> str:
    return told(field.path)


def nested(path: Path, value: Any) -> Any:
    """A value at a path, with the lists and maps that lead there."""
    for part in reversed(path):
        value = [value] if part == 0 else {part: value}
    return value


def merged(*parts: Any) -> Any:
    """Maps in one map, deeply."""
    found: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
            found[name] = merged(found[name], value) if both else value
    return found


def write(folder: File, content: object) -> File:
    """Write a file of fields, or a text."""
    file = folder / "threescale-backup.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
    return file


def manifests(*words: object) -> Result:
    return CliRunner().invoke(main, ["manifests", *map(str, words)])


def line_of(file: File, path: Sequence[object]) -> int:
    """The line of the last name of a path in a file that `nested` made: the last line that begins with the name."""
    name = next(str(part) for part in reversed(path) if not isinstance(part, int))
    lines = [line.strip().removeprefix("- ") for line in file.read_text().splitlines()]
    return max(number for number, line in enumerate(lines, 1) if line.startswith(f"{name}:"))


def options() -> dict[Path, str]:
    """The options of `manifests` by the field that each of them sets."""
    command = main.commands["manifests"]
    parameters = command.get_params(click.Context(command))
    return {path: each.opts[0] for each in parameters if (path := installing.path_of(each.opts[0]))}
