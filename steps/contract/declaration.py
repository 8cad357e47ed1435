"""How a phase is declared, once for both sides of a workflow: what it is told, what it gives and what it mounts.

A field is an option of the phase's command and, under its alias, an input of its template. The phase before it that
gives an output of that name tells it; where none does, a person does by the argument of the workflow.
"""

from enum import Enum, auto
from typing import Any, ClassVar, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from steps.contract.arguments import FAILURE
from steps.contract.mounts import Mount
from steps.contract.values import ValueKind


class Marker(Enum):
    """What sets a field apart, in its annotation."""

    FIXED = auto()  # no input: it is told when the template is rendered, or never
    UNTOLD = auto()  # no option: the template alone has a use for it


def _kebab_case(name: str) -> str:
    return name.replace("_", "-")


class Declared(BaseModel):
    """What is told by name, all of it as texts to Argo. A field's alias is its name there."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        populate_by_name=True,
        alias_generator=_kebab_case,
        defer_build=True,  # a phase starts sooner: click reads its options by the same kinds of values
    )


class Output(NamedTuple):
    """An output of a phase; without a default the phase always leaves it. `of_run`: its name in the whole workflow."""

    name: str
    about: str
    default: str | None = None
    of_run: str = ""


def maybe(name: str, about: str) -> Output:
    """An output that a phase may leave, empty where it does not."""
    return Output(name, about, default="")


def of_run(name: str, about: str) -> Output:
    """An output for conditions and metrics of the whole workflow, empty where the phase has nothing to say."""
    return Output(name, about, default="", of_run=name)


def failure(template: str) -> Output:
    """What every phase gives where it fails: its error as JSON. Each has a name of its own in the whole workflow.

    It has no `-`, which an expression of Argo would take for a minus.
    """
    about = "The error of the phase as JSON: code, facts, message, exit code."
    return Output(FAILURE, about, default="", of_run=f"{FAILURE}_{template.replace('-', '_')}")


class DeclaredPhase(Declared):
    """A phase; `command` is its subcommand of the image, and the last word names its template.

    One that `judges` may refuse the arguments of its workflow.
    """

    command: ClassVar[tuple[str, ...]]
    gives: ClassVar[tuple[Output, ...]] = ()
    judges: ClassVar[bool] = False


class DeclaredField(NamedTuple):
    """A field as both sides read it."""

    name: str
    told_as: str  # in Argo
    info: FieldInfo

    @property
    def about(self) -> str:
        """What it is for."""
        return " ".join((self.info.description or "").split())

    @property
    def default(self) -> str | None:
        """What Argo is told where nobody says anything else; None: somebody must."""
        if self.info.is_required():
            return None
        return "" if self.info.default is None else str(self.info.default)

    @property
    def kind(self) -> ValueKind | None:
        """The kind of value, where it has one."""
        return next((each for each in self.info.metadata if isinstance(each, ValueKind)), None)

    @property
    def mount(self) -> Mount | None:
        """The volume, where the field tells where that is mounted."""
        return next((each for each in self.info.metadata if isinstance(each, Mount)), None)

    @property
    def words(self) -> list[str]:
        """The words of which it is one; empty: any value of its kind."""
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
    """The fields of a model, in the order in which its bases and then the model itself write them."""
    return [
        DeclaredField(name, str(info.alias), info) for name, info in ((n, model.model_fields[n]) for n in _names(model))
    ]


def _names(model: type[Any]) -> list[str]:
    inherited = [name for base in model.__bases__ if issubclass(base, Declared) for name in _names(base)]
    return list(dict.fromkeys([*inherited, *model.model_fields]))
