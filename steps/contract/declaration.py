"""The declaration of a phase: its inputs, outputs and mounts. Commands and manifests are both made from it.

A field is an option of the phase's command and, under its alias, an input of its template. The value comes from the
output of that name of an earlier phase. If no phase has such an output, it comes from the argument of the workflow.
"""

from enum import Enum, auto
from typing import Any, ClassVar, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from steps.contract.arguments import FAILURE
from steps.contract.mounts import Mount
from steps.contract.value_kinds import ValueKind


class Marker(Enum):
    """A mark in the annotation of a field that is special."""

    FIXED = auto()  # no input: the value is set when the template is rendered, or never
    UNTOLD = auto()  # no option: only the template uses it


def _kebab_case(name: str) -> str:
    return name.replace("_", "-")


class Declared(BaseModel):
    """Named values. In Argo they are all texts, and a field has the name of its alias."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        populate_by_name=True,
        alias_generator=_kebab_case,
        defer_build=True,  # a phase starts sooner: click reads its options by the same kinds of values
    )


class Output(NamedTuple):
    """An output of a phase. Without a default, the phase always writes it. `of_run` is its name in the workflow."""

    name: str
    about: str
    default: str | None = None
    of_run: str = ""


def maybe(name: str, about: str) -> Output:
    """Return an output that a phase may omit. It is then empty."""
    return Output(name, about, default="")


def of_run(name: str, about: str) -> Output:
    """Return an output for conditions and metrics of the workflow. It is empty if the phase omits it."""
    return Output(name, about, default="", of_run=name)


def failure(template: str) -> Output:
    """Return the output with the error of a failed phase as JSON. It has its own name in the workflow.

    The name has no `-`, because an expression of Argo would read it as a minus.
    """
    about = "The error of the phase as JSON: code, facts, message, exit code."
    return Output(FAILURE, about, default="", of_run=f"{FAILURE}_{template.replace('-', '_')}")


class DeclaredPhase(Declared):
    """A phase. `command` is its subcommand of the image, and the last word is the name of its template.

    A phase with `judges` may refuse the arguments of its workflow.
    """

    command: ClassVar[tuple[str, ...]]
    gives: ClassVar[tuple[Output, ...]] = ()
    judges: ClassVar[bool] = False
    on_databases: ClassVar[bool] = False  # runs on the image with the clients of databases


def as_text(value: object) -> str:
    """Return a value as Argo has it. None is an empty text."""
    return "" if value is None else str(value)


class DeclaredField(NamedTuple):
    """A field of a declaration, as commands and manifests read it."""

    name: str
    told_as: str  # in Argo
    info: FieldInfo

    @property
    def about(self) -> str:
        """The help text."""
        return " ".join((self.info.description or "").split())

    @property
    def default(self) -> str | None:
        """The default value in Argo. None if a value is required."""
        if self.info.is_required():
            return None
        return as_text(self.info.default)

    @property
    def kind(self) -> ValueKind | None:
        """The kind of value, or None."""
        return next((each for each in self.info.metadata if isinstance(each, ValueKind)), None)

    @property
    def mount(self) -> Mount | None:
        """The volume whose path the field holds, or None."""
        return next((each for each in self.info.metadata if isinstance(each, Mount)), None)

    @property
    def words(self) -> list[str]:
        """The allowed words. Empty if every value of the kind is allowed."""
        if get_origin(self.info.annotation) is Literal:
            return list(get_args(self.info.annotation))
        return list(self.kind.words) if self.kind else []

    @property
    def option(self) -> str:
        """The option of the phase's command."""
        return f"--{_kebab_case(self.name)}"

    @property
    def is_input(self) -> bool:
        return self.mount is None and Marker.FIXED not in self.info.metadata

    @property
    def is_option(self) -> bool:
        return self.mount is not Mount.SOURCE_LISTED and Marker.UNTOLD not in self.info.metadata


def fields_of(model: type[Declared]) -> list[DeclaredField]:
    """Return the fields of a model: first those of its bases, then its own, in the order of the code."""
    return [
        DeclaredField(name, str(info.alias), info) for name, info in ((n, model.model_fields[n]) for n in _names(model))
    ]


def _names(model: type[Any]) -> list[str]:
    inherited = [name for base in model.__bases__ if issubclass(base, Declared) for name in _names(base)]
    return list(dict.fromkeys([*inherited, *model.model_fields]))
