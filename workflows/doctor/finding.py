"""What the doctor finds out, and the question that it puts to a cluster."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from steps import errors
from steps.contract.backup_contract import WantedBackup
from steps.contract.declaration import fields_of
from steps.kubernetes.cluster import Cluster
from workflows import manifests
from workflows.configuration.installation import Installation
from workflows.rendering.document import Manifest
from workflows.rendering.pods import Pods
from workflows.rendering.settings import Argo


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

    `elsewhere` gives the objects of another namespace. `installation` is None if no file says how the tool is
    installed. `file` is the name of that file, and `rendering` the command that renders its manifests for this
    namespace.
    """

    cluster: Cluster
    elsewhere: Callable[[str], Cluster]
    installation: Installation | None = None
    file: str = "FILE"
    rendering: str = "threescale-backup manifests -f FILE"

    @property
    def namespace(self) -> str:
        """The namespace of the 3scale installation."""
        return self.cluster.namespace

    @property
    def argo(self) -> Argo:
        """What Argo's controller asks. The defaults if there is no file."""
        return self.installation.argo if self.installation else Argo()

    @property
    def pods(self) -> Pods:
        """What the pods of the phases need. The defaults if there is no file."""
        return self.installation.pods if self.installation else Pods()

    @property
    def wanted(self) -> WantedBackup:
        """What a scheduled backup asks for. The defaults if there is no file."""
        told = self.installation.backup.arguments if self.installation else {}
        known = {each.told_as for each in fields_of(WantedBackup)}
        return WantedBackup.model_validate({name: value for name, value in told.items() if name in known})

    @property
    def apply(self) -> str:
        """The command that applies the manifests of the file."""
        return f"{self.rendering} | kubectl apply --server-side -f -"

    @cached_property
    def rendered(self) -> list[Manifest]:
        """What the file renders, nothing if there is no file."""
        return manifests.of(self.installation) if self.installation else []

    def at(self, namespace: str) -> Cluster:
        """Return the objects of a namespace, this one or another one."""
        return self.cluster if namespace == self.namespace else self.elsewhere(namespace)


Examination = Callable[[Patient], Iterator[Finding]]


def examine(patient: Patient, *examinations: Examination) -> Iterator[Finding]:
    """Yield the findings of all examinations. What may not be read, or gives no answer, ends only its own one.

    An error that two examinations find is yielded once.

    Raises:
        errors.Unanswered: the server does not know the account, or has not answered any question yet.
    """
    seen: set[str] = set()
    for each in examinations:
        for finding in _asked(patient, each, is_first=not seen):
            if finding.state is not State.ERROR or finding.told not in seen:
                yield finding
            seen.add(finding.told)


def _asked(patient: Patient, examination: Examination, *, is_first: bool) -> Iterator[Finding]:
    try:
        yield from examination(patient)
    except (errors.NotAllowed, errors.NamesNotAllowed) as error:
        yield refused(subject(examination), [error])
    except errors.PhaseError as error:
        if isinstance(error, errors.NotKnown) or (is_first and isinstance(error, errors.Unanswered)):
            raise
        yield Finding(State.ERROR, subject(examination), str(error))


def refused(what: str, refusals: Iterable[errors.NotAllowed | errors.NamesNotAllowed]) -> Finding:
    """Return the finding for what the person may not read."""
    by_verb: dict[str, set[str]] = {}
    for each in refusals:
        verb, names = (each.verb, [each.name]) if isinstance(each, errors.NotAllowed) else ("get", each.names)
        by_verb.setdefault(f"{verb} {each.resource}", set()).update(names)
    told = ", ".join(" ".join([verb, ", ".join(sorted(names))]).rstrip() for verb, names in by_verb.items())
    remedy = "Ask somebody with this right to run doctor."
    return Finding(State.NOT_ALLOWED, what, f"Your account is not allowed to {told}.", remedy)


def subject(examination: Examination) -> str:
    """Return what an examination is about: its docstring up to the first colon or full stop."""
    return (examination.__doc__ or "").partition(".")[0].partition(":")[0]
