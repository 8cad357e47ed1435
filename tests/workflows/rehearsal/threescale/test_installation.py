import base64
import os
import stat
import threading
from contextlib import contextmanager

import pytest
from kubernetes import config
from kubernetes.client.api.core_v1_api import CoreV1Api
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.stream import stream

from tests.embedded.kubernetes import Cluster
from workflows.rehearsal.threescale import installation as threescale
from workflows.rehearsal.threescale import objects
from workflows.rehearsal.threescale.objects import DATABASE_SECRETS, REFERENCED_SECRETS, SECRETS

PATIENCE_S = 10
RESYNC = ["bash", "-c", "bundle exec rake zync:resync:domains"]
NAME = "example-apimanager"
KINDS = ("apimanagers", "configmaps", "deployments", "persistentvolumeclaims", "pods", "routes", "secrets")


class Namespace:
    """The namespace `src`, and a way to wait until something in it is so."""

    def __init__(self, cluster):
        self.cluster = cluster
        self._changed = threading.Condition()
        cluster.on_change(self._notice)

    def _notice(self, _event, _obj):
        with self._changed:
            self._changed.notify_all()

    def names(self, resource):
        return {obj["metadata"]["name"] for obj in self.cluster.list(resource, "src")}

    def get(self, resource, name):
        return self.cluster.get(resource, "src", name)

    def conditions(self):
        status = self.get("apimanagers", NAME).get("status", {})
        return {condition["type"]: condition for condition in status.get("conditions", [])}

    def says(self, kind, truth):
        return self.conditions().get(kind, {}).get("status") == truth

    def wait(self, until):
        with self._changed:
            return self._changed.wait_for(until, PATIENCE_S)


@pytest.fixture
def cluster():
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def files(tmp_path):
    return tmp_path / "file-storage"


@pytest.fixture
def namespace(cluster, files):
    threescale.install(cluster, "src", files)
    return Namespace(cluster)


@pytest.fixture
def operator(cluster):
    with threescale.Operator(cluster, step_s=0.001) as operator:
        yield operator


@pytest.fixture
def lost(cluster, namespace, files):
    """The namespace after the loss, and the APIManager it had."""
    apimanager = namespace.get("apimanagers", NAME)
    threescale.lose(cluster, "src", files)
    namespace.apimanager = {key: value for key, value in apimanager.items() if key != "status"}
    return namespace


@contextmanager
def pods_of(cluster, path):
    configuration = Configuration()
    config.load_kube_config(str(cluster.kubeconfig(path, namespace="src")), client_configuration=configuration)
    client = ApiClient(configuration)
    try:
        yield CoreV1Api(client)
    finally:
        client.rest_client.pool_manager.clear()


def run(cluster, tmp_path, command, container="system-sidekiq"):
    (pod,) = cluster.list("pods", "src", "deployment=system-sidekiq")
    with pods_of(cluster, tmp_path / "kubeconfig") as api:
        session = stream(
            api.connect_get_namespaced_pod_exec,
            pod["metadata"]["name"],
            "src",
            container=container,
            command=command,
            stdout=True,
            stderr=True,
            _preload_content=False,
        )
        session.run_forever(timeout=PATIENCE_S)
        code, out = session.returncode, session.read_stdout()
        session.close()
        session.sock.shutdown()
        return code, out


def restore(lost, *secrets, without=""):
    threescale.give_database_secrets(lost.cluster, "src")
    wanted = set(REFERENCED_SECRETS) - {without}
    named = [secret for secret in objects.sample("secrets", "src") if secret["metadata"]["name"] in wanted]
    for secret in [*named, *secrets]:
        lost.cluster.apply(secret)
    return lost.cluster.apply(lost.apimanager)


def values(secret):
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def tree(folder):
    """Every entry as a copy has to bring it back."""
    found = {}
    for path in folder.rglob("*"):
        info = path.lstat()
        content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[os.fsencode(path.relative_to(folder))] = (stat.S_IMODE(info.st_mode), info.st_mtime_ns, content)
    return found


# --- what is installed ---


def test_a_healthy_installation_is_available(namespace):
    assert {kind: condition["status"] for kind, condition in namespace.conditions().items()} == {
        "Available": "True",
        "DeploymentsAvailable": "True",
        "RoutesReady": "True",
        "SecretsAvailable": "True",
    }
    assert len(namespace.get("apimanagers", NAME)["status"]["deployments"]["ready"]) == 12


def test_an_installation_has_its_secrets(namespace):
    assert namespace.names("secrets") == {*SECRETS, *REFERENCED_SECRETS, "hashed-secret-data"}
    assert all(values(secret) for secret in namespace.cluster.list("secrets", "src"))


