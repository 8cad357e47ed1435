"""Labels and annotations of an object, read."""

from typing import Any


def annotation(obj: dict[str, Any], name: str) -> str:
    """An annotation's value, empty where it is absent."""
    return str((obj["metadata"].get("annotations") or {}).get(name, ""))


def label(obj: dict[str, Any], name: str) -> str:
    """A label's value, empty where it is absent."""
    return str((obj["metadata"].get("labels") or {}).get(name, ""))
