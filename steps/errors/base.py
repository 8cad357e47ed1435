"""The bases of all errors of phases.

A class is built from facts and composes its own message of two or three sentences. The message says what is wrong
and where, then what the person can do. The base class decides whether another try may help. A phase exits with
`exit_code`, and Argo's retry strategy reads that code. Some phases raise a final error on their last try
(`Run.last_try`). The facts are names, counts and paths, never the value of a Secret.
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
    """The text on one line, with escapes for all characters that a terminal would interpret."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


class _Template(string.Formatter):
    """Puts facts into a message.

    A list shows its first ten names, joined by the text after the colon. `{list:count}` shows their number,
    `{text:sentence}` a text as a sentence, and `{repository:holder}` where the keys of a repository are.
    """

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == "server":
            return of_server(value)
        if format_spec == "sentence":
            return as_sentence(value)
        if format_spec == "holder":
            return holder(value)
        if isinstance(value, str | int | float | None):
            return str(super().format_field(value, format_spec))
        return str(len(value)) if format_spec == "count" else several(value, format_spec or ", ")


@dataclass_transform(eq_default=False)
class PhaseError(Exception):
    """Base of all errors: a dataclass of facts. Its text is the last line that the phase prints.

    `code` is the class's name in kebab-case. The text is always a single line.
    """

    exit_code: ClassVar[int] = REFUSED_EXIT
    code: ClassVar[str]
    says: ClassVar[str] = ""  # the names of facts are in braces; a class that needs more overrides `compose`

    def __init_subclass__(cls) -> None:
        cls.code = re.sub("(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
        dataclass(eq=False, repr=False)(cls)

    def compose(self) -> str:
        """Return the message, composed from the facts."""
        return _Template().vformat(self.says, (), vars(self))

    @property
    def facts(self) -> dict[str, Any]:
        """The facts by name, as values for JSON."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}  # type: ignore[arg-type]  # each subclass is a dataclass

    @property
    def told(self) -> dict[str, Any]:
        """The error for a program: its code, its facts, its message and its exit code."""
        return {"code": self.code, "facts": self.facts, "message": str(self), "exit_code": self.exit_code}

    def __str__(self) -> str:
        return printable(self.compose())

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the facts, so that another process gets them too."""
        return type(self).__new__, (type(self),), vars(self)


class Final(PhaseError):
    """The phase is refused or has failed for good. Another try would end the same way."""


class TryAgain(PhaseError):
    """The phase has failed for now. Another try may succeed."""

    exit_code = TRY_AGAIN_EXIT


class BadArgument(Final):
    """An argument is invalid by itself. The person who gave it can correct it at once."""


@dataclass
class Few:
    """The first ten of many names, and their number. A message holds no more."""

    first: list[str] = field(default_factory=list)
    count: int = 0

    @classmethod
    def of(cls, names: Iterable[str]) -> "Few":
        """Return the first ten of these names and the number of all."""
        few = cls()
        for name in names:
            few.append(name)
        return few

    def append(self, name: str) -> None:
        """Count one more name, and keep it if it is among the first ten."""
        self.count += 1
        if len(self.first) < _LIMIT:
            self.first.append(name)

    def __len__(self) -> int:
        return self.count

    def __str__(self) -> str:
        return several(self, "; ")


_LIMIT = 10


def several(names: Sequence[str] | Few, comma: str = ", ") -> str:
    """Return the first ten names and the number of the others."""
    shown = comma.join(names.first if isinstance(names, Few) else names[:_LIMIT])
    return shown if len(names) <= _LIMIT else f"{shown} and {len(names) - _LIMIT} more"


def of_server(name: str) -> str:
    """Return a clause with the name of the server that answered, or nothing."""
    return f"; server {name}" if name else ""


def holder(repository: str) -> str:
    """Return where the keys of a repository are: in its Secret, or with a person, who names it by its address."""
    return "the environment" if any(sign in repository for sign in "/:") else f"Secret {repository}"


def as_sentence(text: str) -> str:
    """Return the text with a capital first letter and a full stop."""
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


class Unexpected(Final):
    kind: str
    place: str
    says = "Unexpected {kind} at {place}. Please report this error."

    @classmethod
    def at(cls, error: BaseException) -> "Unexpected":
        """Report an unforeseen error by its place only. Its message may quote data."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        return cls(type(error).__name__, f"{PurePath(place.filename).name}:{place.lineno}")


def _plain(fact: Any) -> Any:
    if isinstance(fact, Few):
        return {"first": fact.first, "count": fact.count}
    return fact if isinstance(fact, str | int | float | None) else list(fact)
