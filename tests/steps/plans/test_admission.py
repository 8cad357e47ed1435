"""What the server says, before it happens, of all that a restore creates; the embedded server refuses and counts."""

import pytest

from steps import errors
from steps.archive import contents
from steps.contract.restore_contract import RestoreWishes
from steps.plans import restore_plan
from steps.plans.plan import Does

WEBHOOK = "validate.example.test"
DENIES = f'admission webhook "{WEBHOOK}" denied the request: label team is required'
NO_DRY_RUN = f'admission webhook "{WEBHOOK}" does not support dry run'


@pytest.fixture
def planned(lost, backup_volume):
    """Plan a restore as its account."""

    def plan(**wishes):
        opened = contents.open_at(backup_volume, backup_volume.name)
        return restore_plan.of(lost.connect("threescale-restore"), opened, RestoreWishes(**wishes), last_try=True).plan

    return plan


def lines(plan, does):
    return [line.what for line in plan.lines if line.does is does]


def test_each_object_that_is_created_is_tried_once_and_nothing_is_written(lost, planned):
    lost.kubernetes.clear_requests()

    plan = planned()

    tried = [each for each in lost.kubernetes.requests if each.verb == "create" and each.dry_run]
    created = [what.rpartition(" ")[2] for what in lines(plan, Does.CREATE) if what != "System FileStorage"]
    assert sorted(each.name for each in tried) == sorted(created)
    assert lost.kubernetes.writes() == []


def test_the_claim_for_what_is_replaced_is_tried_too(lost, planned):
    lost.kubernetes.clear_requests()

    planned(file_storage_conflict="replace")

    claims = [
        each.name for each in lost.kubernetes.requests if each.resource == "persistentvolumeclaims" and each.dry_run
    ]
    assert claims == ["system-storage", "threescale-restore-to-come-replaced"]


def test_what_a_webhook_refuses_is_an_objection_with_its_words(lost, planned):
    lost.kubernetes.refuse_next("create", "apimanagers", status=403, reason="Forbidden", message=DENIES)

    plan = planned()

    (objection,) = plan.objections
    assert isinstance(objection, errors.Rejected)
    assert objection.message == DENIES
    assert lines(plan, Does.REFUSED) == ["APIManager example-apimanager"]


@pytest.mark.parametrize("resource", ["secrets", "configmaps", "apimanagers", "persistentvolumeclaims"])
def test_a_webhook_without_dry_runs_is_a_warning_and_changes_no_digest(lost, planned, resource):
    before = planned()
    lost.kubernetes.refuse_next("create", resource, status=400, reason="BadRequest", message=NO_DRY_RUN)

    plan = planned()

    (warning,) = [line for line in plan.lines if line.does is Does.WARNING]
    assert WEBHOOK in warning.how
    assert plan.objections == []
    assert plan.digest == before.digest


def test_a_webhook_without_dry_runs_does_not_stop_a_replacement(lost, planned):
    lost.kubernetes.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "system-app", "namespace": lost.namespace},
            "data": {"SECRET_KEY_BASE": "b3RoZXI="},
        }
    )
    lost.kubernetes.refuse_next("update", "secrets", status=400, reason="BadRequest", message=NO_DRY_RUN)

    plan = planned(on_conflict="replace")

    assert lines(plan, Does.WARNING) == ["Secret system-app"]
    assert plan.objections == []


class TestQuotas:
    @pytest.mark.parametrize("room", [0, 1, 5])
    def test_one_that_all_objects_together_exceed_is_one_objection(self, lost, planned, room):
        lost.kubernetes.quota("secrets", lost.namespace, limit=len(lost.exists("secrets")) + room, name="of-secrets")

        plan = planned()

        (objection,) = plan.objections
        assert isinstance(objection, errors.QuotaTooSmall)
        (told,) = objection.quotas
        assert told.startswith("ResourceQuota of-secrets: ")

    def test_one_with_room_for_all_says_nothing(self, lost, planned):
        room = len([what for what in lines(planned(), Does.CREATE) if what.startswith("Secret ")])
        lost.kubernetes.quota("secrets", lost.namespace, limit=len(lost.exists("secrets")) + room)

        assert planned().objections == []

    def test_one_more_than_there_is_room_for_is_an_objection(self, lost, planned):
        room = len([what for what in lines(planned(), Does.CREATE) if what.startswith("Secret ")])
        lost.kubernetes.quota("secrets", lost.namespace, limit=len(lost.exists("secrets")) + room - 1)

        assert [type(each) for each in planned().objections] == [errors.QuotaTooSmall]

    def test_those_that_may_not_be_read_are_not_asked_and_change_no_digest(self, lost, planned):
        before = planned()
        lost.kubernetes.refuse_next("list", "resourcequotas", status=403)

        plan = planned()

        assert lines(plan, Does.NOT_ASKED) == ["ResourceQuotas"]
        assert plan.objections == []
        assert plan.digest == before.digest

    def test_where_they_may_not_be_read_the_server_s_own_refusal_is_said(self, lost, planned):
        lost.kubernetes.quota("secrets", lost.namespace, limit=len(lost.exists("secrets")))
        lost.kubernetes.refuse_next("list", "resourcequotas", status=403)

        assert {type(each) for each in planned().objections} == {errors.QuotaExceeded}
