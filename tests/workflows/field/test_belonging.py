"""What is 3scale's, and what only looks like it or is named by nobody."""

import base64
from typing import Any

import pytest

from steps.archive import contents, layout
from steps.catalogue.backup_claims import WantedClaim
from steps.kubernetes.workflow import Workflow
from steps.parts import apimanager, readiness
from steps.parts.readiness import Patience
from steps.plans import backup_plan
from steps.plans.plan import Does, Plan
from tests.builders import phases
from tests.conftest import Stage
from workflows.rehearsal.threescale import installation as threescale
from workflows.rehearsal.threescale import objects as threescale_objects

pytestmark = pytest.mark.thorough

PULL_SECRET = "threescale-registry-auth"  # noqa: S105  the name of a Secret, not its value
FOREIGN_HOST = "grafana-threescale.apps.example.test"
AT_ONCE = Patience(wait_minutes=0.0, look_s=0.0)


def to_version(stage: Stage, version: str) -> None:
    """Make the installation one of a version, with an APIManager that names no pull Secret, as most do."""
    found = stage.get("apimanagers", threescale.NAME)
    assert found is not None
    del found["spec"]["imagePullSecrets"]
    found["metadata"]["annotations"]["apps.3scale.net/apimanager-threescale-version"] = version
    stage.kubernetes.apply(found)
    operator = threescale_objects.operator_deployment(stage.namespace)
    operator["spec"]["template"]["metadata"]["labels"]["rht.comp_ver"] = ".".join(version.split(".")[:2])
    stage.kubernetes.apply(operator)


def give_pull_secret(stage: Stage) -> None:
    stage.kubernetes.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": PULL_SECRET, "namespace": stage.namespace},
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": base64.b64encode(b'{"auths":{"registry.example":{"auth":"eA=="}}}').decode()},
        }
    )


def planned_backup(stage: Stage) -> Plan:
    wanted = WantedClaim("nightly", "10Gi", "", "")
    return backup_plan.of(stage.connect("threescale-backup"), wanted, Workflow("backup-1", "uid-1")).plan


def lose(stage: Stage) -> None:
    """Lose the installation and its pull Secret; the databases' Secrets are given again."""
    stage.lose()
    if PULL_SECRET in stage.exists("secrets"):
        stage.kubernetes.delete("secrets", stage.namespace, PULL_SECRET)
    threescale.give_database_secrets(stage.kubernetes, stage.namespace)


class TestThePullSecretThatTheOperatorTakesByDefault:
    """Up to 2.15 an APIManager without `imagePullSecrets` means Secret threescale-registry-auth (operator, 0.12)."""

    def test_it_is_saved_and_restored(self, installed, tmp_path):
        to_version(installed, "2.15.1")
        give_pull_secret(installed)
        before = installed.get("secrets", PULL_SECRET)
        root = tmp_path / "nightly"

        phases.backup(installed, root)
        lose(installed)
        phases.restore(installed, root)

        after = installed.get("secrets", PULL_SECRET)
        assert (root / layout.REFERENCED_SECRETS / f"{PULL_SECRET}.json").exists()
        assert after is not None
        assert (after["type"], after["data"]) == (before["type"], before["data"])

    def test_one_that_is_not_in_the_backup_is_named_in_the_plan(self, installed, tmp_path, planned):
        to_version(installed, "2.15.1")
        phases.backup(installed, tmp_path / "nightly")
        lose(installed)

        plan = planned(installed, tmp_path / "nightly").plan

        assert [line.does for line in plan.lines if line.what == f"Secret {PULL_SECRET}"] == [Does.YOURS]

    def test_a_backup_that_lacks_it_is_whole(self, installed, tmp_path, planned):
        to_version(installed, "2.15.1")
        phases.backup(installed, tmp_path / "nightly")
        lose(installed)

        assert planned(installed, tmp_path / "nightly").plan.objections == []

    def test_a_backup_names_it_where_it_is_missing(self, installed):
        to_version(installed, "2.15.1")

        plan = planned_backup(installed)

        assert plan.objections == []
        assert [(line.does, line.how) for line in plan.lines if line.what == f"Secret {PULL_SECRET}"] == [
            (Does.YOURS, "does not exist, the operator uses it by default")
        ]

    def test_a_role_that_does_not_know_it_does_not_stop_a_backup(self, installed, tmp_path):
        to_version(installed, "2.15.1")
        give_pull_secret(installed)
        role = installed.get("roles", "threescale-backup")
        for rule in role["rules"]:
            if PULL_SECRET in rule.get("resourceNames", []):
                rule["resourceNames"].remove(PULL_SECRET)
        installed.kubernetes.apply(role)

        plan = planned_backup(installed)
        phases.backup(installed, tmp_path / "nightly")

        assert plan.objections == []
        assert [(line.does, line.how) for line in plan.lines if line.what == f"Secret {PULL_SECRET}"] == [
            (Does.YOURS, "not allowed to get it, the operator uses it by default")
        ]
        assert not (tmp_path / "nightly" / layout.REFERENCED_SECRETS / f"{PULL_SECRET}.json").exists()

    def test_one_that_is_missing_after_the_plan_of_a_restore_is_no_change(self, installed, tmp_path):
        to_version(installed, "2.15.1")
        phases.backup(installed, tmp_path / "nightly")
        lose(installed)

        phases.restore(installed, tmp_path / "nightly")

        assert installed.get("secrets", PULL_SECRET) is None
        assert installed.exists("apimanagers") == [threescale.NAME]

    def test_from_2_16_on_it_is_nobody_s(self, installed, tmp_path, planned):
        to_version(installed, "2.16.0")
        give_pull_secret(installed)
        phases.backup(installed, tmp_path / "nightly")
        lose(installed)

        plan = planned(installed, tmp_path / "nightly").plan

        assert PULL_SECRET not in "\n".join(plan.text())
        assert plan.objections == []