def test_an_installation_has_its_configmaps_and_claims(namespace):
    assert namespace.names("configmaps") == {
        "apicast-environment",
        "backend-environment",
        "system",
        "system-environment",
    }
    assert namespace.names("persistentvolumeclaims") == {"system-searchd-manticore", "system-storage"}
    assert namespace.get("persistentvolumeclaims", "system-storage")["status"]["phase"] == "Bound"


def test_what_the_operator_made_belongs_to_the_apimanager(namespace):
    uid = namespace.get("apimanagers", NAME)["metadata"]["uid"]
    owned = [namespace.get("configmaps", "system"), namespace.get("persistentvolumeclaims", "system-storage")]

    assert {obj["metadata"]["ownerReferences"][0]["uid"] for obj in owned} == {uid}
    assert "ownerReferences" not in namespace.get("secrets", "system-seed")["metadata"]


def test_the_apimanager_knows_its_secrets_by_uid(namespace):
    watched = set(REFERENCED_SECRETS) - {"my-registry"}
    uids = {namespace.get("secrets", name)["metadata"]["uid"] for name in watched}
    labels = namespace.get("apimanagers", NAME)["metadata"]["labels"]

    assert labels == {f"secret.apimanager.apps.3scale.net/{uid}": "true" for uid in uids}


def test_the_apimanager_carries_what_a_copy_may_trip_over(namespace):
    found = namespace.get("apimanagers", NAME)

    assert found["spec"]["system"]["appSpec"]["notYetInvented"]["größe"] == "☃"
    assert found["metadata"]["managedFields"]
    assert '"namespace":"src"' in found["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]


def test_six_routes_are_admitted(namespace):
    hosts = {route["spec"]["host"] for route in namespace.cluster.list("routes", "src")}

    assert hosts == {
        "3scale-admin.apps.example.test",
        "3scale.apps.example.test",
        "api-3scale-apicast-production.apps.example.test",
        "api-3scale-apicast-staging.apps.example.test",
        "backend-3scale.apps.example.test",
        "master.apps.example.test",
    }


def test_sidekiq_runs_and_holds_the_file_storage(namespace):
    (pod,) = namespace.cluster.list("pods", "src", "deployment=system-sidekiq")
    volumes = [volume.get("persistentVolumeClaim", {}).get("claimName") for volume in pod["spec"]["volumes"]]

    assert pod["status"]["phase"] == "Running"
    assert [container["name"] for container in pod["spec"]["containers"]] == ["system-sidekiq"]
    assert "system-storage" in volumes


def test_the_operators_pods_tell_the_version_it_installs(namespace):
    deployment = namespace.get("deployments", "threescale-operator-controller-manager-v2")

    assert deployment["spec"]["template"]["metadata"]["labels"]["rht.comp_ver"] == "2.16"


def test_an_installation_can_stand_in_any_namespace(cluster, files):
    threescale.install(cluster, "elsewhere", files)

    applied = [
        obj["metadata"].get("annotations", {}).get("kubectl.kubernetes.io/last-applied-configuration", "")
        for resource in KINDS
        for obj in cluster.list(resource, "elsewhere")
    ]

    assert any('"namespace":"elsewhere"' in text for text in applied)
    assert not any('"namespace":"src"' in text for text in applied)


# --- its files ---


@pytest.mark.usefixtures("namespace")
def test_the_file_storage_holds_what_copies_have_lost(files):
    found = tree(files)

    assert {b".hidden-top", b"empty-dir", b"acme/.keep", b"acme/2026/-rf", b"acme/2026/two\nlines.txt"} < set(found)
    assert "acme/2026/logo größe ☃.svg".encode() in found
    assert b"acme/2026/terms and conditions.pdf" in found
    assert found[b"acme/.keep"][2] == b""
    assert str(found[b"acme/current"][2]) == "2026/11/03"
    assert not (files / "acme/gone").exists()
    assert (files / "lost+found").is_dir()


@pytest.mark.usefixtures("namespace")
def test_the_files_have_modes_and_times_of_their_own(files):
    found = tree(files)
    plain = [entry for name, entry in found.items() if isinstance(entry[2], bytes)]

    assert {mode for mode, _, _ in plain} == {0o664, 0o640, 0o600}
    assert len({time for _, time, _ in found.values()}) == len(found)
    assert all(time % 1_000_000_000 for _, time, _ in plain)


@pytest.mark.usefixtures("namespace")
def test_the_files_are_the_same_each_time(files, tmp_path, cluster):
    threescale.install(cluster, "src-2", tmp_path / "again")

    assert tree(tmp_path / "again") == tree(files)


@pytest.mark.usefixtures("namespace")
def test_an_installation_has_some_forty_small_files(files):
    sizes = [path.stat().st_size for path in files.rglob("*") if path.is_file() and not path.is_symlink()]

    assert 40 <= len(sizes) <= 50
    assert max(sizes) < 9_000


# --- its loss ---


def test_a_lost_installation_leaves_nothing_of_its_own(lost, files):
    left = {resource: lost.names(resource) for resource in KINDS if lost.names(resource)}

    assert left == {
        "deployments": {"threescale-operator-controller-manager-v2"},
    }
    assert os.listdir(files) == ["lost+found"]


def test_an_installation_is_lost_also_while_nothing_is_collected(cluster, namespace, files):
    cluster.gc_delay_s = float("inf")

    threescale.lose(cluster, "src", files)

    assert namespace.names("configmaps") == set()


def test_the_administrator_gives_the_database_secrets_again(cluster, lost):
    threescale.give_database_secrets(cluster, "src")

    assert lost.names("secrets") == set(DATABASE_SECRETS)


# --- what the operator does ---


def test_the_operator_leaves_a_healthy_installation_as_it_is(cluster, namespace, operator):
    before = {resource: cluster.list(resource, "src") for resource in KINDS}
    operator._look_after(namespace.get("apimanagers", NAME))

    assert {resource: cluster.list(resource, "src") for resource in KINDS} == before


@pytest.mark.usefixtures("operator")
def test_the_operator_makes_up_the_secrets_it_does_not_find(lost):
    restore(lost)

    assert lost.wait(lambda: set(SECRETS) <= lost.names("secrets"))


@pytest.mark.usefixtures("operator")
def test_what_the_operator_makes_up_is_another_value(namespace, cluster, files):
    before = values(namespace.get("secrets", "zync"))
    apimanager = namespace.get("apimanagers", NAME)
    threescale.lose(cluster, "src", files)
    namespace.apimanager = apimanager
    restore(namespace)
    namespace.wait(lambda: namespace.get("secrets", "zync"))

    after = values(namespace.get("secrets", "zync"))

    assert after.keys() == before.keys()
    assert after["SECRET_KEY_BASE"] != before["SECRET_KEY_BASE"]
    assert after["ZYNC_DATABASE_PASSWORD"] in after["DATABASE_URL"]


@pytest.mark.usefixtures("operator")
def test_the_operator_keeps_the_values_it_finds_and_adds_missing_keys(lost):
    metadata = {"name": "system-seed", "namespace": "src"}
    mine = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"ADMIN_USER": "jo"}}

    restore(lost, mine)
    lost.wait(lambda: len(lost.get("secrets", "system-seed")["data"]) > 1)

    found = values(lost.get("secrets", "system-seed"))
    assert found["ADMIN_USER"] == "jo"
    assert len(found) == 9


