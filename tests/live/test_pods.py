"""What the kubelet makes of a rendered template: a phase is locked in, and its source can't be touched."""

import json

import pytest

from tests.live.kubernetes import Refused
from tests.live.stage import Stage
from workflows.manifests import render

pytestmark = pytest.mark.cluster

PROBE = """
import errno, json, os, pathlib, pwd

def write(folder):
    try:
        pathlib.Path(folder, "written").write_text("")
    except OSError as error:
        return errno.errorcode[error.errno]
    return "written"

def known(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""

status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "user": os.getuid(),
    "group": os.getgid(),
    "known as": known(os.getuid()),
    "capabilities": int(status["CapEff"], 16),
    "may gain privileges": status["NoNewPrivs"].strip() != "1",
    "seccomp": status["Seccomp"].strip(),
    "written": {folder: write(folder) for folder in ("/system-filestorage", "/backup", "/tmp", "/", "/opt/steps")},
}))
"""


def test_a_phase_is_locked_in_and_can_only_read_its_source(live: Stage) -> None:
    live.installation.install()
    (template,) = (
        manifest
        for manifest in render(live.settings)
        if (manifest["kind"], manifest["metadata"]["name"]) == ("WorkflowTemplate", "threescale-backup")
    )
    (phase,) = (t for t in template["spec"]["templates"] if t["name"] == "file-storage")
    phase["container"] |= {"command": ["python", "-c", PROBE]}
    live.engine.apply(template)

    found = json.loads(live.backup(storage_request="256Mi").node("file-storage").log)

    assert found == {
        "user": live.settings.pods.run_as_user or found["user"],
        "group": 0,
        "known as": "",
        "capabilities": 0,
        "may gain privileges": False,
        "seccomp": "2",  # a filter
        "written": {
            "/system-filestorage": "EROFS",
            "/backup": "written",
            "/tmp": "written",
            "/": "EROFS",
            "/opt/steps": "EROFS",
        },
    }


def test_the_namespace_of_these_tests_refuses_a_pod_that_is_not_locked_in(live: Stage) -> None:
    container = {"name": "main", "image": live.settings.image}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "open", "namespace": live.namespace},
        "spec": {"containers": [container]},
    }

    with pytest.raises(Refused, match="violates PodSecurity"):
        live.kubernetes.create(pod)
