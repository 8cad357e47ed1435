"""Secrets and ConfigMaps that an APIManager refers to beyond the well-known ones. Without them 3scale starts in part.

They are found by the name and the form of a field, as the API of the operator and of Kubernetes define them, and not
by a list of paths. So references that a later operator adds are found too.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from steps.kubernetes import fields
from steps.kubernetes.kinds import CONFIGMAP, SECRET, Kind
from steps.threescale.installation import CONFIGMAPS, EDITED_CONFIGMAPS, SECRETS

_FIELDS = {
    re.compile(r"(^s|S)ecret((Key)?Ref)?$"): SECRET,  # secretRef, tracingConfigSecretRef, awsCredentialsSecret
    re.compile(r"(^c|C)onfigMap((Key)?Ref)?$"): CONFIGMAP,
}
_PULL_SECRETS = "imagePullSecrets"
_WELL_KNOWN = {SECRET: SECRETS, CONFIGMAP: (*CONFIGMAPS, *EDITED_CONFIGMAPS)}


class Reference(NamedTuple):
    """An object that an APIManager refers to, and the path of the field: `spec.imagePullSecrets[0].name`."""

    kind: Kind
    name: str
    path: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.name} ({self.path})"


def of(apimanager: dict[str, Any]) -> list[Reference]:
    """Return all references of an APIManager, in the order of its fields, without those that every backup saves."""
    found = (each for field in fields.walk(apimanager.get("spec"), "spec") for each in _found(*field))
    return [each for each in found if each.name not in _WELL_KNOWN[each.kind]]


def of_kind(references: Iterable[Reference], kind: Kind) -> list[Reference]:
    """Return the references to objects of a kind."""
    return [each for each in references if each.kind == kind]


def names(references: Iterable[Reference], kind: Kind) -> list[str]:
    """Return the names of the objects of a kind, sorted, each once."""
    return sorted({each.name for each in of_kind(references, kind)})


def _found(path: str, key: str, value: Any) -> Iterator[Reference]:
    """Yield the references in one field."""
    if kind := next((kind for field, kind in _FIELDS.items() if field.search(key)), None):
        yield from _named(kind, value, path)
    elif key == _PULL_SECRETS and isinstance(value, list):
        for number, each in enumerate(value):
            yield from _named(SECRET, each, f"{path}[{number}]")


def _named(kind: Kind, value: Any, path: str) -> Iterator[Reference]:
    """Yield the object that a field names. An empty field names none."""
    if isinstance(value, dict) and (name := value.get("name")):
        yield Reference(kind, str(name), f"{path}.name")