@pytest.mark.usefixtures("operator")
def test_the_operator_adopts_what_has_no_owner(lost):
    metadata = {"name": "system-environment", "namespace": "src"}
    mine = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"FORCE_SSL": "false"}}

    apimanager = restore(lost, mine)
    lost.wait(lambda: "ownerReferences" in lost.get("configmaps", "system-environment")["metadata"])

    found = lost.get("configmaps", "system-environment")
    assert found["metadata"]["ownerReferences"][0]["uid"] == apimanager["metadata"]["uid"]
    assert found["data"] == {"FORCE_SSL": "false"}


@pytest.mark.usefixtures("operator")
def test_the_operator_makes_the_claim_as_the_apimanager_asks(lost):
    lost.apimanager["spec"]["system"]["fileStorage"] = {"persistentVolumeClaim": {"storageClassName": "standard"}}

    restore(lost)
    lost.wait(lambda: lost.get("persistentvolumeclaims", "system-storage"))

    spec = lost.get("persistentvolumeclaims", "system-storage")["spec"]
    assert spec["resources"] == {"requests": {"storage": "100Mi"}}


@pytest.mark.usefixtures("operator")
def test_the_operator_makes_no_claim_for_files_that_lie_in_s3(lost):
    lost.apimanager["spec"]["system"]["fileStorage"] = {"simpleStorageService": {}}

    restore(lost)
    lost.wait(lambda: lost.get("persistentvolumeclaims", "system-searchd-manticore"))

    assert lost.get("persistentvolumeclaims", "system-storage") is None


