import pytest

from steps import errors
from steps.kubernetes import waiting
from tests.builders.refusals import Holding, refused


def pending(stage):
    """Make a claim whose provisioner takes its time."""
    stage.kubernetes.storage_classes["slow"] = "Never"
    stage.claim(storageClassName="slow")


class TestWaitForVolume:
    def test_a_bound_claim_passes(self, empty):
        empty.claim()

        waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 60.0)

    def test_a_claim_that_waits_for_its_first_pod_passes(self, empty):
        empty.kubernetes.storage_classes["late"] = "WaitForFirstConsumer"
        empty.claim(storageClassName="late")

        waiting.wait_for_volume(empty.connect("threescale-restore"), "system-storage", 60.0)

    def test_a_warning_is_told(self, empty):
        empty.claim(storageClassName="unknown")

        with refused(errors.ClaimWithoutVolume, event=Holding('"unknown" not found')) as error:
            waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 60.0)

        assert error.value.exit_code == 75

    def test_a_claim_without_a_class_that_no_volume_fits_is_told_though_it_is_no_warning(self, empty):
        empty.claim(storageClassName="")

        with refused(errors.ClaimWithoutVolume, event=Holding("no storage class is set")):
            waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 60.0)

    def test_a_volume_by_name_that_is_not_there_is_told_in_the_end(self, empty):
        empty.claim(storageClassName="", volumeName="mistyped")

        with refused(errors.ClaimWithoutVolume, event=Holding("volume mistyped is missing")) as error:
            waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 0.0)

        assert error.value.exit_code == 75

    def test_a_volume_by_name_that_comes_passes(self, empty):
        empty.claim(storageClassName="", volumeName="disk")
        volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"}, "spec": {}}
        empty.kubernetes.create(volume)

        waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 0.0)

    def test_what_was_said_of_an_earlier_claim_of_the_name_does_not_count(self, empty):
        empty.claim(storageClassName="unknown")
        empty.lose_claim("system-storage")
        pending(empty)

        waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 0.0)

    def test_a_claim_of_which_nothing_is_said_passes_in_the_end(self, empty):
        pending(empty)

        waiting.wait_for_volume(empty.connect(), "system-storage", 0.0)

    def test_a_claim_that_is_gone_again_is_no_success(self, empty):
        with refused(errors.ClaimGone, name="system-storage"):
            waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 60.0)

    def test_a_claim_that_goes_while_its_volume_is_waited_for_is_no_success(self, empty):
        pending(empty)
        empty.kubernetes.after_next("list", "events", lambda _: empty.lose_claim("system-storage"))

        with pytest.raises(errors.ClaimGone):
            waiting.wait_for_volume(empty.connect(), "system-storage", 60.0)

    def test_a_claim_that_is_being_deleted_is_no_success(self, empty):
        empty.claim(metadata={"finalizers": ["example/wait"]})
        empty.kubernetes.delete("persistentvolumeclaims", empty.namespace, "system-storage")

        with pytest.raises(errors.ClaimGoingAway):
            waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 60.0)

    def test_a_claim_that_is_bound_a_little_later_passes(self, empty):
        pending(empty)
        bound = {"status": {"phase": "Bound"}}
        empty.kubernetes.after_next(
            "list",
            "events",
            lambda _: empty.kubernetes.patch("persistentvolumeclaims", empty.namespace, "system-storage", bound),
        )

        waiting.wait_for_volume(empty.connect(), "system-storage", 60.0)
