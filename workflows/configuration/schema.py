"""The JSON Schema of `threescale-backup.yaml`, by which editors complete and check the file.

It is made from the model. It knows what a single field can be; `checks` knows more.
"""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from steps.contract.declaration import DeclaredField
from workflows import schedule
from workflows.configuration import checks
from workflows.configuration.installation import Installation

_TITLE = "threescale-backup.yaml"
_SCHEDULED = {"Backups": "backup", "Verifications": "verify", "Drills": "drill"}  # with arguments of a workflow


def of_file() -> dict[str, Any]:
    """Return the schema of a whole file."""
    made = Installation.model_json_schema()
    parts = made["$defs"]
    for part, of in _SCHEDULED.items():
        parts[part]["properties"]["arguments"] |= _arguments(of)
    parts["Pods"]["properties"]["phases"]["propertyNames"] = {"enum": sorted(checks.phases())}
    for part in (made, *parts.values()):
        _tidy(part)
    made["$defs"] = {name: part if "required" in part else _or_nothing(part) for name, part in parts.items()}
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": _TITLE, **made}


def _arguments(of: str) -> dict[str, Any]:
    """Return the schema of the arguments that a schedule can set."""
    found = {each.told_as: _argument(each) for each in schedule.arguments(of) if each.told_as != checks.SCRATCH}
    return {"properties": found, "additionalProperties": False}


def _argument(field: DeclaredField) -> dict[str, Any]:
    if field.words:
        form: dict[str, Any] = {"enum": [*field.words, *(int(word) for word in field.words if word.isdigit())]}
    else:
        form = field.kind.schema() if field.kind else {"type": ["string", "number", "boolean"]}
    return {**form, "description": field.about, **({} if field.default is None else {"default": field.default})}


def _tidy(part: dict[str, Any]) -> None:
    """Remove what helps no editor, and allow a field without a value, which the file may have."""
    part.pop("title", None)
    required = part.get("required", ())
    for name, field in part["properties"].items():
        field.pop("title", None)
        if isinstance(field.get("default"), dict | list | None):
            field.pop("default", None)
        _one_form_of_values(field)
        part["properties"][name] = _in_one_line(field if name in required else _or_nothing(field))
    _in_one_line(part)


def _in_one_line(part: dict[str, Any]) -> dict[str, Any]:
    if "description" in part:
        part["description"] = " ".join(part["description"].split())
    return part


def _or_nothing(part: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value that may also be null. A section is null if it holds comments only.

    There is no `anyOf` in it, because editors explain a mistake below one badly.
    """
    choices = part.pop("anyOf", [{}])
    found = {**next(each for each in choices if each.get("type") != "null"), **part}
    if "$ref" in found:  # to a part that may be null
        return found
    forms = found["type"]
    words = {"enum": [*found["enum"], None]} if "enum" in found else {}
    return {**found, **words, "type": [*([forms] if isinstance(forms, str) else forms), "null"]}


def _one_form_of_values(field: dict[str, Any]) -> None:
    """Give every key of a map the same values. Pydantic would allow any value below a key of another form."""
    for pattern, values in field.pop("patternProperties", {}).items():
        field |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}
