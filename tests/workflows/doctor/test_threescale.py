"""The 3scale installation, as a backup and a restore need it."""

import pytest

from tests.builders.installations import move_to_s3
from tests.workflows.doctor.conftest import SECRETS
from workflows.rehearsal.threescale import installation as threescale

pytestmark = pytest.mark.thorough


def change(surgery, **spec):
    surgery.stage.kubernetes.patch("apimanagers", "threescale", threescale.NAME, {"spec": spec})


def test_a_namespace_for_a_restore_has_no_apimanager_and_no_error(surgery):
    surgery.stage.lose()

    found = {each["what"]: each for each in surgery.findings()}

    assert found["APIManager"]["state"] == "warning"
    assert found["Plan of a backup"]["state"] == "not tried"
    assert found["Place for a restore"]["told"] == "Namespace threescale has no workload of a 3scale that is gone."
    assert "error" not in [each["state"] for each in found.values()]


def test_without_an_apimanager_the_secrets_of_the_databases_may_come_from_the_backup(surgery):
    surgery.stage.lose()

    (found,) = surgery.found("Databases")

    assert (found["state"], found["remedy"]) == ("warning", "Or restore them: database-secrets=restore.")


def test_what_is_left_of_a_3scale_that_is_gone_is_an_error_of_a_restore(surgery):
    surgery.stage.kubernetes.delete("apimanagers", "threescale", threescale.NAME)
    metadata = {"name": "system-app", "namespace": "threescale", "labels": {"app": "3scale-api-management"}}
    surgery.stage.kubernetes.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {}})

    (found,) = surgery.found("Place for a restore")

    assert found["state"] == "error"
    assert "system-app" in found["told"]


def test_an_installation_is_no_place_for_a_restore(surgery):
    (found,) = surgery.found("Place for a restore")

    assert found["told"] == f"Not this namespace, as long as APIManager {threescale.NAME} is in it."


def test_two_apimanagers_are_an_error(surgery, states):
    first = surgery.stage.kubernetes.get("apimanagers", "threescale", threescale.NAME)
    metadata = {"name": "second", "namespace": "threescale"}
    surgery.stage.kubernetes.apply({**first, "metadata": metadata})

    found = surgery.found("APIManager")

    assert states(found) == ["error"]
    assert "second" in found[0]["told"]
    (place,) = surgery.found("Place for a restore")
    names = f"APIManagers {threescale.NAME}, second are"
    assert (place["state"], place["told"]) == ("ok", f"Not this namespace, as long as {names} in it.")


def test_who_may_not_list_apimanagers_is_not_told_to_delete_the_installation(surgery):
    metadata, group = {"name": "reader", "namespace": "threescale"}, "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}]
    subjects = [{"kind": "ServiceAccount", "name": "reader", "namespace": "threescale"}]
    reference = {"apiGroup": group, "kind": "Role", "name": "reader"}
    for kind, parts in (("Role", {"rules": rules}), ("RoleBinding", {"subjects": subjects, "roleRef": reference})):
        surgery.stage.kubernetes.apply({"apiVersion": f"{group}/v1", "kind": kind, "metadata": metadata, **parts})

    (place,) = surgery.found("Place for a restore", account="reader")

    assert place["state"] == "not allowed to ask"
    assert "list apimanagers" in place["told"]


def test_a_cluster_without_the_kinds_of_3scale_is_an_error(surgery, states):
    surgery.stage.kubernetes.without("apps.3scale.net")

    assert states(surgery.found("APIManager")) == ["error"]


def test_the_operator_is_named_with_its_minor(surgery):
    (found,) = surgery.found("Operator of 3scale")

    assert found["state"] == "ok"
    assert "is of 3scale 2.16." in found["told"]


def test_an_operator_elsewhere_is_a_warning_with_the_argument_of_a_restore(surgery, states):
    surgery.stage.kubernetes.delete("deployments", "threescale", "threescale-operator-controller-manager-v2")

    found = surgery.found("Operator of 3scale")

    assert states(found) == ["warning"]
    assert "threescale-version=MAJOR.MINOR" in found[0]["remedy"]


def test_an_operator_without_a_pod_is_a_warning(surgery, states):
    name = "threescale-operator-controller-manager-v2"
    surgery.stage.kubernetes.patch("deployments", "threescale", name, {"status": {"availableReplicas": 0}})

    assert states(surgery.found("Operator of 3scale")) == ["warning"]


def test_a_cluster_without_routes_is_no_trouble(surgery):
    surgery.stage.kubernetes.without("route.openshift.io")

    (found,) = surgery.found("Routes")

    assert (found["state"], found["told"]) == ("ok", "The cluster has no Routes.")


