"""What is wrong with an installation's fields, in sentences that name the field and what it could be."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from workflows.configuration.fields import fields, model_at, sections_with
from workflows.configuration.places import Path, told

_SHOWN = 60  # characters of a refused value
_KEY = "[key]"  # pydantic's last part of the place of a mapping's key


class Problem(NamedTuple):
    """A field, and what is wrong with it. A path in braces in the sentence stands for the name of that field."""

    path: Path
    sentence: str


class BadInstallationError(ValueError):
    """The fields of an installation are not valid."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(each.sentence for each in problems))
        self.problems = problems


def of_fields(model: type[BaseModel], error: ErrorDetails) -> Problem:
    """Say in our words what pydantic found."""
    path: Path = tuple(part for part in error["loc"] if part != _KEY)
    return Problem(path, f"{{{told(path)}}}{_said(model, path, error)}")


def _said(model: type[BaseModel], path: Path, error: ErrorDetails) -> str:
    kind, facts, given = error["type"], error.get("ctx", {}), error["input"]
    if kind == "missing":
        return " is missing. Add it"
    if kind == "extra_forbidden":
        return _unknown(model, path)
    if kind == "literal_error":
        return f" {shown(given)} is not one of {facts['expected'].replace(' or ', ', ')}"
    if kind == "value_error":
        said = error["msg"].removeprefix("Value error, ")
        return f" {said}" if said.startswith("'") else f": {said}"
    wanted = {
        "model_type": "needs fields below it",
        "model_attributes_type": "needs fields below it",
        "mapping_type": "needs NAME: VALUE lines below it",
        "dict_type": "needs NAME: VALUE lines below it",
        "tuple_type": "needs a list, one `- ` line for each item",
        "string_type": "needs one word or text",
        "bool_type": "is true or false",
        "bool_parsing": "is true or false",
        "int_type": "needs a whole number",
        "float_type": "needs a number",
    }.get(kind)
    hint = _form(model, path, given) if kind in {"model_type", "model_attributes_type"} else ""
    return f" {wanted}, not {shown(given)}{hint}" if wanted else f" {shown(given)} is not valid: {error['msg']}"


def _unknown(model: type[BaseModel], path: Path) -> str:
    """Name the fields that could be meant, or the sections that have a field of this name."""
    name, known = str(path[-1]), [each for each, _ in fields(model_at(model, path[:-1]))]
    homes = [told(each) for each in sections_with(model, name)]
    if not homes:
        return f" is not a field. {nearest(name, known)}"
    below = " or ".join(part for part in (", ".join(homes[:-1]), homes[-1]) if part)
    belongs = f"below {below}" if all(homes) else "at the top of the file"
    return f" is not a field here. It belongs {belongs}. Choose one of {', '.join(known)}"


def _form(model: type[BaseModel], path: Path, given: Any) -> str:
    """Return a hint at the form of an item with a name, such as a pull secret. Empty if there is none."""
    is_named = isinstance(given, str) and [name for name, _ in fields(model_at(model, path))] == ["name"]
    return f". Write name: {given}" if is_named else ""


def nearest(word: str, known: Sequence[str]) -> str:
    """Name the known word that is most like another one, and all known words."""
    near = difflib.get_close_matches(word, known, 1)
    return f"{f'Did you mean {near[0]}? ' if near else ''}Choose one of {', '.join(known)}"


def shown(given: Any) -> str:
    """Write a refused value, shortened."""
    if given is None:
        return "nothing"
    if isinstance(given, Mapping):
        return "fields"
    if isinstance(given, list | tuple):
        return "a list"
    text = str(given)
    return repr(text[:_SHOWN]) + ("..." if len(text) > _SHOWN else "")
