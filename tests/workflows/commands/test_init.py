"""The command `init`, and what it asks a cluster."""

import pytest
import yaml

from tests.builders.commands import run
from tests.documents import read

IMAGE = "registry.example.com/steps:1"
REFERENCED = {"my-env", "my-policy", "my-registry", "my-telemetry", "my-tls", "my-tracing"}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "threescale-backup.yaml"


@pytest.fixture
def init(installed, file):
    """Run `init` for the installation, with the rights of an account or of an administrator."""

    def of(*words, account=None):
        installed.connect(account)
        kubeconfig = str(installed.folder / f"kubeconfig-{account}")
        told = ("-n", installed.namespace, "--image", IMAGE, "--kubeconfig", kubeconfig)
        code, _, err = run("init", str(file), *told, *words)
        return code, yaml.safe_load(file.read_text()) if file.exists() else {}, err

    return of


def controller(stage, namespace="argo", **data):
    """Install Argo's controller with these settings."""
    containers = [{"name": "workflow-controller", "image": "quay.io/argoproj/workflow-controller:v4.1.2"}]
    spec = {"template": {"spec": {"containers": containers}}}
    where = {"namespace": namespace}
    stage.kubernetes.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "workflow-controller", **where},
            "spec": spec,
        }
    )
    metadata = {"name": "workflow-controller-configmap", **where}
    stage.kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def quota(stage, **hard):
    metadata = {"name": "all", "namespace": stage.namespace}
    used = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    stage.kubernetes.apply(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}, "status": used}
    )


def test_the_file_names_what_the_apimanager_names_and_renders_roles_for_it(init, file):
    code, told, err = init()

    assert code == 0
    assert set(told["access"]["secrets"]) == REFERENCED
    assert "APIManager example-apimanager names 6 secrets of your own." in err
    rendered = read(run("manifests", "-f", str(file))[1])
    (role,) = [each for each in rendered if (each["kind"], each["metadata"]["name"]) == ("Role", "threescale-backup")]
    assert set(role["rules"][1]["resourceNames"]) >= REFERENCED


def test_without_a_cluster_everything_is_off_but_a_placeholder(tmp_path):
    file = tmp_path / "threescale-backup.yaml"

    code, out, err = run("init", str(file))

    assert (code, out) == (0, "")
    on = {name: value for name, value in yaml.safe_load(file.read_text()).items() if name != "argo"}
    assert {name for name, value in on.items() if value and value != {"retention": None}} == {"image"}
    assert "Replace this by the image that you have pushed." in file.read_text()
    assert "Wrote" in err


def test_a_file_that_exists_is_not_replaced(file):
    file.write_text("mine")

    code, _, err = run("init", str(file))

    assert code == 1
    assert "exists and is not replaced" in err
    assert file.read_text() == "mine"


def test_the_file_can_be_printed():
    code, out, _ = run("init", "-", "--image", IMAGE)

    assert code == 0
    assert yaml.safe_load(out)["image"] == IMAGE


def test_outside_openshift_the_pods_get_a_user_and_a_group(init):
    _, told, err = init()

    assert (told["pods"]["fsGroup"], told["pods"]["runAsUser"]) == (2000, 1000)
    assert "This is no OpenShift" in err


def test_the_user_and_the_group_are_those_of_system_s_pods(installed, init):
    metadata = {"name": "system-sidekiq-1", "namespace": installed.namespace}
    spec = {"securityContext": {"fsGroup": 1500, "runAsUser": 1501}, "containers": [{"name": "main"}]}
    installed.kubernetes.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    _, told, _ = init()

    assert (told["pods"]["fsGroup"], told["pods"]["runAsUser"]) == (1500, 1501)


def test_under_a_quota_on_cpu_every_container_gets_requests_and_limits(installed, init):
    quota(installed, **{"limits.cpu": "4", "requests.storage": "20Gi"})

    _, told, err = init()

    assert "cpu" in told["pods"]["resources"]["limits"]
    assert "cpu" in told["pods"]["executorResources"]["limits"]
    assert "A quota limits limits.cpu, so every container needs requests and limits." in err
    assert "A quota limits the claims of backups: requests.storage 0 B of 20.0 GiB." in err


def test_a_quota_on_objects_asks_for_no_limits(installed, init):
    quota(installed, **{"count/secrets": "40"})

    _, told, _ = init()

    assert "resources" not in told["pods"]


@pytest.mark.parametrize("data", [{"instanceID": "ours"}, {"config": "instanceID: ours\n"}])
def test_the_instance_id_of_the_controller_is_taken_over(installed, init, data):
    controller(installed, **data)

    _, told, err = init()

    assert told["argo"]["instanceID"] == "ours"
    assert "Argo's controller runs in namespace argo: quay.io/argoproj/workflow-controller:v4.1.2." in err


def test_argo_s_controller_is_looked_for_in_another_namespace(installed, init):
    controller(installed, namespace="workflows")

    _, told, err = init("--argo-namespace", "workflows")

    assert told["argo"]["namespace"] == "workflows"
    assert "Argo's controller runs in namespace workflows" in err


def test_who_may_ask_nothing_gets_a_file_and_is_told_what_is_not_known(init):
    code, told, err = init(account="nobody-in-particular")

    assert code == 0
    assert told["namespace"] == "threescale"
    assert "The APIManager and what it names: " in err
    assert "not allowed" in err


@pytest.mark.parametrize("why", ["no connection", "another token"])
def test_a_cluster_that_does_not_answer_leaves_no_file_behind(installed, file, why):
    installed.connect()
    told = yaml.safe_load((installed.folder / "kubeconfig-None").read_text())
    if why == "no connection":
        told["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:9"
    else:
        told["users"][0]["user"] = {"token": "expired"}
    kubeconfig = installed.folder / "other"
    kubeconfig.write_text(yaml.safe_dump(told))

    code, out, err = run("init", str(file), "-n", installed.namespace, "--kubeconfig", str(kubeconfig))

    assert (code, out) == (1, "")
    assert err.startswith("Error: Kubernetes ")
    assert not file.exists()


@pytest.mark.parametrize("image", ["", "two words", "https://registry.example.com/steps:1"])
def test_an_image_that_no_file_could_have_is_refused(file, image):
    code, _, err = run("init", str(file), "--image", image)

    assert code == 2
    assert f"{image!r} is not an image" in err
    assert not file.exists()


def test_settings_of_the_controller_that_are_no_yaml_are_told(installed, init):
    controller(installed, executor="a: [\n", instanceID="ours")

    code, told, err = init()

    assert code == 0
    assert "instanceID" not in (told["argo"] or {})
    assert "Argo's controller: " in err
