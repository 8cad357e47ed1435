"""Fields of an object: labels, annotations, the value at a path of keys, and all values in it."""

from collections.abc import Iterator
from typing import Any


def annotation(obj: dict[str, Any], name: str) -> str:
    """Return an annotation's value, empty if it is missing."""
    return str((obj["metadata"].get("annotations") or {}).get(name, ""))


def label(obj: dict[str, Any], name: str) -> str:
    """Return a label's value, empty if it is missing."""
    return str((obj["metadata"].get("labels") or {}).get(name, ""))


def at(value: Any, *path: str) -> Any:
    """Return the value at a path of keys, None if a key is missing."""
    for key in path:
        value = (value or {}).get(key)
    return value


def phase(obj: dict[str, Any]) -> str:
    """Return the phase in its status, empty if the server has not set it yet."""
    return str(at(obj, "status", "phase") or "")


def is_going(obj: dict[str, Any]) -> bool:
    """Return whether the object is being deleted, and a finalizer or a grace period still keeps it."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def owners(obj: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the ownerReferences, empty if there are none. In a file of the operator they may be anything."""
    found = obj["metadata"].get("ownerReferences")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def group(obj: dict[str, Any]) -> str:
    """Return the API group of an object or of an ownerReference, empty for the core group."""
    return str(obj.get("apiVersion", "")).rpartition("/")[0]


def controller(obj: dict[str, Any]) -> dict[str, Any]:
    """Return the ownerReference of the controller, empty if there is none. The server allows one at most."""
    return next((each for each in owners(obj) if each.get("controller") is True), {})


def walk(value: Any, path: str, key: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield a value and all values in it, the outer first, as path, key and value. Items of a list have no key."""
    yield path, key, value
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from walk(item, f"{path}[{number}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from walk(item, f"{path}.{name}", name)