def workload(stage: Stage, name: str, labels: dict[str, str], owner: dict[str, Any] | None) -> None:
    """Put a Deployment there that 3scale's operator has not made."""
    template = {"metadata": {"labels": {"deployment": name}}, "spec": {"containers": [{"name": name, "image": "some"}]}}
    metadata = {"name": name, "namespace": stage.namespace, "labels": labels}
    stage.kubernetes.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {**metadata, **({"ownerReferences": [owner]} if owner else {})},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"deployment": name}}, "template": template},
        }
    )


def gateway(stage: Stage) -> None:
    """A self-managed APIcast, labelled and owned as apicast-operator does it (pkg/apicast/apicast_option_provider)."""
    owner = {"apiVersion": "apps.3scale.net/v1alpha1", "kind": "APIcast", "name": "gateway", "uid": "5f0c", **_CONTROLS}
    workload(stage, "apicast-gateway", {"app": "apicast", "threescale_component": "apicast"}, owner)


def database(stage: Stage) -> None:
    """A database that somebody runs beside 3scale and has labelled as 3scale's own were."""
    labels = {"app": "databases", "threescale_component": "system", "threescale_component_element": "mysql"}
    workload(stage, "our-mysql", labels, None)


_CONTROLS = {"controller": True, "blockOwnerDeletion": True}

beside = pytest.mark.parametrize("put", [gateway, database])


@beside
def test_a_workload_of_somebody_else_does_not_speak_against_a_restore(quiet, backup_volume, planned, put):
    put(quiet)

    assert planned(quiet, backup_volume).plan.objections == []


@beside
def test_an_installation_is_restored_beside_a_workload_of_somebody_else(lost, put):
    put(lost)
    before = lost.exists("deployments")

    workflow = lost.restore("nightly")

    assert workflow.phase == "Succeeded", workflow.node("check").attempts[-1].message
    assert set(before) < set(lost.exists("deployments"))


def foreign_route(stage: Stage) -> None:
    """A Route that is neither the APIManager's nor Zync's."""
    admitted = {"type": "Admitted", "status": "True"}
    stage.kubernetes.apply(
        {
            "apiVersion": "route.openshift.io/v1",
            "kind": "Route",
            "metadata": {"name": "grafana", "namespace": stage.namespace, "labels": {"app": "grafana"}},
            "spec": {"host": FOREIGN_HOST, "to": {"kind": "Service", "name": "grafana"}},
            "status": {"ingress": [{"host": FOREIGN_HOST, "routerName": "default", "conditions": [admitted]}]},
        }
    )


def not_available(stage: Stage) -> None:
    """Say that the installation is not Available, though all its parts are ready."""
    found = stage.get("apimanagers", threescale.NAME)
    assert found is not None
    said = [
        {**item, "status": "False", "message": "watched Secrets"} if item["type"] == "Available" else item
        for item in found["status"]["conditions"]
    ]
    stage.kubernetes.patch("apimanagers", stage.namespace, threescale.NAME, {"status": {"conditions": said}})


def test_only_the_routes_of_3scale_are_recorded(installed):
    door = installed.connect("threescale-backup")
    found = apimanager.named(door, threescale.NAME)
    ours = readiness.ready(door, found).routes
    foreign_route(installed)

    assert len(ours) == 6
    assert readiness.ready(door, found).routes == ours


@pytest.mark.parametrize("is_foreign", [False, True])
def test_an_installation_that_was_not_available_is_ready_with_its_own_routes(installed, tmp_path, caplog, is_foreign):
    not_available(installed)
    if is_foreign:
        foreign_route(installed)
    phases.backup(installed, tmp_path / "nightly")
    if is_foreign:
        installed.kubernetes.delete("routes", installed.namespace, "grafana")

    opened = contents.open_at(tmp_path / "nightly", "nightly")
    caplog.set_level("INFO")
    readiness.wait(installed.connect("threescale-restore"), opened, "as-before", AT_ONCE)

    assert "3scale is not Available, but everything that was ready at backup time is ready again" in caplog.text
