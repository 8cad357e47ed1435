"""Answers in full: the same requests to both servers, and what Kubernetes 1.34 said, in `answers/`.

`RECORD_GOLDEN=1` with `-m cluster` writes the files anew from the real server; no other server may.
"""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.contract.servers import STRANGER, Answer, Contract, Real

ANSWERS = Path(__file__).parent / "answers"
BACKUP, RESTORE = "threescale-backup", "threescale-restore"
_OF_THE_MOMENT = ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Ask(NamedTuple):
    """One request."""

    method: str
    path: str
    body: Any = None
    account: str | None = None
    query: tuple[tuple[str, str], ...] = ()


def secret(name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, **fields}


def configmap(name: str, metadata: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **(metadata or {})}, **fields}


def manager(name: str, metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    head = {
        "apiVersion": "apps.3scale.net/v1alpha1",
        "kind": "APIManager",
        "metadata": {"name": name, **(metadata or {})},
    }
    return {**head, "spec": {"wildcardDomain": "example.test", **spec}}


def claim(name: str, **spec: Any) -> dict[str, Any]:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "0.5Gi"}}}
    head = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}}
    return {**head, "spec": {**asked, "storageClassName": "no-such-class", **spec}}


def chosen(selector: str) -> tuple[tuple[str, str], ...]:
    return (("labelSelector", selector),)


DRY_RUN = (("dryRun", "All"),)
SCENES = {
    "creating": [
        Ask("POST", "secrets", secret("a", data={"k": "YQ=="})),
        Ask("POST", "secrets", secret("a")),
        Ask("POST", "secrets", secret("plain", stringData={"k": "ü"}, data={"other": "YQ=="})),
        Ask("POST", "secrets", secret("")),
        Ask("POST", "secrets", secret("Capital")),
        Ask("POST", "secrets", secret("x" * 254)),
        Ask("POST", "secrets", secret("wrong", data={"k": "not base64!"})),
        Ask("POST", "secrets", secret("wrong", data={"k": 7})),
        Ask("POST", "secrets", secret("wrong", data={"a/b": "YQ=="})),
        Ask("POST", "configmaps", configmap("wrong", data={"k": 7})),
        Ask("POST", "configmaps", configmap("wrong", {"labels": {"a": "b c"}})),
        Ask("POST", "configmaps", configmap("wrong", {"labels": {"x" * 64: "b"}})),
        Ask("POST", "configmaps", configmap("wrong", {"annotations": {"a/b/c": "d"}})),
        Ask("POST", "configmaps", configmap("wrong", {"resourceVersion": "7"})),
        Ask("POST", "configmaps", configmap("wrong", {"namespace": "elsewhere"})),
        Ask("POST", "/api/v1/namespaces/no-such-namespace/configmaps", configmap("wrong")),
        Ask("POST", "apimanagers", manager("m")),
        Ask("POST", "apimanagers", manager("m")),
        Ask("POST", "apimanagers", manager("Capital")),
        Ask("POST", "apimanagers", {**manager("other"), "apiVersion": "apps.3scale.net/v1"}),
        Ask("POST", "apimanagers", {**manager("other"), "kind": "APIManagerRestore"}),
        Ask("POST", "persistentvolumeclaims", claim("c")),
        Ask("POST", "persistentvolumeclaims", claim("wrong", accessModes=[])),
        Ask("POST", "persistentvolumeclaims", claim("wrong", accessModes=["Sometimes"])),
        Ask("POST", "persistentvolumeclaims", claim("wrong", resources={})),
        Ask("POST", "persistentvolumeclaims", claim("wrong", resources={"requests": {"storage": "0"}})),
        Ask("POST", "persistentvolumeclaims", claim("wrong", resources={"requests": {"storage": "1GB"}})),
    ],
    "reading": [
        Ask("GET", "secrets/nothing"),
        Ask("GET", "apimanagers/nothing"),
        Ask("GET", "deployments/nothing"),
        Ask("GET", "secretes"),
        Ask("GET", "/apis/apps/v1/namespaces/default/things"),
        Ask("GET", "/apis/apps.3scale.net/v1alpha1/namespaces/default/managers/any"),
        Ask("GET", "/apis/no.such.example/v1/namespaces/default/things"),
        Ask("GET", "/apis/no.such.example/v1"),
        Ask("GET", "/api/v1/namespaces/no-such-namespace"),
        Ask("GET", "/api/v1/namespaces/no-such-namespace/secrets/any"),
        Ask("PUT", "secrets", {}),
        Ask("POST", "secrets/any", {}),
        Ask("GET", "apimanagers", query=chosen("app one")),
        Ask("GET", "apimanagers", query=chosen("a/b/c")),
        Ask("GET", "apimanagers", query=(("fieldSelector", "data.x=y"),)),
    ],
    "changing": [
        Ask("PATCH", "configmaps/nothing", {}),
        Ask("POST", "configmaps", configmap("a", {"labels": {"a": "b"}}, data={"keep": "1", "drop": "2"})),
        Ask("PATCH", "configmaps/a", {"data": {"drop": None, "new": "3"}, "metadata": {"labels": {"a": None}}}),
        Ask("PATCH", "configmaps/a", {"metadata": {"resourceVersion": "1"}}),
        Ask("PATCH", "configmaps/a", {"metadata": {"name": "z"}}),
        Ask("PATCH", "configmaps/a", {"metadata": {"name": None}}),
        Ask("PATCH", "configmaps/a", {"metadata": {"namespace": "z"}}),
        Ask("PUT", "configmaps/a", configmap("z")),
        Ask("PUT", "configmaps/a", {}),
        Ask("POST", "apimanagers", manager("patched")),
        Ask("PATCH", "apimanagers/patched", {"spec": {"tenantName": "acme"}, "status": {"conditions": []}}),
        Ask("PATCH", "apimanagers/patched", {"metadata": {"resourceVersion": "1"}}),
        Ask("POST", "secrets", secret("fixed", data={"k": "YQ=="}, immutable=True)),
        Ask("PATCH", "secrets/fixed", {"data": {"k": "Yg=="}}),
        Ask("PATCH", "secrets/fixed", {"immutable": None}),
        Ask("PATCH", "secrets/fixed", {"type": "example.test/other"}),
    ],
    "trying": [
        Ask("POST", "secrets", secret("tried", data={"k": "YQ=="}), query=DRY_RUN),
        Ask("GET", "secrets/tried"),
        Ask("POST", "secrets", secret("Capital"), query=DRY_RUN),
        Ask("POST", "secrets", secret("tried", data={"k": "YQ=="})),
        Ask("POST", "secrets", secret("tried"), query=DRY_RUN),
        Ask("PUT", "secrets/tried", secret("tried", data={"k": "Yg=="}), query=DRY_RUN),
        Ask("PUT", "secrets/tried", secret("tried", type="example.test/other"), query=DRY_RUN),
        Ask("PATCH", "secrets/tried", {"data": {"k": "Yg=="}}, query=DRY_RUN),
        Ask("DELETE", "secrets/tried", query=DRY_RUN),
        Ask("GET", "secrets/tried"),
        Ask("POST", "secrets", secret("b"), query=(("dryRun", "Some"),)),
        Ask("PUT", "secrets/zync", secret("zync"), account=BACKUP, query=DRY_RUN),
    ],
    "deleting": [
        Ask("DELETE", "configmaps/nothing"),
        Ask("POST", "configmaps", configmap("held", {"finalizers": ["example.test/hold"]})),
        Ask("DELETE", "configmaps/held"),
        Ask("DELETE", "configmaps/held"),
        Ask("POST", "configmaps", configmap("held")),
        Ask("PATCH", "configmaps/held", {"metadata": {"finalizers": None}}),
        Ask("GET", "configmaps/held"),
        Ask("POST", "apimanagers", manager("held", {"finalizers": ["example.test/hold"]})),
        Ask("DELETE", "apimanagers/held"),
        Ask("PATCH", "apimanagers/held", {"metadata": {"finalizers": []}}),
        Ask("POST", "apimanagers", manager("gone")),
        Ask("DELETE", "apimanagers/gone"),
    ],
    "rights": [
        Ask("GET", "secrets/zync", account=BACKUP),
        Ask("GET", "secrets/private", account=BACKUP),
        Ask("GET", "secrets", account=BACKUP),
        Ask("GET", "secrets", account=BACKUP, query=(("fieldSelector", "metadata.name=zync"),)),
        Ask("POST", "secrets", secret("zync"), account=BACKUP),
        Ask("PATCH", "secrets/zync", {}, account=RESTORE),
        Ask("PUT", "secrets/system-memcache", {}, account=RESTORE),
        Ask("DELETE", "secrets/zync", account=RESTORE),
        Ask("DELETE", "secrets", account=RESTORE),
        Ask("GET", "pods/any/exec", account=BACKUP, query=(("command", "true"),)),
        Ask("GET", "pods/any/exec", account=RESTORE, query=(("command", "true"),)),
        Ask("PATCH", "persistentvolumeclaims/any", {}, account=RESTORE),
        Ask("PATCH", "persistentvolumeclaims/any/status", {}, account=BACKUP),
        Ask("GET", "apimanagers", account=STRANGER),
        Ask("POST", "apimanagers", manager("m"), account=STRANGER),
        Ask("GET", "deployments/any", account=RESTORE),
        Ask("GET", "/api/v1/secrets", account=BACKUP),
        Ask("GET", "/api/v1/namespaces", account=BACKUP),
        Ask("GET", "/apis/no.such.example/v1/namespaces/default/things", account=BACKUP),
    ],
}


