"""A new claim: its size, its spec and its name. Also the description of a claim in words."""

import hashlib
import re
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

from steps.contract import values
from steps.contract.values import LABEL_LENGTH
from steps.kubernetes import fields
from steps.kubernetes.kinds import CLAIM, Object
from steps.kubernetes.workflow import Workflow

MARGIN = Decimal("1.2")  # times the data, because the file system needs room too


def spec_of(access_mode: str, request: str, storage_class: str | None) -> Object:
    """Return the spec of a new claim. An empty class means no class, and None means the cluster's default.

    A claim of no class gets only a volume that exists and has no class (docs of Kubernetes, Persistent Volumes, Class).
    """
    spec: Object = {"accessModes": [access_mode], "resources": {"requests": {"storage": request}}}
    return spec if storage_class is None else {**spec, "storageClassName": storage_class}


def class_of(asked: str, default: str | None = None) -> str | None:
    """Return the class that an argument `storage-class` asks for, as `spec_of` takes it. If empty, the default."""
    return "" if asked == values.NO_CLASS else asked or default


def on_volume(access_mode: str, request: str, asked_class: str, volume_name: str, default: str | None = None) -> Object:
    """Return the spec of a new claim on an existing volume. If `volume_name` is empty, any volume of the class will do.

    With a volume, the default class is never used: it would keep the claim from this volume.
    """
    if not volume_name:
        return spec_of(access_mode, request, class_of(asked_class, default))
    return {**spec_of(access_mode, request, class_of(asked_class, "")), "volumeName": volume_name}


def capacity(claim: Object) -> str:
    """Return the size of the claim's volume, as the claim says it. Empty if it has no volume yet."""
    return str(fields.at(claim, "status", "capacity", "storage") or "")


def told(claim: Object) -> str:
    """Describe a claim: its size, or the requested size if it has no volume yet, its access modes and its class."""
    spec = claim["spec"]
    name = spec.get("storageClassName")
    of_class = {None: "of the default class", "": "of no class"}.get(name, f"of class {name}")
    volume = [f"on volume {spec['volumeName']}"] if spec.get("volumeName") and not capacity(claim) else []
    if attributes := spec.get("volumeAttributesClassName"):
        volume.append(f"with volumeAttributesClassName {attributes}")
    return ", ".join(
        [capacity(claim) or spec["resources"]["requests"]["storage"], *spec["accessModes"], of_class, *volume]
    )


def own_name(workflow: Workflow, suffix: str) -> str:
    """Return the name of a workflow's claim. A name that is too long is cut and gets a hash to make it unique."""
    name = workflow.name.replace(".", "-")
    if len(name) + len(suffix) <= LABEL_LENGTH:
        return f"{name}{suffix}"
    unique = f"-{hashlib.sha256(workflow.name.encode()).hexdigest()[:8]}{suffix}"
    return f"{name[: LABEL_LENGTH - len(unique)]}{unique}"


def new(name: str, labels: dict[str, str], annotations: dict[str, str], spec: Object) -> Object:
    """Return a claim to create."""
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    return {"apiVersion": CLAIM.api_version, "kind": CLAIM.name, "metadata": metadata, "spec": spec}


_QUANTITY = re.compile(f"[+-]?{values.QUANTITY}")


def quantity(text: str) -> Decimal:
    """Return a Kubernetes quantity as a number. A size is in bytes.

    Raises:
        ValueError: the text is not a quantity.

    """
    if not _QUANTITY.fullmatch(text):
        raise ValueError(text)
    return Decimal(parse_quantity(text))  # type: ignore[no-untyped-call]  # as above