@pytest.mark.parametrize("key", ["REDIS_STORAGE_URL", "REDIS_QUEUES_URL"])
def test_a_missing_key_of_a_database_secret_is_an_error_that_names_it(surgery, states, key):
    surgery.stage.kubernetes.patch("secrets", "threescale", "backend-redis", {"data": {key: None}})

    found = surgery.found("Databases")

    assert states(found) == ["error"]
    assert "backend-redis" in found[0]["told"]
    assert key in found[0]["told"]


def test_a_trouble_that_the_plan_finds_too_is_told_once(surgery):
    surgery.stage.kubernetes.patch("secrets", "threescale", "system-redis", {"data": {"URL": None}})

    errors = [each["told"] for each in surgery.findings() if each["state"] == "error"]

    assert len(errors) == 1


def test_a_missing_database_secret_is_an_error(surgery, states):
    surgery.stage.kubernetes.delete("secrets", "threescale", "system-database")

    found = surgery.found("Databases")

    assert states(found) == ["error"]
    assert "system-database" in found[0]["told"]


def test_databases_in_the_cluster_are_an_error(surgery, states):
    change(surgery, externalComponents={"system": {"database": False}})

    found = surgery.found("Databases")

    assert states(found) == ["error"]
    assert "system database" in found[0]["told"]


def test_who_may_not_read_the_database_secrets_is_told_so(surgery, states):
    surgery.stage.kubernetes.refuse_next("get", "secrets", status=403, name="system-redis")

    found = surgery.found("Databases")

    assert states(found) == ["not allowed to ask"]
    assert found[0]["told"] == "Your account is not allowed to get secrets system-redis."


def test_a_reference_that_the_file_does_not_name_is_an_error_with_the_field(surgery, states):
    surgery.write(secrets=[name for name in SECRETS if name not in {"my-env", "my-tls"}])

    found = surgery.found("References")

    assert states(found) == ["error"]
    assert found[0]["told"].startswith("The accounts may not read Secret my-env, my-tls, ")
    assert found[0]["remedy"].startswith("Add my-env, my-tls to access.secrets in ")
    assert found[0]["remedy"].endswith("| kubectl apply --server-side -f -")


def test_a_config_map_that_the_file_does_not_name_has_its_own_field(surgery):
    change(surgery, system={"other": {"configMapRef": {"name": "mine"}}})
    metadata = {"name": "mine", "namespace": "threescale"}
    surgery.stage.kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}})

    (found,) = surgery.found("References")

    assert found["remedy"].startswith("Add mine to access.configMaps in ")


def test_with_all_secrets_no_secret_needs_to_be_named(surgery, states):
    surgery.write("  allSecrets: true\n", secrets=["x"])

    assert states(surgery.found("References")) == ["ok"]


def test_a_reference_without_an_object_is_an_error(surgery, states):
    surgery.stage.kubernetes.delete("secrets", "threescale", "my-tls")

    found = surgery.found("References")

    assert states(found) == ["error"]
    assert "my-tls" in found[0]["told"]


def test_the_plan_counts_what_a_backup_would_save(surgery):
    (found,) = surgery.found("Plan of a backup")

    assert found["state"] == "ok"
    assert found["told"].startswith("A backup would save 25 things.")


def test_an_objection_of_the_plan_is_an_error(surgery, states):
    surgery.stage.kubernetes.delete("configmaps", "threescale", "system-environment")

    found = surgery.found("Plan of a backup")

    assert states(found) == ["error"]
    assert "system-environment" in found[0]["told"]


def test_a_warning_of_the_plan_is_a_warning(surgery, states):
    version = "apps.3scale.net/apimanager-threescale-version"
    patch = {"metadata": {"annotations": {version: "2.15.1"}}}
    surgery.stage.kubernetes.patch("apimanagers", "threescale", threescale.NAME, patch)

    found = surgery.found("Plan of a backup")

    assert states(found) == ["warning", "ok"]
    assert found[0]["told"].startswith(f"APIManager {threescale.NAME} was reconciled last by an operator of 2.15.1")


def test_files_in_s3_need_the_argument_of_the_schedule(surgery, states):
    move_to_s3(surgery.stage)
    secrets = [*SECRETS, "my-s3"]
    schedule = "backup:\n  schedule: 0 2 * * *\n"
    surgery.write(schedule, secrets)
    refused = surgery.found("Plan of a backup")
    surgery.write(f"{schedule}  arguments:\n    file-storage: external\n", secrets)

    assert states(refused) == ["error"]
    assert "file-storage" in refused[0]["told"]
    assert states(surgery.found("Plan of a backup")) == ["ok"]


def test_who_may_not_read_a_reference_gets_no_error_of_the_plan(surgery, states):
    surgery.stage.kubernetes.refuse_next("get", "secrets", status=403, name="my-tls", times=9)

    found = surgery.findings()

    assert "error" not in states(found)
    assert states([each for each in found if each["what"] == "Plan of a backup"]) == ["not allowed to ask"]
