import json
import os
import signal
import subprocess
import uuid
from typing import Any

import pytest

from workflows.rehearsal import engine, errors

NAMESPACE = "threescale"


class FewAnswers:
    """Stands for a cluster: a fake, because the engine asks a cluster only for claims and tokens and shows it objects."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.shown: list[tuple[str, str, str]] = []

    def kubeconfig(self, path, *, namespace, service_account=None):
        path.write_text(f"token of {service_account} in {namespace}")
        return path

    def get(self, resource, namespace, name):
        kind = {"persistentvolumeclaims": "PersistentVolumeClaim", "workflows": "Workflow", "pods": "Pod"}[resource]
        return self.objects.get((kind, name))

    def apply(self, obj):
        key = (obj["kind"], obj["metadata"]["name"])
        before = self.objects.get(key, {"metadata": {"uid": str(uuid.uuid4()), "creationTimestamp": "2026-01-02T03:04:05Z"}})
        self.objects[key] = json.loads(json.dumps(obj))
        self.objects[key]["metadata"].update(
            {name: before["metadata"][name] for name in ("uid", "creationTimestamp")}
        )
        self.shown.append((*key, obj.get("status", {}).get("phase", "")))
        return self.objects[key]

    def list(self, resource, namespace, selector=""):
        return [obj for (kind, _), obj in self.objects.items() if f"{kind.lower()}s" == resource]

    def delete(self, resource, namespace, name):
        self.objects = {key: obj for key, obj in self.objects.items() if key[1] != name}

    def of(self, kind):
        return [obj for (found, _), obj in self.objects.items() if found == kind]


@pytest.fixture
def cluster():
    return FewAnswers()


@pytest.fixture
def argo(cluster, tmp_path):
    return engine.Engine(cluster, tmp_path, namespace=NAMESPACE, time_scale=0.001, pending_s=0.1)


def claim(name):
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": NAMESPACE}}


def phase(name, script="", *, inputs=(), outputs=None, **more):
    """A container template that runs a Python script; output NAME is what the script leaves in /tmp/NAME."""
    parameters = [{"name": key, "valueFrom": {"path": f"/tmp/{key}", **source}} for key, source in (outputs or {}).items()]
    container = {
        "image": "steps",
        "command": ["python", "-c"],
        "args": [script, *(f"--folder={folder}" for folder in ["/tmp"]), *more.pop("args", [])],
        "env": more.pop("env", []),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *more.pop("mounts", [])],
        **more.pop("container", {}),
    }
    return {
        "name": name,
        "container": container,
        "inputs": {"parameters": [item if isinstance(item, dict) else {"name": item} for item in inputs]},
        "outputs": {"parameters": parameters},
        "volumes": [{"name": "tmp", "emptyDir": {}}, *more.pop("volumes", [])],
        **more,
    }


def task(name, depends="", *, template="", when="", **arguments):
    given = {"name": name, "template": template or name}
    given |= {"depends": depends} if depends else {}
    given |= {"when": when} if when else {}
    given["arguments"] = {"parameters": [{"name": key, "value": value} for key, value in arguments.items()]}
    return given


def dag(name, *tasks, outputs=None, **more):
    parameters = [{"name": key, "valueFrom": source} for key, source in (outputs or {}).items()]
    return {"name": name, "dag": {"tasks": list(tasks), **more}, "outputs": {"parameters": parameters}}


def workflow(*templates, arguments=(), entrypoint="main", **more):
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {"name": "backup"},
        "spec": {
            "entrypoint": entrypoint,
            "arguments": {"parameters": [item if isinstance(item, dict) else {"name": item} for item in arguments]},
            "templates": list(templates),
            **more,
        },
    }


TMP = "import sys, os, pathlib; tmp = pathlib.Path(sys.argv[1].split('=')[1]);"
WRITE = TMP + "(tmp / 'out').write_text(' '.join(sys.argv[2:]) + '\\n')"
FAIL = "raise SystemExit(1)"
OUT = {"out": {}}


def run(argo, *templates, parameters=None, **spec):
    argo.apply(workflow(*templates, **spec))
    return argo.submit("backup", parameters or {})


def phases(done):
    return {node.name: node.phase for node in done.nodes if node.path != done.name}


# --- arguments and outputs ---


def test_an_output_of_one_task_is_the_argument_of_the_next(argo):
    first = phase("first", WRITE, args=["claim-1"], outputs=OUT)
    second = phase("second", WRITE, inputs=["it"], args=["{{inputs.parameters.it}}!"], outputs=OUT)
    done = run(argo, dag("main", task("first"), task("second", "first", it="{{tasks.first.outputs.parameters.out}}")), first, second)

    assert done.node("second").outputs == {"out": "claim-1!"}


def test_the_first_failure_is_seen(argo):
    done = run(argo, phase("main", "import sys; print('seen'); sys.exit(3)"))

    assert (done.phase, done.message, done.node("backup").exit_code) == ("x", "", 3)
