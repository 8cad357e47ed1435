import base64
import json
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from workflows.rehearsal import errors
from workflows.rehearsal.kubelet import container, pod
from workflows.rehearsal.kubelet.container import Mount
from workflows.rehearsal.kubelet.limits import Limit

NAMESPACE = "threescale"
SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.listdir()]))"


class OneClaim:
    """Stands for a cluster with one claim: a fake, because a pod only asks for claims and a token."""

    claims: ClassVar = {"backup"}

    def __init__(self):
        self.objects = []

    def kubeconfig(self, path, *, namespace, service_account=None):
        path.write_text(f"{namespace}/{service_account}")
        path.chmod(0o600)
        return path

    def get(self, resource, namespace, name):
        return {} if (resource, namespace) == ("persistentvolumeclaims", NAMESPACE) and name in self.claims else None

    def apply(self, obj):
        self.objects.append(json.loads(json.dumps(obj)))
        return obj

    def of(self, kind):
        return [obj for obj in self.objects if obj["kind"] == kind]


@pytest.fixture
def cluster():
    return OneClaim()


@pytest.fixture
def kubelet(cluster, tmp_path):
    return pod.Kubelet(cluster, tmp_path, NAMESPACE, user=None, time_scale=0.001, pending_s=0.05)


def order(script=SHOW, *args, read_only=False, claim="backup", **more):
    described = {
        "name": "part",
        "container": {
            "command": ["python3", "-S", "-c"],
            "args": [script, *args],
            "volumeMounts": [
                {"name": "tmp", "mountPath": "/tmp"},  # a path inside the container
                {"name": "backup", "mountPath": "/backup", "readOnly": read_only, **more.pop("mount", {})},
            ],
        },
    }
    volumes = (
        {"name": "tmp", "emptyDir": {}},
        {"name": "backup", "persistentVolumeClaim": {"claimName": claim}},
    )
    names = {"workflow": "w", "path": "w.part", "pod": "w-part-1", "node": "part", "node_id": "w-1"}
    return pod.Order(**names, template=described, volumes=volumes, service_account="saver", **more)


def run(kubelet, wanted, limit=None, tell=lambda _phase, _message: None):
    return kubelet.run(wanted, limit or Limit(), tell)


def shown(kubelet, wanted):
    """What a process sees: arguments, environment, and what lies in its working directory."""
    return json.loads(run(kubelet, wanted).log)


# --- paths ---


@pytest.mark.parametrize("form", ["{}", "{}/a/b", "--folder={}", "--folder={}/a", "-f={}"])
def test_a_path_on_a_mount_leads_to_the_folder_of_the_claim(kubelet, form):
    arguments, _, _ = shown(kubelet, order(SHOW, form.format("/backup")))

    assert arguments == [form.format(kubelet.volume("backup"))]


def test_the_deepest_mount_wins():
    mounts = [Mount("/backup", Path("/one")), Mount("/backup/deep", Path("/two"))]

    assert container.real_path("/backup/deep/file", mounts, "here") == Path("/two/file")


@pytest.mark.parametrize("argument", ["/etc/passwd", "/backups", "--folder=/etc", "/backup/../etc"])
def test_a_path_on_no_mount_is_an_error_that_names_it(kubelet, argument):
    with pytest.raises(errors.UndeclaredPath, match=argument.removeprefix("--folder=").replace(".", r"\.")):
        run(kubelet, order(SHOW, argument))


def test_a_mount_without_its_volume_is_an_error(kubelet):
    with pytest.raises(errors.UnknownName, match="no volume 'other'"):
        run(kubelet, order(mount={"name": "other"}))


# --- the environment ---


def test_a_process_gets_a_small_environment_and_nothing_of_ours(kubelet, monkeypatch):
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    _, environment, _ = shown(kubelet, order())
    inherited = {name for name in environment if name.startswith("COVERAGE_") or name in ("LC_CTYPE", "PWD", "SHLVL")}

    assert environment.keys() - inherited == {
        "PATH", "LANG", "HOME", "TMPDIR", "KUBECONFIG",
        "ARGO_NODE_ID", "ARGO_WORKFLOW_NAME", "ARGO_CONTAINER_NAME", "ARGO_PROGRESS_FILE",
    }  # fmt: skip


