"""Secrets and ConfigMaps that an APIManager refers to beyond the well-known ones. Without them 3scale starts in part.

They are found by the name and the form of a field, as the API of the operator and of Kubernetes define them, and not
by a list of paths. So references that a later operator adds are found too.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from steps.kubernetes import fields
from steps.kubernetes.kinds import CONFIGMAP, SECRET, Kind
from steps.threescale.installation import (
    CONFIGMAPS,
    DEFAULT_PULL_SECRET,
    EDITED_CONFIGMAPS,
    LAST_WITH_PULL_SECRET,
    SECRETS,
    THREESCALE_VERSION,
)

_FIELDS = {
    re.compile(r"(^s|S)ecret((Key)?Ref)?$"): SECRET,  # secretRef, tracingConfigSecretRef, awsCredentialsSecret
    re.compile(r"(^c|C)onfigMap((Key)?Ref)?$"): CONFIGMAP,
}
_PULL_SECRETS = "imagePullSecrets"
_WELL_KNOWN = {SECRET: SECRETS, CONFIGMAP: (*CONFIGMAPS, *EDITED_CONFIGMAPS)}


class Reference(NamedTuple):
    """An object that an APIManager refers to, and the path of the field: `spec.imagePullSecrets[0].name`.

    A default is used because a field is absent. The object of a default need not exist.
    """

    kind: Kind
    name: str
    path: str
    is_default: bool = False

    def __str__(self) -> str:
        return f"{self.kind.name} {self.name} ({self.path}{', the default' if self.is_default else ''})"


def of(apimanager: dict[str, Any]) -> list[Reference]:
    """Return all references of an APIManager, without those that every backup saves.

    They have the order of its fields. The operator's defaults come last.
    """
    found = (each for field in fields.walk(apimanager.get("spec"), "spec") for each in _found(*field))
    return [*(each for each in found if each.name not in _WELL_KNOWN[each.kind]), *_defaults(apimanager)]


def required(references: Iterable[Reference]) -> list[Reference]:
    """Return the references whose objects must exist: all but the defaults."""
    return [each for each in references if not each.is_default]


def defaults(references: Iterable[Reference]) -> set[str]:
    """Return the names of the objects that are used by default only."""
    found = list(references)
    return {each.name for each in found if each.is_default} - {each.name for each in required(found)}


def of_kind(references: Iterable[Reference], kind: Kind) -> list[Reference]:
    """Return the references to objects of a kind."""
    return [each for each in references if each.kind == kind]


def names(references: Iterable[Reference], kind: Kind) -> list[str]:
    """Return the names of the objects of a kind, sorted, each once."""
    return sorted({each.name for each in of_kind(references, kind)})


def _defaults(apimanager: dict[str, Any]) -> Iterator[Reference]:
    """Yield what the operator uses where a field is absent. An empty list is not absent.

    The only default of this kind is a pull Secret (operator, component.AmpImagesDefaultImagePullSecrets and
    DefaultZyncQueServiceAccountImagePullSecrets, up to branch 3scale-2.15-stable).
    """
    version = str(fields.at(apimanager, "metadata", "annotations", THREESCALE_VERSION) or "")
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    is_absent = fields.at(apimanager, "spec", _PULL_SECRETS) is None
    if is_absent and len(parts) > 1 and parts <= LAST_WITH_PULL_SECRET:
        yield Reference(SECRET, DEFAULT_PULL_SECRET, f"spec.{_PULL_SECRETS}", is_default=True)


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
