"""What is read of an object: its labels and annotations, what lies at a path of keys, all that lies in it."""

from collections.abc import Iterator
from typing import Any


def annotation(obj: dict[str, Any], name: str) -> str:
    """An annotation's value, empty where it is absent."""
    return str((obj["metadata"].get("annotations") or {}).get(name, ""))


def label(obj: dict[str, Any], name: str) -> str:
    """A label's value, empty where it is absent."""
    return str((obj["metadata"].get("labels") or {}).get(name, ""))


def at(value: Any, *path: str) -> Any:
    """The value at a path of keys, None where one is missing."""
    for key in path:
        value = (value or {}).get(key)
    return value


def phase(obj: dict[str, Any]) -> str:
    """What its status calls its phase, empty where the server has not said yet."""
    return str(at(obj, "status", "phase") or "")


def is_going(obj: dict[str, Any]) -> bool:
    """Whether somebody has deleted it, and something holds it still."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def walk(value: Any, path: str, key: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield a value and all that lies in it, the outer first: path, key and value; what lies in a list has no key."""
    yield path, key, value
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from walk(item, f"{path}[{number}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from walk(item, f"{path}.{name}", name)