def test_a_loss_waits_for_an_operator_in_the_midst_of_its_pass(cluster, files):
    losing = threading.Thread(target=threescale.lose, args=(cluster, "src", files))

    def lose(event, obj):
        if event == "ADDED" and obj["kind"] == "Secret" and obj["metadata"]["name"] == SECRETS[0]:
            losing.start()
            losing.join(0.5)  # without the hand it would be done by now, and the operator would go on

    with threescale.Operator(cluster, step_s=0.001):
        threescale.install(cluster, "src", files)
        cluster.on_change(lose)
        cluster.delete("secrets", "src", SECRETS[0])
        cluster.patch("apimanagers", "src", NAME, {"metadata": {"labels": {"looked": "at"}}})
        Namespace(cluster).wait(lambda: losing.ident is not None)
        losing.join()

    assert [
        secret["metadata"]["name"]
        for secret in cluster.list("secrets", "src")
        if "my-" not in secret["metadata"]["name"]
    ] == []


@pytest.mark.usefixtures("operator")
def test_the_operator_waits_for_the_database_secrets(lost):
    lost.cluster.apply(lost.apimanager)
    lost.wait(lambda: lost.says("Preflights", "False"))

    assert "system-database" in lost.conditions()["Preflights"]["message"]
    assert not set(SECRETS) & lost.names("secrets")


@pytest.mark.usefixtures("operator")
def test_the_deployments_come_up_and_the_routes_of_zync_do_not(lost):
    restore(lost)

    assert lost.wait(lambda: lost.says("DeploymentsAvailable", "True"))
    assert lost.says("Available", "False")
    assert lost.conditions()["RoutesReady"]["message"] == (
        "The following route(s) are not yet admitted: api-3scale-apicast-production.apps.example.test,"
        " api-3scale-apicast-staging.apps.example.test, master.apps.example.test, 3scale.apps.example.test,"
        " 3scale-admin.apps.example.test"
    )


@pytest.mark.usefixtures("operator")
def test_deployments_are_starting_before_they_are_ready(lost):
    seen = []
    lost.cluster.on_change(
        lambda _event, obj: (
            seen.append(obj.get("status", {}).get("deployments")) if obj["kind"] == "APIManager" else None
        )
    )

    restore(lost)
    lost.wait(lambda: lost.says("DeploymentsAvailable", "True"))

    assert {"ready": [], "starting": ["backend-cron", "backend-listener", "backend-worker"]} in seen


@pytest.mark.usefixtures("operator")
def test_a_resync_brings_the_routes_and_the_installation_is_available(lost, cluster, tmp_path):
    restore(lost)
    lost.wait(lambda: lost.says("DeploymentsAvailable", "True"))

    assert run(cluster, tmp_path, RESYNC) == (0, "")
    assert lost.wait(lambda: lost.says("Available", "True"))
    assert len(cluster.list("routes", "src")) == 6


@pytest.mark.usefixtures("operator")
def test_the_operator_replaces_the_labels_of_a_former_life(lost):
    stale = {"secret.apimanager.apps.3scale.net/gone": "true", "mine": "yes"}
    lost.apimanager["metadata"]["labels"] = stale

    restore(lost)
    lost.wait(lambda: lost.says("DeploymentsAvailable", "True"))

    labels = lost.get("apimanagers", NAME)["metadata"]["labels"]
    assert labels["mine"] == "yes"
    assert "secret.apimanager.apps.3scale.net/gone" not in labels
    assert len(labels) == 6


def test_a_route_that_is_deleted_stays_away_until_the_next_resync(namespace, operator, cluster, tmp_path):
    def has_admin_route():
        return any(route["spec"]["host"].startswith("3scale-admin.") for route in cluster.list("routes", "src"))

    run(cluster, tmp_path, RESYNC)
    (route,) = (r for r in cluster.list("routes", "src") if r["spec"]["host"].startswith("3scale-admin."))
    operator._look_after(namespace.get("apimanagers", NAME))

    cluster.delete("routes", "src", route["metadata"]["name"])
    operator._look_after(namespace.get("apimanagers", NAME))
    away = not has_admin_route()
    run(cluster, tmp_path, RESYNC)

    assert away
    assert namespace.wait(has_admin_route)


@pytest.mark.usefixtures("namespace", "operator")
def test_a_pod_has_no_other_command(cluster, tmp_path):
    code, _ = run(cluster, tmp_path, ["ls", "-l"])

    assert code == 127


@pytest.mark.usefixtures("operator")
def test_without_zync_the_installation_is_available_by_itself(lost):
    lost.apimanager["spec"]["zync"] = {"enabled": False}

    restore(lost)

    assert lost.wait(lambda: lost.says("Available", "True"))
    assert "zync-que" not in lost.names("deployments")


@pytest.mark.usefixtures("operator")
def test_a_missing_referenced_secret_keeps_it_from_being_available(lost):
    restore(lost, without="my-tls")
    lost.wait(lambda: lost.says("SecretsAvailable", "False"))

    assert lost.conditions()["SecretsAvailable"]["reason"] == "MissingWatchedSecrets"
