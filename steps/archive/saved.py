"""Reads an object file of a volume once, and checks its digest, if one is known, and its form."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from steps.archive import layout
from steps.archive.manifest import Digest, Quantity, misfits
from steps.contract import values
from steps.kubernetes import kinds

_KINDS = {folder: kind.name for kind, place in layout.PLACES.items() for folder in (place.folder, place.others)}


def kind_of(path: str) -> str:
    """The kind of an object, by the folder of its file."""
    return _KINDS.get(path.rpartition("/")[0], kinds.APIMANAGER.name)


class _Part(BaseModel):
    """The fields that this tool reads must have the types of the API server. The server checks the others."""

    model_config = ConfigDict(strict=True, alias_generator=to_camel, defer_build=True)


_Texts = dict[str, str] | None


class _Metadata(_Part):
    name: Annotated[str, AfterValidator(values.OBJECT.check)]
    labels: _Texts = None
    annotations: _Texts = None
    managed_fields: list[dict[str, Any]] | None = None


class _Object(_Part):
    api_version: str
    metadata: _Metadata
    type: str | None = None
    data: _Texts = None
    binary_data: _Texts = None


class _Resources(_Part):
    requests: Quantity | int | None = None


class _Claim(_Part):
    storage_class_name: str | None = None
    resources: _Resources | None = None


class _FileStorage(_Part):
    persistent_volume_claim: _Claim | None = None
    simple_storage_service: dict[str, Any] | None = None


class _System(_Part):
    file_storage: _FileStorage | None = None


class _Spec(_Part):
    wildcard_domain: str = ""
    system: _System | None = None
    zync: dict[str, Any] | None = None


class _ApiManager(_Object):
    spec: _Spec


SEALED = "the manifest"
_DEEPEST = 64  # levels; Kubernetes' own kinds have 30 at most


def read(root: Path, path: str, expected: Digest | None, whose: str = SEALED) -> tuple[dict[str, Any], str]:
    """Read an object file. Returns the object and an empty finding, or an empty object and the finding.

    `whose` names the origin of the expected digest. The file is read once, so that the checked bytes are those that are
    used.
    """
    try:
        data = layout.read(root, path)
    except OSError as error:
        return {}, f"{path} {layout.unread(error)}"
    if expected is not None:
        if len(data) != expected.size:
            return {}, f"{path} has {len(data)} bytes instead of {expected.size}"
        if hashlib.sha256(data).hexdigest() != expected.sha256:
            return {}, f"{path} has different content than {whose}"
    if not data:
        return {}, f"{path} has 0 bytes: the backup was aborted"
    return _parse_object(path, data)


def _parse_object(path: str, data: bytes) -> tuple[dict[str, Any], str]:
    try:
        obj = json.loads(data)
    except (ValueError, RecursionError):
        return {}, f"{path} is not JSON"
    if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
        return {}, f"{path} is not a Kubernetes object"
    kind, file = kind_of(path), path.rpartition("/")[2]
    if obj.get("kind") != kind:
        return {}, f"{path} is a {obj.get('kind')}, not a {kind}"
    name = obj["metadata"].get("name")
    if not name or (kind != kinds.APIMANAGER.name and f"{name}.json" != file):
        return {}, f"{path} holds an object with a different name"
    finding = _misfit(path, obj)
    return ({}, finding) if finding else (obj, "")


def _misfit(path: str, obj: dict[str, Any]) -> str:
    """Why the fields of an object are invalid or nested too deeply; empty if they are fine."""
    if _is_deep(obj):
        return f"{path} is nested deeper than {_DEEPEST} levels"
    try:
        (_ApiManager if kind_of(path) == kinds.APIMANAGER.name else _Object).model_validate(obj)
    except ValidationError as error:
        return f"{path} has fields that are invalid in Kubernetes ({misfits(error)})"
    return ""


def _is_deep(obj: object) -> bool:
    """Whether an object is nested too deeply for the code that walks through it."""
    level = [obj]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in _inner(each)]
    return bool(level)


def _inner(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
