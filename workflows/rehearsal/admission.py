"""What the API server checks and fills in before it keeps an object.

Only what a backup or a restore can trip over: a Secret has to hold base64, a claim needs a size, a bound claim and an
immutable Secret stay as they are.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from workflows.rehearsal import refusals

if TYPE_CHECKING:
    from workflows.rehearsal.kinds import Kind, Object

PROTECTION = "kubernetes.io/pvc-protection"
DEFAULT_CLASS = "standard"

_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    f" end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_LONGEST_NAME = 253
_LONGEST_SECRET_BYTES = 1024 * 1024
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or"
    " 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


def admit(kind: Kind, obj: Object, old: Object | None = None) -> None:
    """Fill in an object's defaults and refuse it when it is not valid; `old` is what it replaces."""
    check_name(kind, obj)
    if kind.name == "Secret":
        _admit_secret(kind, obj)
    if kind.name == "PersistentVolumeClaim":
        _admit_claim(kind, obj, old)
    if kind.name in {"Secret", "ConfigMap"}:
        _check_keys(kind, obj)
        _check_immutable(kind, obj, old or {})


def check_name(kind: Kind, obj: Object) -> None:
    """Refuse a name that Kubernetes does not allow."""
    name = obj["metadata"].get("name", "")
    if not name:
        problem = "Required value: name or generateName is required"
        raise refusals.invalid(kind, name, "metadata.name", problem, "FieldValueRequired")
    if kind.group == "rbac.authorization.k8s.io":  # those may hold colons and capitals
        return
    if len(name) > _LONGEST_NAME or not re.fullmatch(_SUBDOMAIN, name):
        raise refusals.invalid(kind, name, "metadata.name", f'Invalid value: "{name}": {_SUBDOMAIN_RULE}')


def _admit_secret(kind: Kind, obj: Object) -> None:
    obj.setdefault("type", "Opaque")
    data = {key: value for key, value in (obj.get("data") or {}).items() if value is not None}
    plain = {key: base64.b64encode(value.encode()).decode() for key, value in obj.pop("stringData", {}).items()}
    if "data" in obj or plain:
        obj["data"] = data | plain
    size = sum(len(_decoded(kind, value)) for value in obj.get("data", {}).values())
    if size > _LONGEST_SECRET_BYTES:
        problem = f"Too long: may not be more than {_LONGEST_SECRET_BYTES} bytes"
        raise refusals.invalid(kind, obj["metadata"]["name"], "data", problem, "FieldValueTooLong")


def _decoded(kind: Kind, value: object) -> bytes:
    prefix = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}:'
    if not isinstance(value, str):
        raise refusals.bad_request(f"{prefix} json: cannot unmarshal into Go struct field {kind.name}.data")
    try:
        return base64.b64decode(re.sub(r"[\r\n]", "", value), validate=True)
    except (binascii.Error, ValueError) as error:
        wrong = re.search(r"[^A-Za-z0-9+/=\r\n]", value)
        at = wrong.start() if wrong else len(value) // 4 * 4
        raise refusals.bad_request(f"{prefix} illegal base64 data at input byte {at}") from error


def _check_keys(kind: Kind, obj: Object) -> None:
    for key in obj.get("data") or {}:
        if not _KEY.fullmatch(key):
            problem = f'Invalid value: "{key}": {_KEY_RULE}'
            raise refusals.invalid(kind, obj["metadata"]["name"], f"data[{key}]", problem)


def _check_immutable(kind: Kind, obj: Object, old: Object) -> None:
    name = obj["metadata"]["name"]
    if kind.name == "Secret" and old and obj["type"] != old["type"]:
        problem = f'Invalid value: "{obj["type"]}": field is immutable'
        raise refusals.invalid(kind, name, "type", problem)
    if old.get("immutable") and (obj.get("data") != old.get("data") or not obj.get("immutable")):
        problem = "Forbidden: field is immutable when `immutable` is set"
        raise refusals.invalid(kind, name, "data", problem, "FieldValueForbidden")


def _admit_claim(kind: Kind, obj: Object, old: Object | None) -> None:
    name = obj["metadata"]["name"]
    spec = obj.setdefault("spec", {})
    if old is not None:
        _check_bound_claim(kind, obj, old)
        return
    if not spec.get("accessModes"):
        problem = "Required value: at least 1 access mode is required"
        raise refusals.invalid(kind, name, "spec.accessModes", problem, "FieldValueRequired")
    if not (spec.get("resources") or {}).get("requests", {}).get("storage"):
        raise refusals.invalid(kind, name, "spec.resources[storage]", "Required value", "FieldValueRequired")
    if spec.get("storageClassName") is None:  # an empty one is a choice: no class
        spec["storageClassName"] = DEFAULT_CLASS
    spec.setdefault("volumeMode", "Filesystem")
    finalizers = obj["metadata"].setdefault("finalizers", [])
    if PROTECTION not in finalizers:
        finalizers.append(PROTECTION)


def _check_bound_claim(kind: Kind, obj: Object, old: Object) -> None:
    def fixed(claim: Object) -> Object:
        return {key: value for key, value in claim["spec"].items() if key != "resources"}

    if old["spec"].get("volumeName") and fixed(obj) != fixed(old):
        problem = (
            "Forbidden: spec is immutable after creation except resources.requests and"
            " volumeAttributesClassName for bound claims"
        )
        raise refusals.invalid(kind, obj["metadata"]["name"], "spec", problem, "FieldValueForbidden")
