"""The kinds that the tests need and a cluster may not have, made where they are absent and removed afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from tests import documents
from tests.live.kubernetes import Kubernetes, Object, Refused, until

SHARED: Final = Path(__file__).parents[3] / "shared" / "crds"  # genuine ones, kept beside a checkout, never in it
_PATH: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def minimal(group: str, version: str, plural: str, kind: str) -> Object:
    """Write the definition of a kind that takes any field."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": anything},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def of_3scale() -> list[Object]:
    """Return 3scale's definitions, the genuine ones where they lie beside the checkout, and OpenShift's Routes."""
    made = [
        minimal("apps.3scale.net", "v1alpha1", "apimanagers", "APIManager"),
        minimal("apps.3scale.net", "v1alpha1", "apimanagerbackups", "APIManagerBackup"),
    ]
    return [*(genuine("3scale") or made), minimal("route.openshift.io", "v1", "routes", "Route")]


def genuine(folder: str) -> list[Object]:
    """Read the definitions of a folder beside the checkout; none where it is absent."""
    files = sorted((SHARED / folder).glob("*.yaml"))
    return [document for path in files for document in documents.read(path.read_text(encoding="utf-8"))]


def make(kubernetes: Kubernetes, definitions: list[Object]) -> list[str]:
    """Make what is absent, and return the names of what was made."""
    return [_name(definition) for definition in definitions if _create(kubernetes, definition)]


def wait(kubernetes: Kubernetes, definitions: list[Object]) -> None:
    """Wait until the objects of the kinds can be listed."""
    for definition in definitions:
        until(_name(definition), partial(_served, kubernetes, definition), 60)


@contextmanager
def present(kubernetes: Kubernetes, definitions: list[Object]) -> Iterator[list[str]]:
    """Make what is absent, and remove that afterwards; yields the names of what was made."""
    made = make(kubernetes, definitions)
    try:
        wait(kubernetes, definitions)
        yield made
    finally:
        for name in made:
            kubernetes.call("DELETE", f"{_PATH}/{name}", {})


def _name(definition: Object) -> str:
    return str(definition["metadata"]["name"])


def lists_fields(kubernetes: Kubernetes, name: str) -> bool:
    """Whether a definition lists the fields of its kind's spec, so that a mistyped one is found."""
    (version, *_) = kubernetes.call("GET", f"{_PATH}/{name}")["spec"]["versions"]
    return "properties" in version["schema"]["openAPIV3Schema"].get("properties", {}).get("spec", {})


def _create(kubernetes: Kubernetes, definition: Object) -> bool:
    try:
        kubernetes.call("POST", _PATH, definition)
    except Refused as refusal:
        if refusal.reason == "AlreadyExists":
            return False
        raise
    return True


def _served(kubernetes: Kubernetes, definition: Object) -> bool:
    """Whether its objects can be listed: at first there is no such path, then its storage is being initialized."""
    spec = definition["spec"]
    (version, *_) = (version["name"] for version in spec["versions"] if version["served"])
    try:
        kubernetes.call("GET", f"/apis/{spec['group']}/{version}/{spec['names']['plural']}")
    except Refused as refusal:
        if refusal.status in {404, 429}:
            return False
        raise
    return True
