"""What all errors of phases have in common.

A class is built from facts and composes its own sentence: what is wrong, where, and what the person can do. Its
base says whether a try more can help: a phase exits with `exit_code`, and Argo's retry strategy reads it. Some
phases raise a final error instead on their last try (`Run.last_try`).
The facts are names, counts and paths, never the value of a Secret.
"""

import re
import string
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import PurePath
from typing import Any, ClassVar, dataclass_transform

REFUSED_EXIT = 1
TRY_AGAIN_EXIT = 75  # EX_TEMPFAIL of sysexits.h


def printable(text: str) -> str:
    """A text on one line that changes nothing on a terminal, whatever a name brings in."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


class _Template(string.Formatter):
    """Puts facts into a sentence: of several names ten, joined by what follows the colon, or their `count`."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == "server":
            return of_server(value)
        if isinstance(value, str | int | float | None):
            return str(super().format_field(value, format_spec))
        return str(len(value)) if format_spec == "count" else several(value, format_spec or ", ")


@dataclass_transform(eq_default=False)
class PhaseError(Exception):
    """Base of all: a dataclass of facts, whose text is the last sentence of the phase.

    `code` is the class's name in kebab-case. The text stands on one line, whatever a name or a message brings in.
    """

    exit_code: ClassVar[int] = REFUSED_EXIT
    code: ClassVar[str]
    says: ClassVar[str] = ""  # with the names of facts in braces; where that is not enough, there is `compose`

    def __init_subclass__(cls) -> None:
        cls.code = re.sub("(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
        dataclass(eq=False, repr=False)(cls)

    def compose(self) -> str:
        """Make the sentence of the facts."""
        return _Template().vformat(self.says, (), vars(self))

    @property
    def facts(self) -> dict[str, Any]:
        """The facts by name, as JSON has them."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}  # type: ignore[arg-type]  # each subclass is a dataclass

    @property
    def told(self) -> dict[str, Any]:
        """The error for a program: its code, its facts, its sentence and its exit code."""
        return {"code": self.code, "facts": self.facts, "message": str(self), "exit_code": self.exit_code}

    def __str__(self) -> str:
        return printable(self.compose())

    def __reduce__(self) -> tuple[Any, ...]:
        """Go from one process to another with the facts."""
        return type(self).__new__, (type(self),), vars(self)


class Final(PhaseError):
    """Refused or failed for good: the same try would end the same way."""


class TryAgain(PhaseError):
    """The same try may succeed a little later."""

    exit_code = TRY_AGAIN_EXIT


class BadArgument(Final):
    """The arguments themselves are wrong, whatever there is: whoever gave them can mend it at once."""


@dataclass
class Few:
    """The first ten of many names, and how many there are: as much as a sentence holds."""

    first: list[str] = field(default_factory=list)
    count: int = 0

    @classmethod
    def of(cls, names: Iterable[str]) -> "Few":
        """Count them all."""
        few = cls()
        for name in names:
            few.append(name)
        return few

    def append(self, name: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.first) < _LIMIT:
            self.first.append(name)

    def __len__(self) -> int:
        return self.count

    def __str__(self) -> str:
        return several(self, "; ")


_LIMIT = 10


def several(names: Sequence[str] | Few, comma: str = ", ") -> str:
    """Name the first ten, and how many more there are."""
    shown = comma.join(names.first if isinstance(names, Few) else names[:_LIMIT])
    return shown if len(names) <= _LIMIT else f"{shown} and {len(names) - _LIMIT} more"


def of_server(name: str) -> str:
    """Name the server that said so, where it is known."""
    return f"; server {name}" if name else ""


class Unexpected(Final):
    kind: str
    place: str
    says = "unexpected {kind} at {place}: please report it"

    @classmethod
    def at(cls, error: BaseException) -> "Unexpected":
        """Say where an error came up that nobody foresaw; its message may quote data, so only its place is shown."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        return cls(type(error).__name__, f"{PurePath(place.filename).name}:{place.lineno}")


def _plain(fact: Any) -> Any:
    if isinstance(fact, Few):
        return {"first": fact.first, "count": fact.count}
    return fact if isinstance(fact, str | int | float | None) else list(fact)
