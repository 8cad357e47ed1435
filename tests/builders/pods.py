"""Pods that hold a claim, and the events of what they wait for."""


def pod(stage, name, node="node-a", *, phase="Running", workflow="", claim="system-storage", **status):
    """Put a pod there that mounts a claim; without a node it is not scheduled."""
    labels = {"labels": {"workflows.argoproj.io/workflow": workflow}} if workflow else {}
    volumes = [{"name": "tmp", "emptyDir": {}}, {"name": "v", "persistentVolumeClaim": {"claimName": claim}}]
    obj = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": stage.namespace, **labels},
        "spec": {"containers": [{"name": "main"}], "volumes": volumes, **({"nodeName": node} if node else {})},
        "status": {"phase": phase, **status},
    }
    return stage.kubernetes.apply(obj)


def event(stage, kind, name, reason, *, type_="Warning", at="2026-01-02T03:04:05Z", message="so it is"):  # noqa: PLR0913  an event has as many parts
    """Have Kubernetes say something of an object."""
    stage.kubernetes.create(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{name}.", "namespace": stage.namespace},
            "involvedObject": {"kind": kind, "name": name, "namespace": stage.namespace},
            "type": type_,
            "reason": reason,
            "message": message,
            "lastTimestamp": at,
        }
    )


def pending_pod(stage, name="pod-1", claim="nightly", phase="Pending", **status):
    """Put a pod of the workflow backup-1 there, which no node has taken."""
    return pod(stage, name, "", phase=phase, workflow="backup-1", claim=claim, **status)
