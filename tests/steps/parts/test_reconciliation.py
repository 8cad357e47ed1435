import pytest

from steps.archive import contents, layout
from steps.catalogue.backup_claims import WantedClaim
from steps.evidence import result
from steps.kubernetes.workflow import Workflow
from steps.parts import reconciliation
from steps.plans import backup_plan, restore_plan
from steps.plans.plan import Does
from steps.threescale import installation
from tests.builders import phases
from tests.builders.objects import delete, going, patch
from workflows.rehearsal.threescale import installation as threescale

OPERATOR = installation.OPERATOR_DEPLOYMENTS[0]


def apimanager(version="2.16.0", preflights="True", **metadata):
    annotations = {installation.THREESCALE_VERSION: version} if version else {}
    conditions = [{"type": "Preflights", "status": preflights, "message": "postgresql://user:pw@host"}]
    return {"metadata": {"annotations": annotations, **metadata}, "status": {"conditions": conditions}}


def operator(version="2.16", available=1):
    labels = {installation.OPERATOR_VERSION_LABEL: version} if version else {}
    spec = {"template": {"metadata": {"labels": labels}}}
    return {"metadata": {"name": OPERATOR}, "spec": spec, "status": {"availableReplicas": available}}


@pytest.mark.parametrize("of_operator", [None, operator(), operator("2.16.4"), operator("")])
def test_an_apimanager_that_is_looked_after_raises_no_doubt(of_operator):
    assert reconciliation.doubts(apimanager(), of_operator) == []


@pytest.mark.parametrize(
    ("found", "of_operator", "doubt"),
    [
        (apimanager(deletionTimestamp="2026-01-02T03:04:05Z"), None, "is being deleted since 2026-01-02T03:04:05Z"),
        (apimanager(version=""), operator(), "was never reconciled, it has no annotation with a version"),
        (apimanager(preflights="False"), None, "may not be reconciled, its condition Preflights is False"),
        (
            apimanager(),
            operator(available=0),
            f"is not reconciled, Deployment {OPERATOR} of the operator has no available pod",
        ),
        (
            apimanager("2.14"),
            operator("2.16"),
            f"was reconciled last by an operator of 2.14, and Deployment {OPERATOR} is of 2.16",
        ),
    ],
)
def test_each_doubt_has_a_clause_without_a_message_of_the_status(found, of_operator, doubt):
    assert reconciliation.doubts(found, of_operator) == [doubt]


def planned(stage):
    wanted = WantedClaim("nightly", "10Gi", "", "")
    return backup_plan.of(stage.connect("threescale-backup"), wanted, Workflow("backup-1", "uid-1")).plan


def said(plan, does=Does.WARNING):
    return [f"{line.what} {line.how}" for line in plan.lines if line.does is does]


def without_pods(stage):
    patch(stage, "deployments", OPERATOR, {"status": {"availableReplicas": 0}})
    return f"APIManager {threescale.NAME} is not reconciled, Deployment {OPERATOR} of the operator has no available pod"


def in_deletion(stage):
    going(stage, "apimanagers", threescale.NAME)
    since = stage.get("apimanagers", threescale.NAME)["metadata"]["deletionTimestamp"]
    return f"APIManager {threescale.NAME} is being deleted since {since}"


@pytest.mark.parametrize("trouble", [without_pods, in_deletion])
def test_a_doubt_is_in_the_plan_the_manifest_the_record_and_the_plan_of_a_restore(installed, tmp_path, trouble):
    digest = planned(installed).digest
    doubt = trouble(installed)

    plan = planned(installed)
    phases.backup(installed, tmp_path / "nightly")

    opened = contents.open_at(tmp_path / "nightly", "nightly")
    record = result.parse((opened.root / layout.RESULT).read_text())
    name = f"APIManager {threescale.NAME} "
    assert (said(plan), plan.objections, plan.digest) == ([doubt], [], digest)
    assert opened.manifest.source.unreconciled == (doubt.removeprefix(name),)
    assert doubt in [note for phase in record.phases for note in phase.notes]
    installed.lose()
    threescale.give_database_secrets(installed.kubernetes, installed.namespace)
    if trouble is in_deletion:
        return
    restoring = restore_plan.of(installed.connect(), opened, restore_plan.RestoreWishes(), last_try=True).plan
    assert f"{name}when it was saved: {doubt.removeprefix(name)}" in said(restoring)


def test_a_backup_without_a_doubt_has_no_word_of_it(installed, tmp_path):
    plan = planned(installed)
    phases.backup(installed, tmp_path / "nightly")

    assert said(plan) == said(plan, Does.NOT_ASKED) == []
    assert "unreconciled" not in (tmp_path / "nightly" / layout.MANIFEST).read_text()
    for report in (tmp_path / "nightly" / layout.REPORTS).iterdir():
        assert "unreconciled" not in report.read_text()


def test_an_operator_that_can_not_be_asked_is_no_doubt(installed):
    delete(installed, "deployments", OPERATOR)

    plan = planned(installed)

    assert (said(plan), plan.objections) == ([], [])
    assert said(plan, Does.NOT_ASKED) == [f"the 3scale operator {reconciliation.UNKNOWN}"]


@pytest.mark.parametrize("trouble", ["role", "api"])
def test_a_role_or_a_server_that_knows_no_deployments_does_not_stop_a_backup(installed, trouble):
    if trouble == "api":
        installed.kubernetes.without("apps")
    else:
        role = installed.get("roles", "threescale-backup")
        role["rules"] = [rule for rule in role["rules"] if "deployments" not in rule["resources"]]
        installed.kubernetes.apply(role)

    plan = planned(installed)

    assert plan.objections == []
    assert said(plan, Does.NOT_ASKED) == [f"the 3scale operator {reconciliation.UNKNOWN}"]
