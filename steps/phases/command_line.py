"""Makes a command line from a declaration. Each field becomes an option, which is read by its kind of value."""

from collections.abc import Callable, Collection
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from steps.contract.value_kinds import ValueKind
from steps.contract.values import NO, YES

if TYPE_CHECKING:
    from steps.contract.declaration import Declared, DeclaredField, DeclaredPhase

Command = TypeVar("Command", bound=Callable[..., object])
Told = TypeVar("Told", bound="Declared")
ToldPhase = TypeVar("ToldPhase", bound="DeclaredPhase")
Act = Callable[[Any, ToldPhase], None]  # the first is the Run


class Value(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """The type of an option whose values are of one kind."""

    def __init__(self, kind: ValueKind) -> None:
        self.name, self._kind = kind.name, kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):  # a default
            return value
        try:
            return self._kind.read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class NamedPath(click.Path):
    """A path that is not empty. An empty path, from a variable that is not set, would mean the current folder."""

    def convert(
        self, value: str | PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | PathLike[str]:
        if value == "":
            self.fail("the path is empty.", param, ctx)
        return super().convert(value, param, ctx)


_FLAG: dict[str, Any] = {"is_flag": True, "flag_value": YES, "default": NO}
FOLDER = NamedPath(path_type=Path)  # not checked here, because the phases have better messages


def options_of(model: "type[Declared]", *, without: Collection[str] = (), flags: bool = False) -> list[click.Parameter]:
    """Return the options for the fields of a model. With `flags`, a field that is yes or no becomes a flag."""
    from steps.contract.declaration import fields_of  # imports pydantic, which `--help` does not need

    told = [each for each in fields_of(model) if each.is_option and each.name not in without]
    return [click.Option([each.option, each.name], **_facts(each, flags=flags)) for each in told]


def read(model: type[Told], told: dict[str, Any]) -> Told:
    """Make a model from the values that click has read, and remove them from `told`.

    Click has checked each value by its kind, so the values are not checked again.
    """
    return model.model_construct(**{name: told.pop(name) for name in model.model_fields if name in told})


class PhaseCommand(click.Command):
    """The command of a phase. It calls the phase with the Run and the phase's model."""

    def __init__(self, phase: type[ToldPhase], act: Act[ToldPhase]) -> None:
        super().__init__(phase.command[-1], help=phase.__doc__)
        self._phase, self._act = phase, act

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if not self.params:
            self.params = options_of(self._phase)
        return super().get_params(ctx)

    def invoke(self, ctx: click.Context) -> None:
        names = frozenset(each.name for each in self._phase.gives)
        self._act(replace(ctx.obj, gives=names), read(self._phase, dict(ctx.params)))


class PhaseGroup(click.Group):
    """The commands of the phases of a workflow, in the order in which they run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  as the base class has it
        return list(self.commands)

    def phase(self, phase: type[ToldPhase]) -> Callable[[Act[ToldPhase]], PhaseCommand]:
        """Make a function the command of a phase."""

        def decorate(act: Act[ToldPhase]) -> PhaseCommand:
            command = PhaseCommand(phase, act)
            self.add_command(command)
            return command

        return decorate


def _facts(field: "DeclaredField", *, flags: bool) -> dict[str, Any]:
    """Return the arguments of `click.Option` for a field."""
    if flags and field.words == [NO, YES]:
        return {**_FLAG, "help": field.about}
    told = {"type": _type(field), "help": field.about}
    if field.default is None:
        return {**told, "required": True}
    return {**told, "default": field.info.default, "show_default": field.default != ""}


def _type(field: "DeclaredField") -> "click.ParamType[Any]":
    if field.kind:
        return Value(field.kind)
    if field.words:
        return click.Choice(field.words)
    return FOLDER if field.info.annotation in {Path, Path | None} else click.STRING
