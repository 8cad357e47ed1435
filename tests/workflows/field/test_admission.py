"""Webhooks, limits and quotas that refuse what a restore creates: the plan knows, before a byte is written."""

import pytest

from steps.archive import marks
from steps.kubernetes import fields
from tests.conftest import Stage

pytestmark = pytest.mark.thorough

REFUSER = "validate.kyverno.svc-fail"
WEBHOOK = f'admission webhook "{REFUSER}" denied the request: policy require-labels: label team is required'
LIMIT = (
    'persistentvolumeclaims "system-storage" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Mi, but '
    "request is 256Mi"
)
REFUSED = {"apimanagers": WEBHOOK, "secrets": WEBHOOK, "configmaps": WEBHOOK, "persistentvolumeclaims": LIMIT}
MANY = 99  # the plan's question, and each try that comes after it


def refuse(stage: Stage, resource: str) -> str:
    """Refuse to create any object of a resource; return the words."""
    words = REFUSED[resource]
    stage.kubernetes.refuse_next("create", resource, status=403, reason="Forbidden", message=words, times=MANY)
    return words


def almost_full(stage: Stage) -> None:
    """Leave room for some of the Secrets of a restore: each alone would fit."""
    stage.kubernetes.quota("secrets", stage.namespace, limit=len(stage.exists("secrets")) + 4, name="of-objects")


def restored(stage: Stage) -> list[str]:
    """What a restore has written."""
    return [
        name
        for resource in ("secrets", "configmaps", "persistentvolumeclaims", "apimanagers")
        for name in stage.exists(resource)
        if fields.annotation(stage.get(resource, name) or {"metadata": {}}, marks.RESTORED_FROM)
    ]


@pytest.mark.parametrize("resource", list(REFUSED))
def test_what_admission_refuses_of_a_restore_is_in_its_plan_in_its_own_words(quiet, backup_volume, planned, resource):
    words = refuse(quiet, resource)
    if resource == "secrets":  # of which the words may hold a value
        words = REFUSER

    plan = planned(quiet, backup_volume).plan

    assert words in "\n".join(str(each) for each in plan.objections)


def test_a_quota_that_all_secrets_together_exceed_is_in_the_plan(quiet, backup_volume, planned):
    almost_full(quiet)

    plan = planned(quiet, backup_volume).plan

    assert "of-objects" in "\n".join(str(each) for each in plan.objections)


@pytest.mark.parametrize("trouble", ["apimanagers", "secrets", "persistentvolumeclaims", "quota"])
def test_a_restore_that_admission_refuses_fails_when_planned_and_writes_nothing(lost, trouble):
    if trouble == "quota":
        almost_full(lost)
    else:
        refuse(lost, trouble)

    planned_only = lost.restore("nightly", plan="only")
    done = lost.restore("nightly")

    assert (planned_only.phase, done.phase) == ("Failed", "Failed")
    assert restored(lost) == []