def said(cluster: Contract, answer: Answer) -> Any:
    """What an answer says whenever and wherever it is asked for."""

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {key: bare(part) for key, part in value.items() if key not in {"managedFields", *_OF_THE_MOMENT}}
            moment = {key: key.upper() for key in _OF_THE_MOMENT if key in value}
            return {key: part for key, part in (kept | moment).items() if (key, part) != ("details", {})}
        if isinstance(value, list):
            return [bare(part) for part in value]
        if isinstance(value, str):
            return _UID.sub("UID", value.replace(cluster.namespace, "NAMESPACE"))
        return value

    return {"status": answer.status, "content": bare(answer.content)}


@pytest.mark.parametrize("scene", SCENES)
def test_both_servers_say_the_same(cluster: Contract, scene: str) -> None:
    path = ANSWERS / f"{scene}.yaml"
    answers = [
        {"asked": f"{ask.method} {ask.path}"}
        | said(cluster, cluster.ask(ask.method, ask.path, ask.body, query=ask.query, account=ask.account))
        for ask in SCENES[scene]
    ]
    if os.environ.get("RECORD_GOLDEN") and isinstance(cluster, Real):
        ANSWERS.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(answers, sort_keys=True, width=120))

    assert answers == yaml.safe_load(path.read_text())


def test_no_recorded_answer_is_left_over() -> None:
    assert {path.stem for path in ANSWERS.iterdir()} == set(SCENES)
