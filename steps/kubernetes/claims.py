"""A claim to be made: its size, its spec, its name; and one in words."""

import hashlib
import re
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

from steps.contract import values
from steps.contract.values import LABEL_LENGTH
from steps.kubernetes import fields
from steps.kubernetes.kinds import CLAIM, Object
from steps.kubernetes.workflow import Workflow

MARGIN = Decimal("1.2")  # over data, for what the file system itself needs


def spec_of(access_mode: str, request: str, storage_class: str) -> Object:
    """The spec of a new claim; an empty class means the cluster's default."""
    spec: Object = {"accessModes": [access_mode], "resources": {"requests": {"storage": request}}}
    return {**spec, "storageClassName": storage_class} if storage_class else spec


def capacity(claim: Object) -> str:
    """How large its volume is, as the claim says it; empty where it has none yet."""
    return str(fields.at(claim, "status", "capacity", "storage") or "")


def told(claim: Object) -> str:
    """A claim in words: its size, what it was asked for where it has none yet, how it can be mounted, its class."""
    spec = claim["spec"]
    name = spec.get("storageClassName")
    of_class = {None: "of the default class", "": "of no class"}.get(name, f"of class {name}")
    volume = [f"on volume {spec['volumeName']}"] if spec.get("volumeName") and not capacity(claim) else []
    return ", ".join(
        [capacity(claim) or spec["resources"]["requests"]["storage"], *spec["accessModes"], of_class, *volume]
    )


def own_name(workflow: Workflow, suffix: str) -> str:
    """What a claim of a workflow is called: as that, cut where that is too long, and then told apart."""
    name = workflow.name.replace(".", "-")
    if len(name) + len(suffix) <= LABEL_LENGTH:
        return f"{name}{suffix}"
    unique = f"-{hashlib.sha256(workflow.name.encode()).hexdigest()[:8]}{suffix}"
    return f"{name[: LABEL_LENGTH - len(unique)]}{unique}"


def new(name: str, labels: dict[str, str], annotations: dict[str, str], spec: Object) -> Object:
    """A claim to create."""
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    return {"apiVersion": CLAIM.api_version, "kind": CLAIM.name, "metadata": metadata, "spec": spec}


_QUANTITY = re.compile(f"[+-]?{values.QUANTITY}")


def quantity(text: str) -> Decimal:
    """A Kubernetes quantity as a number, bytes where it is a size.

    Raises:
        ValueError: it is none.

    """
    if not _QUANTITY.fullmatch(text):
        raise ValueError(text)
    return Decimal(parse_quantity(text))  # type: ignore[no-untyped-call]  # as above
