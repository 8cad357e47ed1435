"""The fields of an object at any depth, with their paths as people write them: `spec.imagePullSecrets[0].name`."""

from collections.abc import Iterator
from typing import Any


def walk(value: Any, path: str, key: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield a value and all that lies in it, the outer first: path, key and value; what lies in a list has no key."""
    yield path, key, value
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from walk(item, f"{path}[{number}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from walk(item, f"{path}.{name}", name)
