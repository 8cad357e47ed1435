"""What a phase needs to find in a cluster before it comes to a volume, and what it has made there."""

import json
import os
from contextlib import suppress

from steps.archive import layout, marks
from steps.kubernetes import fields
from steps.kubernetes.kinds import CONFIGMAP, SECRET
from steps.kubernetes.workflow import Workflow
from steps.phases.scratch_space import Ledger
from steps.threescale import installation
from workflows.rehearsal.kubernetes import refusals
from workflows.rehearsal.kubernetes.cluster import ExecResult
from workflows.rehearsal.threescale import installation as threescale
from workflows.rehearsal.threescale import objects as threescale_objects

CLAIMS = "persistentvolumeclaims"
CLAIM, STORAGE, SCRATCH, REPLACED = "nightly", "system-storage", "scratch", "replaced"
ME = Workflow("w", "u")
_PLACES = {
    layout.SECRETS: "secrets",
    layout.REFERENCED_SECRETS: "secrets",
    layout.CONFIGMAPS: "configmaps",
    layout.REFERENCED_CONFIGMAPS: "configmaps",
}
_KINDS = ("secrets", "configmaps", "apimanagers", "pods", CLAIMS)


def names(stage):
    """All that is there, in the namespace and in the one of drills."""
    return {
        (resource, namespace, obj["metadata"]["name"])
        for resource in _KINDS
        for namespace in (stage.namespace, SCRATCH)
        for obj in stage.kubernetes.list(resource, namespace)
    }


def reset(stage, before, there):
    """Have the claims say what they said at first, and take away what was made since."""
    for resource, namespace, name in names(stage) - there:
        with suppress(refusals.Refused):
            stage.kubernetes.delete(resource, namespace, name)
    stage.kubernetes.collect_garbage()
    for name, said in before.items():
        now = stage.get(CLAIMS, name)["metadata"]
        patch = {
            part: {**dict.fromkeys(now.get(part) or {}), **(said.get(part) or {})} for part in ("labels", "annotations")
        }
        stage.kubernetes.patch(CLAIMS, stage.namespace, name, {"metadata": patch})


# --- before a phase ---


def as_restored(stage, case):
    """Have system-storage say that its files are restored."""
    annotations = {**marks.Mark(CLAIM, case.digest).annotations(), marks.RESTORE_STATE: marks.COMPLETE}
    stage.kubernetes.patch(CLAIMS, stage.namespace, STORAGE, {"metadata": {"annotations": annotations}})


def with_objects(stage, case):
    """Have all be there that comes before the APIManager."""
    as_restored(stage, case)
    saved = [json.loads(path.read_bytes()) for place in _PLACES for path in (case.source / place).glob("*.json")]
    for obj in [*threescale.sample_secrets(stage.namespace), *saved]:
        metadata = {"name": obj["metadata"]["name"], "namespace": stage.namespace}
        stage.kubernetes.apply({**obj, "metadata": metadata})


def with_3scale(stage, case):
    """Have a 3scale come up that a restore of this backup has made."""
    as_restored(stage, case)
    apimanager = threescale.sample_apimanager(stage.namespace, [])
    apimanager["metadata"]["annotations"] = marks.Mark(CLAIM, case.digest).annotations()
    status = {"conditions": [{"type": "Available", "status": "True"}]}
    stage.kubernetes.apply({**apimanager, "status": status})
    labels = {"deployment": installation.SIDEKIQ}
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": installation.SIDEKIQ}]}}
    metadata = {"name": "sidekiq", "namespace": stage.namespace, "labels": labels}
    stage.kubernetes.apply({**pod, "metadata": metadata, "status": ready})
    stage.kubernetes.on_exec(lambda *_: ExecResult())


def with_ledger(stage, _case):
    """Have a drill be under way that may make all that 3scale has."""
    made = {
        SECRET: [*installation.SECRETS, *threescale_objects.REFERENCED_SECRETS],
        CONFIGMAP: list(installation.CONFIGMAPS),
    }
    uid = stage.get(CLAIMS, CLAIM)["metadata"]["uid"]
    ledger = Ledger(ME, SCRATCH, CLAIM, uid, made).as_object(stage.namespace)
    stage.kubernetes.apply({**ledger, "metadata": {**ledger["metadata"], "namespace": stage.namespace}})


def with_source(stage, case):
    """Have the installation be there, with files of the target, in whose backup a phase goes on."""
    apimanager = stage.kubernetes.apply(threescale.sample_apimanager(stage.namespace, []))
    annotations = {installation.APIMANAGER_UID: apimanager["metadata"]["uid"], marks.MANIFEST_DIGEST: None}
    stage.kubernetes.patch(CLAIMS, stage.namespace, CLAIM, {"metadata": {"annotations": annotations}})
    with_files(stage, case)


def with_files(_stage, case):
    """Have files lie in system-storage."""
    (case.target / "folder").mkdir()
    (case.target / "folder/theirs").write_bytes(b"theirs")


# --- what came of it ---


def objects_of(root):
    """What a restore may make of a volume: type and data of each object, by resource and name."""
    found = {}
    for place, resource in _PLACES.items():
        with suppress(OSError):
            for name in os.listdir(root / place):
                with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
                    obj = json.loads(layout.read(root, f"{place}/{name}"))
                    found.setdefault((resource, obj["metadata"]["name"]), []).append(said(obj))
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        obj = json.loads(layout.read(root, layout.APIMANAGER))
        found["apimanagers", obj["metadata"]["name"]] = [obj["spec"]]
    return found


def made(stage, there):
    """What lies in the cluster now that a restore or a drill has made, by resource and name."""
    return {
        (resource, name): obj["spec"] if resource == "apimanagers" else said(obj)
        for resource, namespace, name in names(stage) - there
        if resource in {"secrets", "configmaps", "apimanagers"}
        and (obj := stage.kubernetes.get(resource, namespace, name))
        and fields.annotation(obj, marks.RESTORED_FROM)
    }


def said(obj):
    """Type and data of an object."""
    return obj.get("type", "Opaque"), obj.get("data") or {}, obj.get("binaryData") or {}
