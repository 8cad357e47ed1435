"""Finds a field of an installation by its path, as the file writes it."""

import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from steps.contract.value_kinds import ValueKind
from workflows.configuration.places import Path


def model_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    """Return the model of the fields below a path. The path exists."""
    here: Any = model
    for part in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = next(each.annotation for told, each in fields(here) if told == part)
        else:  # a list or a map
            here = next(each for each in reversed(typing.get_args(here)) if each is not Ellipsis)
        here = plain(here)
    found: type[BaseModel] = here
    return found


def field_at(model: type[BaseModel], path: Path) -> FieldInfo:
    """Return the field at a path. The path exists."""
    return dict(fields(model_at(model, path[:-1])))[str(path[-1])]


def fields(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """Return the fields of a model, by the names that the file has for them."""
    return [(each.alias or name, each) for name, each in model.model_fields.items()]


def sections_with(model: type[BaseModel], name: str, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of the sections that have a field of a name. The path of the whole file is empty."""
    if name in dict(fields(model)):
        yield path
    for own, each in fields(model):
        form = plain(each.annotation)
        if isinstance(form, type) and issubclass(form, BaseModel):
            yield from sections_with(form, name, (*path, own))


def plain(annotation: Any) -> Any:
    """Return an annotation without `Annotated` and without None."""
    if typing.get_origin(annotation) is typing.Annotated:
        return plain(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return plain(next(each for each in typing.get_args(annotation) if each is not type(None)))
    return annotation


def kind_of(field: FieldInfo) -> ValueKind | None:
    """Return the kind of value of a field, or None."""
    return next((each for each in _marks(field.annotation, *field.metadata) if isinstance(each, ValueKind)), None)


def _marks(*annotations: Any) -> Iterator[Any]:
    for each in annotations:
        yield each
        if typing.get_origin(each) in {typing.Union, types.UnionType, typing.Annotated}:
            told = each.__metadata__ if typing.get_origin(each) is typing.Annotated else typing.get_args(each)
            yield from _marks(*told)
