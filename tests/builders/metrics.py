"""The metrics that a template declares."""

from collections.abc import Iterator
from typing import Any


def of_spec(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All metrics of a WorkflowTemplate."""
    spec = manifest["spec"]
    for part in (spec, *spec["templates"]):
        yield from part.get("metrics", {}).get("prometheus", [])
