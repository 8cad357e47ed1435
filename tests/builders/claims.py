"""Claims of backups, as the phases of a workflow label them."""

from steps.archive import marks
from steps.catalogue import catalogue

CLAIMS = "persistentvolumeclaims"
DIGEST = "ab" * 32


def as_argo_labels(phase):
    """The labels that Argo's controller writes with the phase of a Workflow."""
    if not phase:  # the controller has not looked at it yet
        return {}
    completed = str(phase in {"Succeeded", "Failed", "Error"}).lower()
    return {"workflows.argoproj.io/phase": phase, "workflows.argoproj.io/completed": completed}


def laid(stage, name, *, phase=None, started="2026-11-01T02:00:00Z", labels=None, annotations=None):
    """Put the claim of a backup there, as its phases label it, and its workflow in a phase where that is given."""
    stage.claim(
        name,
        metadata={
            "labels": {
                marks.BACKUP: name,
                marks.STATE: marks.RUNNING,
                marks.WORKFLOW: f"of-{name}",
                marks.WORKFLOW_UID: f"uid-of-{name}",
                **(labels or {}),
            },
            "annotations": {marks.STARTED: started, **(annotations or {})},
        },
    )
    if phase is not None:
        workflow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": {}, "status": {"phase": phase}}
        metadata = {"name": f"of-{name}", "namespace": stage.namespace, "labels": as_argo_labels(phase)}
        made = stage.kubernetes.apply({**workflow, "metadata": metadata})
        stage.kubernetes.patch(
            CLAIMS, stage.namespace, name, {"metadata": {"labels": {marks.WORKFLOW_UID: made["metadata"]["uid"]}}}
        )


def sealed(**more):
    return {
        "labels": {marks.STATE: marks.COMPLETE, marks.FILES: "12", marks.BYTES: "3400", **more},
        "annotations": {marks.MANIFEST_DIGEST: DIGEST, marks.ENDED: "2026-11-01T02:05:00Z"},
    }


def only(stage):
    (entry,) = catalogue.read(stage.connect())
    return entry


def without_label(stage, name="nightly"):
    """Take the label from a claim by which it is known as a backup of ours."""
    stage.kubernetes.patch(CLAIMS, stage.namespace, name, {"metadata": {"labels": {marks.BACKUP: None}}})
