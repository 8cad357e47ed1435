"""Finds GitOps controllers. Such a controller overwrites a restored object with the state of its repository.

Argo CD marks its objects with an annotation that holds the object's identity. Older versions use a label, whose name
can be set (argo-cd.readthedocs.io, user-guide/resource_tracking). Flux uses labels (fluxcd.io, kustomize-controller and
helm-controller).
"""

from typing import Any

from steps.kubernetes import fields

ARGO_CD = "argocd.argoproj.io/"
_TRACKING_ID = f"{ARGO_CD}tracking-id"  # APPLICATION:GROUP/KIND:NAMESPACE/NAME
_INSTANCE = f"{ARGO_CD}instance"  # the label of clusters that leave the well-known one to others
_WRITER = "argocd"  # begins the field managers of its controllers
_WELL_KNOWN_INSTANCE = "app.kubernetes.io/instance"  # Argo CD's label by default, and many a chart's own
MANAGES = "manages this object and may overwrite it from its repository"
FLUX = (("kustomize.toolkit.fluxcd.io/", "Kustomization"), ("helm.toolkit.fluxcd.io/", "HelmRelease"))


def owner(obj: dict[str, Any]) -> str:
    """The controller and its resource that owns the object, such as `Argo CD (Application infra)`; empty: none."""
    application = _application(obj)
    return f"Argo CD (Application {application})" if application else _flux(obj)


def warning(owner: str) -> str:
    """What a plan says of an object with an `owner`."""
    return f"{owner} {MANAGES}"


def _application(obj: dict[str, Any]) -> str:
    """The Application, by any tracking method of Argo CD. An annotation copied from another object does not count."""
    if tracking_id := fields.annotation(obj, _TRACKING_ID):
        application, _, identity = tracking_id.partition(":")
        return application if _names(identity, obj) else ""
    if instance := fields.label(obj, _INSTANCE) or fields.annotation(obj, _INSTANCE):
        return instance
    head = obj["metadata"]
    signs = [*(head.get("annotations") or {}), *(head.get("labels") or {})]
    writers = [str(each.get("manager", "")) for each in head.get("managedFields") or []]
    is_its_own = any(sign.startswith(ARGO_CD) for sign in signs) or any(map(_is_argo_cd, writers))
    return fields.label(obj, _WELL_KNOWN_INSTANCE) if is_its_own else ""


def _is_argo_cd(manager: str) -> bool:
    return manager.startswith(_WRITER)


def _names(identity: str, obj: dict[str, Any]) -> bool:
    """Whether GROUP/KIND:NAMESPACE/NAME is this object. A saved object has no namespace."""
    kind, _, place = identity.partition(":")
    namespace, _, name = place.partition("/")
    group = obj["apiVersion"].rpartition("/")[0].partition("/")[0]
    metadata = obj["metadata"]
    own = metadata.get("namespace") or namespace
    return (kind, namespace, name) == (f"{group}/{obj['kind']}", own, metadata["name"])


def _flux(obj: dict[str, Any]) -> str:
    for prefix, kind in FLUX:
        if name := fields.label(obj, f"{prefix}name"):
            return f"Flux ({kind} {'/'.join(filter(None, (fields.label(obj, f'{prefix}namespace'), name)))})"
    return ""
