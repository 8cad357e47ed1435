"""The published JSON schemas of what a backup says of itself. `RECORD_GOLDEN=1` writes them again."""

import json
from typing import Any

from pydantic import BaseModel

DIALECT = "https://json-schema.org/draft/2020-12/schema"  # which pydantic writes


def schema_of(model: type[BaseModel], title: str, version: int) -> dict[str, Any]:
    """The schema of a file; its version is the `schema_version` of the file."""
    return {"$schema": DIALECT, **model.model_json_schema(), "title": title, "version": version}


def as_lines(schema: dict[str, Any]) -> list[str]:
    """A schema as its file holds it."""
    return json.dumps(schema, indent=2, sort_keys=True).splitlines()
