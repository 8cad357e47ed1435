"""Facts from elsewhere, made fit for a terminal."""

from collections.abc import Mapping
from typing import Any, TypeVar

from steps import errors

Shown = TypeVar("Shown", bound=Mapping[str, Any] | None)


def shown(facts: Shown, output: str) -> Shown:
    """Return printable facts for a person. JSON and YAML escape by themselves, so there the facts stay unchanged."""
    return facts if output in {"json", "yaml"} else printable(facts)


def printable(facts: Shown) -> Shown:
    """Return the same facts with all nested texts on one line each, without control characters for a terminal."""

    def of(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {of(key): of(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [of(each) for each in value]
        return errors.printable(value) if isinstance(value, str) else value

    made: Shown = of(facts)
    return made
