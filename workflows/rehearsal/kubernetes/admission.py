"""The checks and defaults of the API server before it keeps an object.

Only the checks that a backup or a restore may meet are here. A Secret must hold base64. A label has a limited alphabet.
A claim needs a size. The spec of a claim and an immutable Secret can't be changed.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from workflows.rehearsal.kubernetes import names, quantities, refusals
from workflows.rehearsal.kubernetes.refusals import Unreadable

if TYPE_CHECKING:
    from workflows.rehearsal.kubernetes.kinds import Kind, Object

PROTECTION = "kubernetes.io/pvc-protection"
DEFAULT_CLASS = "standard"

_MOST_DATA_BYTES = 1024 * 1024
_MOST_ANNOTATIONS_BYTES = 256 * 1024
_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_GO_TYPES = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or"
    " 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


def admit(kind: Kind, obj: Object, old: Object | None = None) -> None:
    """Fill in an object's defaults and check it. `old` is the object that it replaces.

    Raises:
        refusals.Unreadable: a field has another type.
        refusals.Refused: a value is invalid.
    """
    metadata = obj["metadata"]
    for part in ("labels", "annotations"):
        _read_strings(kind, metadata, part, f"ObjectMeta.metadata.{part}")
    check_name(kind, obj)
    _check_metadata(kind, metadata)
    if kind.name == "PersistentVolumeClaim":
        _admit_claim(kind, obj, old)
    if kind.name in {"Secret", "ConfigMap"}:
        _admit_data(kind, obj)
        _check_immutable(kind, obj, old or {})
    for part in ("labels", "annotations", "finalizers", "ownerReferences"):
        _drop_empty(metadata, part)


def check_name(kind: Kind, obj: Object) -> None:
    """Refuse a name that Kubernetes does not allow."""
    name = obj["metadata"].get("name", "")
    if not name:
        problem = "Required value: name or generateName is required"
        raise refusals.invalid(kind, name, "metadata.name", problem, "FieldValueRequired")
    if kind.group == "rbac.authorization.k8s.io":  # those may hold colons and capitals
        return
    if wrong := names.wrong_subdomain(name):
        raise refusals.invalid(kind, name, "metadata.name", f'Invalid value: "{name}": {wrong}')


def _check_metadata(kind: Kind, metadata: Object) -> None:
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    found = [("metadata.labels", key, names.wrong_key(key)) for key in labels]
    found += [("metadata.labels", value, names.wrong_value(value)) for value in labels.values()]
    found += [("metadata.annotations", key, names.wrong_key(key.lower())) for key in annotations]
    for owner in metadata.get("ownerReferences") or []:
        absent = [part for part in ("kind", "name", "uid") if not owner.get(part)]
        found += [(f"metadata.ownerReferences.{part}", "", "must not be empty") for part in absent]
    for field, value, wrong in found:
        if wrong:
            raise refusals.invalid(kind, metadata["name"], field, f'Invalid value: "{value}": {wrong}')
    size = sum(len(text.encode()) for pair in annotations.items() for text in pair)
    if size > _MOST_ANNOTATIONS_BYTES:
        raise _too_long(kind, metadata["name"], "metadata.annotations", _MOST_ANNOTATIONS_BYTES)


def _too_long(kind: Kind, name: str, field: str, most: int) -> refusals.Refused:
    problem = f"Too long: may not be more than {most} bytes"
    return refusals.invalid(kind, name, field, problem, "FieldValueTooLong")


def _admit_data(kind: Kind, obj: Object) -> None:
    secret = kind.name == "Secret"
    if secret:
        obj.setdefault("type", "Opaque")
        _read_strings(kind, obj, "stringData", "Secret.stringData")
        plain = {
            key: base64.b64encode(text.encode()).decode() for key, text in (obj.pop("stringData", None) or {}).items()
        }
        obj["data"] = (obj.get("data") or {}) | plain
    else:
        _read_strings(kind, obj, "data", "ConfigMap.data")
    encoded = "data" if secret else "binaryData"
    size = sum(len(_decoded(kind, obj[encoded], key)) for key in obj.get(encoded) or {})
    size += 0 if secret else sum(len(text.encode()) for text in (obj.get("data") or {}).values())
    if size > _MOST_DATA_BYTES:
        raise _too_long(kind, obj["metadata"]["name"], "data" if secret else "[]", _MOST_DATA_BYTES)
    for part in ("data", "binaryData"):
        _check_keys(kind, obj, part)
        _drop_empty(obj, part)


def _read_strings(kind: Kind, holder: Object, part: str, field: str) -> None:
    """Check that a map holds strings. A missing map is an empty one."""
    for key, value in (holder.get(part) or {}).items():
        if value is None:
            holder[part][key] = ""
        elif not isinstance(value, str):
            raise Unreadable(
                kind, f"json: cannot unmarshal {_go_type(value)} into Go struct field {field} of type string"
            )


def _decoded(kind: Kind, data: Object, key: str) -> bytes:
    value = data[key]
    if value is None:
        data[key] = ""
        return b""
    if not isinstance(value, str):
        field = f"{kind.name}.{'data' if kind.name == 'Secret' else 'binaryData'}"
        raise Unreadable(kind, f"json: cannot unmarshal {_go_type(value)} into Go struct field {field} of type []uint8")
    try:
        return base64.b64decode(re.sub(r"[\r\n]", "", value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable(kind, f"illegal base64 data at input byte {_wrong_byte(value)}") from error


def _wrong_byte(value: str) -> int:
    """Return the position where Go stops to read: at an invalid character, else in the last group."""
    if wrong := re.search(r"[^A-Za-z0-9+/=\r\n]", value):
        return wrong.start()
    return len(value) if value.endswith("=") else len(value) // 4 * 4


def _go_type(value: object) -> str:
    return _GO_TYPES.get(type(value), "value")


def _drop_empty(holder: Object, part: str) -> None:
    """Leave out an empty map or list, as typed objects do."""
    if part in holder and not holder[part]:
        del holder[part]


def _check_keys(kind: Kind, obj: Object, part: str) -> None:
    name = obj["metadata"]["name"]
    for key in obj.get(part) or {}:
        if not _KEY.fullmatch(key):
            raise refusals.invalid(kind, name, f"{part}[{key}]", f'Invalid value: "{key}": {_KEY_RULE}')
        if part == "data" and key in (obj.get("binaryData") or {}):
            problem = f'Invalid value: "{key}": duplicate of key present in binaryData'
            raise refusals.invalid(kind, name, f"data[{key}]", problem)


def _check_immutable(kind: Kind, obj: Object, old: Object) -> None:
    name = obj["metadata"]["name"]
    if kind.name == "Secret" and old and obj["type"] != old["type"]:
        problem = f'Invalid value: "{obj["type"]}": field is immutable'
        raise refusals.invalid(kind, name, "type", problem)
    changed = [part for part in ("immutable", "data", "binaryData") if obj.get(part) != old.get(part)]
    if old.get("immutable") and changed:
        problem = "Forbidden: field is immutable when `immutable` is set"
        raise refusals.invalid(kind, name, changed[0], problem, "FieldValueForbidden")


def _admit_claim(kind: Kind, obj: Object, old: Object | None) -> None:
    name = obj["metadata"]["name"]
    spec = obj.setdefault("spec", {})
    _read_sizes(kind, spec)
    if old is not None:
        _check_kept(kind, obj, old)
        return
    if not spec.get("accessModes"):
        problem = "Required value: at least 1 access mode is required"
        raise refusals.invalid(kind, name, "spec.accessModes", problem, "FieldValueRequired")
    if unknown := [mode for mode in spec["accessModes"] if mode not in _MODES]:
        supported = ", ".join(f'"{mode}"' for mode in _MODES)
        problem = f'Unsupported value: "{unknown[0]}": supported values: {supported}'
        raise refusals.invalid(kind, name, "spec.accessModes", problem, "FieldValueNotSupported")
    size = (spec.get("resources") or {}).get("requests", {}).get("storage")
    if size is None:
        raise refusals.invalid(kind, name, "spec.resources[storage]", "Required value", "FieldValueRequired")
    if size == "0" or size.startswith("-"):
        problem = f'Invalid value: "{size}": must be greater than zero'
        raise refusals.invalid(kind, name, "spec.resources[storage]", problem)
    if spec.get("storageClassName") is None:  # an empty one is a choice: no class
        spec["storageClassName"] = DEFAULT_CLASS
    spec.setdefault("volumeMode", "Filesystem")
    obj.setdefault("status", {}).setdefault("phase", "Pending")
    finalizers = obj["metadata"].setdefault("finalizers", [])
    if PROTECTION not in finalizers:
        finalizers.append(PROTECTION)


def _read_sizes(kind: Kind, spec: Object) -> None:
    for sizes in (spec.get("resources") or {}).values():
        for key, size in sizes.items():
            try:
                sizes[key] = quantities.canonical(str(size))
            except ValueError as error:
                form = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
                raise Unreadable(kind, f"quantities must match the regular expression '{form}'") from error


def _check_kept(kind: Kind, obj: Object, old: Object) -> None:
    """Check that a claim is unchanged. An unbound claim may get its volume, a bound claim another size."""
    free = "resources" if old["spec"].get("volumeName") else "volumeName"

    def fixed(claim: Object) -> Object:
        return {key: value for key, value in claim["spec"].items() if key != free}

    if fixed(obj) != fixed(old):
        problem = (
            "Forbidden: spec is immutable after creation except resources.requests and"
            " volumeAttributesClassName for bound claims"
        )
        raise refusals.invalid(kind, obj["metadata"]["name"], "spec", problem, "FieldValueForbidden")
