"""Values and paths as types of the options of a command."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Protocol, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])


class Readable(Protocol):
    name: str

    def read(self, text: str) -> Any:
        """Read one; raises ValueError, whose text is the sentence."""


class Value(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A value of one kind, as `steps.contract.values` has them."""

    def __init__(self, kind: Readable) -> None:
        self.name, self._kind = kind.name, kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):  # a default
            return value
        try:
            return self._kind.read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Maybe(Value):
    """The same, or an empty text: a workflow passes on what it was not told."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "" else super().convert(value, param, ctx)


def or_nothing(option: str, kind: Readable, about: str, metavar: str | None = None) -> Callable[[Command], Command]:
    """An option that may be empty, and is that where it is not given."""
    return click.option(option, type=Maybe(kind), default="", metavar=metavar, help=about)


def one_of(option: str, words: Sequence[str], about: str) -> Callable[[Command], Command]:
    """An option that takes one of these words; the first where it is not given."""
    return click.option(option, type=click.Choice(words), default=words[0], help=about)


def all_of(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options, in this order."""

    def decorate(function: Command) -> Command:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


class NamedPath(click.Path):
    """A path that has to be named: an empty one, of a variable that is not set, would be the current folder."""

    def convert(
        self, value: str | PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | PathLike[str]:
        if value == "":
            self.fail("an empty path names nothing.", param, ctx)
        return super().convert(value, param, ctx)
