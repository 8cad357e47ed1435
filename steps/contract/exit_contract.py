"""What the phases of the exit handler are told and give."""

from pathlib import Path
from typing import Annotated

from steps.contract import values
from steps.contract.declaration import DeclaredPhase, Marker, maybe
from steps.contract.names import Form, Operation


class Ended(DeclaredPhase):
    """A workflow that has ended."""

    of: Operation
    """What has ended."""
    claim: str = ""
    """Claim of the backup. Empty: called as the workflow."""
    began: str = ""
    """When the workflow was made."""
    failures: str
    """{{workflow.failures}} as Argo gives it."""
    errors: str = ""
    """The outputs `failure` of its phases, one after the other."""
    advice: str
    """What to do next where it failed."""
    plan: str = ""
    """The workflow's; a mere plan leaves no evidence and is told to nobody."""
    refused: str = ""
    """yes: a person's arguments were refused, so it is no failure."""


class ExitReport(Ended):
    """Say what failed and what to do next, here and in the evidence, where it leaves any; never fails itself."""

    command = ("report",)
    gives = (maybe("report", "What failed, and what to do next."),)

    pod: str = ""
    """The pod that runs this."""


class ExitNotify(Ended):
    """Post the result; what keeps it from being delivered is said here and nowhere else."""

    command = ("notify",)
    gives = (maybe("notification", "Whether it was sent."),)

    status: str
    """{{workflow.status}} as Argo gives it."""
    form: Form = "webhook"
    """Who reads it."""
    secret: Path
    """Where the Secret with `url` is mounted."""
    limit_s: Annotated[float, values.LIMIT_S, Marker.FIXED] = 10.0
    """Limit of each of three tries, in seconds."""
