"""What the doctor finds out, and the question that it puts to a cluster."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from steps import errors
from steps.kubernetes.cluster import Cluster
from workflows.configuration.installation import Installation


class State(StrEnum):
    """How a precondition stands."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    NOT_ALLOWED = "not allowed to ask"
    NOT_TRIED = "not tried"


class Finding(NamedTuple):
    """One line of the doctor: a precondition, how it stands, what was seen, and what to do."""

    state: State
    what: str
    told: str
    remedy: str = ""


@dataclass(frozen=True)
class Patient:
    """A namespace of a cluster, and how this tool is or will be installed there.

    `elsewhere` gives the objects of another namespace. `installation` is None if no file says how the tool is installed.
    """

    cluster: Cluster
    elsewhere: Callable[[str], Cluster]
    installation: Installation | None = None

    @property
    def namespace(self) -> str:
        """The namespace of the 3scale installation."""
        return self.cluster.namespace


Examination = Callable[[Patient], Iterator[Finding]]


def examine(patient: Patient, *examinations: Examination) -> Iterator[Finding]:
    """Yield the findings of all examinations. What may not be read, or gives no answer, ends only its own one."""
    for each in examinations:
        try:
            yield from each(patient)
        except errors.NotAllowed as error:
            yield Finding(State.NOT_ALLOWED, _subject(each), str(error))
        except errors.PhaseError as error:
            yield Finding(State.ERROR, _subject(each), str(error))


def _subject(examination: Examination) -> str:
    """Return what an examination is about: the first words of its docstring."""
    return (examination.__doc__ or "").partition(".")[0]
