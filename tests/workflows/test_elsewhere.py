"""Where the new installation stands on other storage than the old one."""

import pytest

from tests.builders.claims import CLAIMS


@pytest.mark.thorough
def test_system_storage_is_made_of_the_class_and_with_the_access_mode_that_were_asked_for(lost):
    lost.kubernetes.storage_classes["fast"] = "Immediate"
    lost.kubernetes.refuse_next("patch", CLAIMS, status=403)  # the claim is there by then; the rest takes its time

    workflow = lost.restore("nightly", storage_class="fast", access_mode="ReadWriteOncePod")

    made = lost.get(CLAIMS, "system-storage")
    assert workflow.node("prepare").phase == "Succeeded"
    assert (made["spec"]["storageClassName"], made["spec"]["accessModes"]) == ("fast", ["ReadWriteOncePod"])
    assert "fast" in workflow.node("prepare").log
