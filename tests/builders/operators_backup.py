"""What the operator's APIManagerBackup leaves on its volume, made by hand of the sample, in the shapes of its years.

Source: operator, pkg/backup (branches 3scale-2.9-stable to 3scale-2.16-stable): `oc get -o json` of each object, a
script in the image's `python` that takes some fields off, a file an object, and a copy of the tree by `rsync -av`.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steps.archive import layout
from steps.threescale import installation
from workflows.rehearsal.threescale import file_storage
from workflows.rehearsal.threescale import installation as threescale
from workflows.rehearsal.threescale import objects as threescale_objects

Object = dict[str, Any]
Form = Callable[[Object], bytes]

# A backup that a real operator made, where somebody keeps one beside the checkout.
GENUINE = Path(__file__).parents[2].parent / "shared/threescale-2.16/operator-backup.tar"
NOT_SAVED = ("configmaps/backend-environment", "configmaps/system")  # by the operator, which makes them anew

# What that script takes off, beside the status; where an older client prints managedFields, they stay.
_TAKEN_OFF = {
    "clusterName",
    "creationTimestamp",
    "generation",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
}


def python_3(obj: Object) -> bytes:
    """As the operator writes it today."""
    return json.dumps(_cleaned(obj, "managedFields"), indent=4, sort_keys=True).encode() + b"\n"


def python_2(obj: Object) -> bytes:
    """As it wrote it under Python 2."""
    return printed_by_python_2(_cleaned(obj, "managedFields"))


def with_managed_fields(obj: Object) -> bytes:
    """As it wrote it with a client that shows them, finalizers too."""
    return json.dumps(_finalized(_cleaned(obj)), indent=4, sort_keys=True).encode() + b"\n"


def as_the_server_has_it(obj: Object) -> bytes:
    """With nothing taken off, in no order and on one line, as somebody puts it there in the place of a lost one."""
    owner = {"apiVersion": "apps.3scale.net/v1alpha1", "kind": "APIManager", "name": "gone", "uid": "gone"}
    facts = {"generation": 7, "resourceVersion": "4711", "uid": "of another cluster", "namespace": "src"}
    metadata = {**_finalized(obj)["metadata"], **facts, "ownerReferences": [owner]}
    return json.dumps({**obj, "metadata": metadata, "status": {"deployments": {"ready": ["zync"]}}}).encode()


FORMS: dict[str, Form] = {
    "of today": python_3,
    "of Python 2": python_2,
    "with managedFields": with_managed_fields,
    "as the server has them": as_the_server_has_it,
}


def objects() -> dict[str, Object]:
    """What it saves of the sample installation, by path, as the API server holds it."""
    secrets = threescale.sample_secrets("src")
    configmaps = threescale_objects.sample("configmaps", "src")
    for configmap in configmaps:
        configmap["data"] = {**configmap["data"], **threescale.EDITS.get(configmap["metadata"]["name"], {})}
    saved = [(layout.SECRETS, obj) for obj in secrets if obj["metadata"]["name"] in installation.SECRETS]
    saved += [(layout.CONFIGMAPS, obj) for obj in configmaps if obj["metadata"]["name"] in installation.CONFIGMAPS]
    found = {f"{folder}/{obj['metadata']['name']}.json": obj for folder, obj in saved}
    return {**found, layout.APIMANAGER: threescale.sample_apimanager("src", secrets)}


def make(root: Path, form: Form = python_3) -> Path:
    """Make a whole backup of the sample installation; return its folder."""
    for path, obj in objects().items():
        put(root, path, form(obj))
    file_storage.write(root / layout.TREE)
    return root


def abort(root: Path, name: str) -> Path:
    """Make what is left of a run that did not find a Secret: its file with 0 bytes, and nothing of what comes later."""
    secrets = {path: obj for path, obj in objects().items() if path.startswith(f"{layout.SECRETS}/")}
    lost = f"{layout.SECRETS}/{name}.json"
    (root / layout.CONFIGMAPS).mkdir(parents=True)
    for path in sorted(secrets):
        if path < lost:
            put(root, path, python_3(secrets[path]))
    put(root, lost, b"")
    return root


def operators_own(root: Path) -> None:
    """Leave of a backup what the operator's would hold."""
    shutil.rmtree(root / layout.REFERENCED)
    shutil.rmtree(root / layout.REPORTS)
    for name in (layout.MANIFEST, layout.BEGIN, layout.SUMS, layout.LISTING):
        (root / name).unlink()


def change_apimanager(root: Path, spec: Object, form: Form = python_3) -> None:
    """Write the APIManager anew, with other fields in its spec; None takes one out."""
    apimanager = json.loads((root / layout.APIMANAGER).read_bytes())
    merged = {**apimanager["spec"], **spec}
    apimanager["spec"] = {key: value for key, value in merged.items() if value is not None}
    put(root, layout.APIMANAGER, form(apimanager))


def put(root: Path, path: str, data: bytes) -> None:
    """Write a file, and the folder it lies in."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(data)


def printed_by_python_2(obj: Object) -> bytes:
    """Print JSON as Python 2 did: a blank after each comma at the end of a line."""
    return json.dumps(obj, indent=4, sort_keys=True, separators=(", ", ": ")).encode() + b"\n"


def _cleaned(obj: Object, *more: str) -> Object:
    metadata = {key: value for key, value in obj["metadata"].items() if key not in {*_TAKEN_OFF, *more}}
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}


def _finalized(obj: Object) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "finalizers": ["foregroundDeletion"]}}
