"""The inputs and outputs of the phases of the exit handler."""

from pathlib import Path
from typing import Annotated

from steps.contract import values
from steps.contract.declaration import DeclaredPhase, Marker, maybe
from steps.contract.names import Form, Operation


class Ended(DeclaredPhase):
    """A phase that gets the state of the workflow at its end."""

    of: Operation
    """Operation of the workflow that has ended."""
    claim: str = ""
    """Name of the claim that holds the backup. If empty, the claim has the name of the workflow."""
    began: str = ""
    """Time when the workflow was created."""
    failures: str
    """Value of Argo's tag {{workflow.failures}}."""
    errors: str = ""
    """Outputs `failure` of all phases of the workflow, separated by a space."""
    advice: str
    """Advice that is reported if the workflow failed."""
    plan: str = ""
    """Argument `plan` of the workflow. A run that is only a plan leaves no result record and sends no notification."""
    refused: str = ""
    """`yes` if the arguments that a person gave were refused. Such a run does not count as failed."""


class ExitReport(Ended):
    """Report what failed and what to do next, in the log and in the result record. This phase never fails."""

    command = ("report",)
    gives = (maybe("report", "Report of what failed and what to do next."),)

    pod: str = ""
    """Name of the pod that runs this phase."""


class ExitNotify(Ended):
    """Post the result of the workflow to a URL. A failed delivery is reported in the log only."""

    command = ("notify",)
    gives = (maybe("notification", "Whether the notification was sent, and the reason if it was not."),)

    status: str
    """Value of Argo's tag {{workflow.status}}."""
    form: Form = "webhook"
    """Format of the notification: `webhook` for a program, `slack` for Slack."""
    secret: Path
    """Folder where the Secret with the key `url` is mounted."""
    limit_s: Annotated[float, values.LIMIT_S, Marker.FIXED] = 10.0
    """Time limit of each of the three attempts to send the notification, in seconds."""
