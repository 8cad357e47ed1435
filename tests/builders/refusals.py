"""What a refusal is matched by: its class and its facts, for its sentence is free to change."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from steps.errors import PhaseError


class Holding:
    """Equals a fact with this text in it, or a list of facts of which one has it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, fact: object) -> bool:
        if isinstance(fact, dict):  # a `Few`
            fact = fact["first"]
        return any(self.text in each for each in ([fact] if isinstance(fact, str) else fact))  # type: ignore[attr-defined]  # else the test is wrong, and fails

    __hash__ = None  # type: ignore[assignment]  # it equals many

    def __repr__(self) -> str:
        return f"Holding({self.text!r})"


@contextmanager
def refused(kind: type[PhaseError], /, **facts: Any) -> Iterator[pytest.ExceptionInfo[Any]]:
    """Expect an error of this class with these facts, whatever else it knows."""
    with pytest.raises(kind) as error:
        yield error
    known = error.value.facts
    missing = facts.keys() - known.keys()

    assert not missing, f"{kind.__name__} has no fact {sorted(missing)}, it has {sorted(known)}"
    assert {name: known[name] for name in facts} == facts