def test_our_own_commands_come_first(kubelet):
    _, environment, _ = shown(kubelet, order())

    assert environment["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_coverage_is_measured_in_the_process_too(kubelet, monkeypatch):
    monkeypatch.setenv("COVERAGE_PROCESS_START", "")
    _, environment, _ = shown(kubelet, order())

    assert environment["COVERAGE_PROCESS_START"] == ""


def test_the_working_directory_is_empty(kubelet):
    _, _, files = shown(kubelet, order())

    assert files == []


def test_a_variable_that_an_argument_names_is_put_in_its_place(kubelet):
    arguments, _, _ = shown(kubelet, order(SHOW, "$(ARGO_NODE_ID)/$(OTHER)/$$"))

    assert arguments == ["w-1/$(OTHER)/$"]


def test_the_token_is_that_of_the_service_account(kubelet):
    ending = run(kubelet, order("import os; print(open(os.environ['KUBECONFIG']).read())"))

    assert ending.log == "threescale/saver\n"


def test_a_pod_with_a_timeout_knows_its_deadline(kubelet):
    _, environment, _ = shown(kubelet, order(timeout_s=60.0))

    assert environment["ARGO_DEADLINE"].endswith("Z")


# --- volumes ---


def test_what_one_pod_leaves_on_a_claim_the_next_one_finds(kubelet):
    run(kubelet, order("import sys; open(sys.argv[1], 'w').write('kept')", "/backup/file"))
    ending = run(kubelet, order("import sys; print(open(sys.argv[1]).read())", "/backup/file"))

    assert ending.log == "kept\n"


def test_group_0_may_write_to_a_claim(kubelet):
    assert kubelet.volume("backup").stat().st_mode & 0o7777 == 0o2770


WRITE = "import sys; open(sys.argv[1], 'w').write('x')"


def test_writing_below_a_read_only_mount_is_an_error_that_names_the_file(kubelet):
    with pytest.raises(errors.WrittenReadOnly, match="/backup: file"):
        run(kubelet, order(WRITE, "/backup/file", read_only=True))


def test_changing_a_file_below_a_read_only_mount_is_an_error_too(kubelet):
    (kubelet.volume("backup") / "file").write_text("y")
    with pytest.raises(errors.WrittenReadOnly, match="/backup: file"):
        run(kubelet, order(WRITE, "/backup/file", read_only=True))


def test_reading_a_read_only_mount_is_no_error(kubelet):
    (kubelet.volume("backup") / "file").write_text("y")
    ending = run(kubelet, order("import sys; open(sys.argv[1]).read()", "/backup/file", read_only=True))

    assert ending.phase == "Succeeded"


def test_a_reader_is_not_blamed_for_what_another_pod_writes_meanwhile(kubelet):
    """The second pod starts while the first one still reads."""
    kubelet.on_start = lambda _name, _process: write_beside(kubelet)
    ending = run(kubelet, order("pass", read_only=True))

    assert ending.phase == "Succeeded"


def write_beside(kubelet):
    kubelet.on_start = None
    run(kubelet, order(WRITE, "/backup/file"))


# --- a claim that is not there ---


def test_a_pod_waits_for_a_claim_that_comes_later(kubelet, cluster):
    cluster.claims = set()
    ending = run(
        kubelet, order(), tell=lambda phase, _message: cluster.claims.add("backup") if phase == "Pending" else 0
    )

    assert ending.phase == "Succeeded"


def test_a_pod_without_its_claim_ends_at_its_timeout_without_an_exit_code(kubelet, cluster):
    told = []
    ending = run(
        kubelet,
        order(claim="lost", timeout_s=0.01, pending_timeout_s=0.01),
        tell=lambda phase, message: told.append((phase, message)),
    )

    assert (ending.phase, ending.message, ending.exit_code) == ("Failed", "timeout", None)
    assert told == [("Pending", 'Unschedulable: persistentvolumeclaim "lost" not found')]
    assert cluster.of("Pod")[-1]["status"]["phase"] == "Failed"


def test_an_event_says_why_a_pod_is_pending(kubelet, cluster):
    run(kubelet, order(claim="lost", pending_timeout_s=0.01))
    event = cluster.of("Event")[0]

    assert (event["reason"], event["message"]) == ("FailedScheduling", 'persistentvolumeclaim "lost" not found')
    assert event["involvedObject"]["name"] == "w-part-1"


def test_with_retries_only_the_workflow_s_deadline_ends_the_waiting(kubelet):
    ending = run(kubelet, order(claim="lost", timeout_s=0.01), Limit(time.monotonic() + 3600))

    assert (ending.phase, ending.message) == ("Failed", "Step exceeded its deadline")


def test_waiting_that_nothing_ends_is_an_error(kubelet):
    with pytest.raises(errors.PendingForEver, match="'lost' does not exist"):
        run(kubelet, order(claim="lost"))


def test_a_claim_without_a_name_is_an_invalid_pod(kubelet):
    ending = run(kubelet, order(claim=""))

    assert (ending.phase, ending.exit_code) == ("Error", None)


# --- the end ---


def test_a_process_that_ignores_the_request_to_end_is_made_to(kubelet):
    """It is stopped only once it has said that it ignores the request."""
    limit = Limit()
    deaf = kubelet.volume("backup") / "deaf"

    def stop_when_deaf():
        while not deaf.exists():
            time.sleep(0.005)
        limit.stop("enough")

    kubelet.on_start = lambda _name, _process: threading.Thread(target=stop_when_deaf).start()
    ignore = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    ending = run(kubelet, order(f"{ignore} open(sys.argv[1], 'w'); time.sleep(60)", "/backup/deaf"), limit)

    assert (ending.phase, ending.message, ending.exit_code) == ("Failed", "enough", 137)


def test_nothing_outlives_its_container(kubelet):
    fork = "import os, sys, time; (os.fork() == 0) and time.sleep(60);"
    run(kubelet, order(f"{fork} open(sys.argv[1], 'w').write(str(os.getpgrp()))", "/backup/group"))
    group = int((kubelet.volume("backup") / "group").read_text())

    assert not still_alive(group)


def still_alive(group):
    """Whether a process of the group runs on after the moment that a signal takes."""
    for _ in range(200):
        if not alive(group):
            return False
        time.sleep(0.01)
    return True


def alive(group):
    """Whether a process of the group still runs: the dead wait here until somebody collects them."""
    states = [file.read_text().rpartition(")")[2].split() for file in Path("/proc").glob("[0-9]*/stat")]
    return any(fields[0] != "Z" and int(fields[2]) == group for fields in states)


class OneSecret(OneClaim):
    """The same with a Secret."""

    def get(self, resource, namespace, name):
        if (resource, name) == ("secrets", "mine"):
            return {"data": {"url": base64.b64encode(b"https://h").decode()}}
        return super().get(resource, namespace, name)


def with_secret(name, *, optional):
    """An order that lists a folder with two keys of a Secret."""
    wanted = order(
        "import os, sys; print(sorted((n, open(f'{sys.argv[1]}/{n}').read()) for n in os.listdir(sys.argv[1])))"
    )
    wanted.template["container"]["args"].append("/secret")
    wanted.template["container"]["volumeMounts"].append({"name": "secret", "mountPath": "/secret", "readOnly": True})
    items = [{"key": key, "path": key} for key in ("url", "ca.crt")]
    source = {"secretName": name, "items": items, "optional": optional}
    return replace(wanted, volumes=(*wanted.volumes, {"name": "secret", "secret": source}))


@pytest.mark.parametrize(("name", "said"), [("mine", "[('url', 'https://h')]\n"), ("not-there", "[]\n")])
def test_the_keys_of_a_secret_are_files_and_what_may_be_absent_is(tmp_path, name, said):
    kubelet = pod.Kubelet(OneSecret(), tmp_path, NAMESPACE, user=None, time_scale=0.001, pending_s=0.05)

    assert run(kubelet, with_secret(name, optional=True)).log == said


@pytest.mark.parametrize(("name", "named"), [("mine", "key of a Secret 'ca.crt'"), ("not-there", "Secret 'not-there'")])
def test_a_secret_that_must_be_there_and_is_not_ends_the_rehearsal(tmp_path, name, named):
    kubelet = pod.Kubelet(OneSecret(), tmp_path, NAMESPACE, user=None, time_scale=0.001, pending_s=0.05)

    with pytest.raises(errors.UnknownName, match=named):
        run(kubelet, with_secret(name, optional=False))


def test_the_first_reason_to_stop_stays():
    limit = Limit()
    limit.stop("first")
    limit.stop("second")

    assert limit.reason() == "first"


def test_a_long_termination_message_keeps_its_end(kubelet):
    ending = run(
        kubelet,
        order("import sys; open(sys.argv[1], 'w').write('x' * 5000 + 'end'); sys.exit(1)", "/dev/termination-log"),
    )

    assert ending.message == f"main: Error (exit code 1): {'x' * 4093}end"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a process as somebody else")
def test_a_process_runs_as_an_arbitrary_user_of_group_0(cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    kubelet = pod.Kubelet(cluster, folder, NAMESPACE, user=1000650000, time_scale=1.0, pending_s=0.05)
    wanted = order()
    wanted.template["container"] |= {"command": ["sh", "-c"], "args": ["id -u; id -G; cat $KUBECONFIG"]}
    ending = run(kubelet, wanted)

    assert ending.log == "1000650000\n0\nthreescale/saver"
