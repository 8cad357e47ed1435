"""The Argo workflow that a phase belongs to."""

from typing import NamedTuple

WORKFLOW_LABEL = "workflows.argoproj.io/workflow"  # Argo puts it on the pods of a workflow


class Workflow(NamedTuple):
    """The name and the uid of a workflow."""

    name: str
    uid: str


NOBODY = Workflow("-", "-")  # no workflow: no label can have this value
