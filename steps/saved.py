"""An object file on a volume, read once and judged: by its digest where one is known, and by what it must be."""

import hashlib
import json
from pathlib import Path
from typing import Any

from steps import installation, volume
from steps.manifest import Digest

_KINDS = {
    volume.SECRETS: installation.SECRET.name,
    volume.REFERENCED_SECRETS: installation.SECRET.name,
    volume.CONFIGMAPS: installation.CONFIGMAP.name,
    volume.REFERENCED_CONFIGMAPS: installation.CONFIGMAP.name,
}


def kind_of(path: str) -> str:
    """The kind of an object, by the folder of its file."""
    return _KINDS.get(path.rpartition("/")[0], installation.APIMANAGER.name)


SEALED = "the manifest says"


def read(root: Path, path: str, expected: Digest | None, whose: str = SEALED) -> tuple[dict[str, Any], str]:
    """Read an object file: the object and no finding, or no object and what is wrong; `whose` digest is expected.

    The bytes that are judged are those that the object is made of: the file is read once.
    """
    try:
        data = volume.read(root, path)
    except OSError as error:
        return {}, f"{path} {volume.unread(error)}"
    if expected is not None:
        if len(data) != expected.size:
            return {}, f"{path} has {len(data)} bytes instead of {expected.size}"
        if hashlib.sha256(data).hexdigest() != expected.sha256:
            return {}, f"{path} has other bytes than {whose}"
    if not data:
        return {}, f"{path} has 0 bytes: the backup was aborted"
    return _parse_object(path, data)


def _parse_object(path: str, data: bytes) -> tuple[dict[str, Any], str]:
    try:
        obj = json.loads(data)
    except ValueError:
        return {}, f"{path} is no JSON"
    if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
        return {}, f"{path} is no Kubernetes object"
    kind, file = kind_of(path), path.rpartition("/")[2]
    if obj.get("kind") != kind:
        return {}, f"{path} is a {obj.get('kind')}, no {kind}"
    name = obj["metadata"].get("name")
    if not name or (kind != installation.APIMANAGER.name and f"{name}.json" != file):
        return {}, f"{path} holds an object of another name"
    return obj, ""
