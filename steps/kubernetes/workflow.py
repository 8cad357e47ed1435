"""The Argo workflow that asks."""

from typing import NamedTuple

WORKFLOW_LABEL = "workflows.argoproj.io/workflow"  # Argo puts it on the pods of a workflow


class Workflow(NamedTuple):
    """Who asks."""

    name: str
    uid: str


NOBODY = Workflow("-", "-")  # no workflow: no label can have this value
