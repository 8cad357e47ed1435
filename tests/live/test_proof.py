"""A backup on a real volume is verified and drilled: real admission, the real garbage collector, a second namespace."""

from collections.abc import Callable

import pytest

from steps.archive import marks
from steps.kubernetes import fields
from steps.threescale import installation
from tests.live.kubernetes import until
from tests.live.pods import POD_S
from tests.live.stage import Stage

pytestmark = pytest.mark.cluster


@pytest.mark.lesson(2)
def test_a_backup_is_verified_and_proven_and_nothing_is_left_of_the_drill(new_stage: Callable[..., Stage]) -> None:
    scratch = new_stage().namespace
    stage = new_stage(drill_namespace=scratch)
    stage.installation.install()
    assert stage.backup(name="nightly").phase == "Succeeded"

    verified = stage.engine.submit("threescale-verify")
    drilled = stage.engine.submit("threescale-drill", {"scratch-namespace": scratch})

    assert verified.phase == "Succeeded", verified.failures
    assert drilled.phase == "Succeeded", drilled.failures
    claim = stage.get("persistentvolumeclaims", "nightly")
    assert claim
    assert fields.annotation(claim, marks.VERIFIED_BY) == verified.name
    assert fields.annotation(claim, marks.PROVEN_BY) == drilled.name
    assert [name for name in installation.SECRETS if stage.kubernetes.get("secrets", scratch, name)] == []
    assert stage.kubernetes.list("apimanagers", scratch) == []
    until("the end of the scratch claim", lambda: _no_scratch_claim(stage), POD_S)


def _no_scratch_claim(stage: Stage) -> bool:
    return stage.kubernetes.list("persistentvolumeclaims", stage.namespace, marks.DRILL) == []
