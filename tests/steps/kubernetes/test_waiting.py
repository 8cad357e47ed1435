import time

import pytest

from steps import errors
from steps.kubernetes import waiting
from tests.builders.refusals import Holding, refused

LONG_S = 600.0  # a test that waits so long is ended by its own time limit


def pending(stage):
    """Make a claim whose provisioner takes its time."""
    stage.kubernetes.storage_classes["slow"] = "Never"
    return stage.claim(storageClassName="slow")


def bind(stage):
    bound = {"status": {"phase": "Bound"}}
    stage.kubernetes.patch("persistentvolumeclaims", stage.namespace, "system-storage", bound)


def report(stage, claim, reason, message, *, kind="Warning", second=0):
    """Say something of a claim, as the controllers of a cluster do."""
    about = {key: claim["metadata"][key] for key in ("name", "namespace", "uid")}
    stage.kubernetes.create(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{about['name']}.", "namespace": stage.namespace},
            "involvedObject": {"kind": "PersistentVolumeClaim", **about},
            "type": kind,
            "reason": reason,
            "message": message,
            "lastTimestamp": f"2026-11-30T00:00:0{second}Z",
        }
    )


class TestWaitForVolume:
    def test_a_bound_claim_passes(self, empty):
        empty.claim()

        waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 60.0)

    def test_a_claim_that_waits_for_its_first_pod_passes(self, empty):
        empty.kubernetes.storage_classes["late"] = "WaitForFirstConsumer"
        empty.claim(storageClassName="late")

        waiting.wait_for_volume(empty.connect("threescale-restore"), "system-storage", 60.0)

    def test_an_unknown_class_is_refused_at_once(self, empty):
        empty.claim(storageClassName="unknown")

        with refused(errors.ClaimWithoutVolume, event=Holding('"unknown" not found')) as error:
            waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", LONG_S)

        assert error.value.exit_code == 1

    def test_a_volume_that_does_not_fit_is_refused_at_once(self, empty):
        claim = empty.claim(storageClassName="", volumeName="small")
        report(empty, claim, "VolumeMismatch", 'Cannot bind to requested volume "small": requested PV is too small')

        with refused(errors.ClaimWithoutVolume, event=Holding("requested PV is too small")):
            waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", LONG_S)

    @pytest.mark.thorough
    def test_a_class_that_was_made_after_the_refusal_gives_its_volume(self, empty):
        claim = pending(empty)
        report(empty, claim, "ProvisioningFailed", 'storageclass.storage.k8s.io "slow" not found')
        report(empty, claim, "Provisioning", "External provisioner is provisioning volume", kind="Normal", second=1)
        empty.kubernetes.after_next("list", "events", lambda _: bind(empty))

        waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", LONG_S)

    def test_a_warning_is_told_when_the_time_is_over(self, empty):
        claim = pending(empty)
        report(empty, claim, "ProvisioningFailed", "rpc error: code = DeadlineExceeded")
        report(empty, claim, "ExternalProvisioning", "waiting for a volume", kind="Normal", second=1)

        with refused(errors.ClaimWithoutVolume, event=Holding("DeadlineExceeded")):
            waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 0.0)

    def test_a_claim_without_a_class_that_no_volume_fits_is_told_though_it_is_no_warning(self, empty):
        empty.claim(storageClassName="")

        with refused(errors.ClaimWithoutVolume, event=Holding("no storage class is set")):
            waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 0.0)

    def test_a_volume_by_name_that_is_not_there_is_told_in_the_end(self, empty):
        empty.claim(storageClassName="", volumeName="mistyped")

        with refused(errors.ClaimWithoutVolume, event=Holding("volume mistyped is missing")) as error:
            waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 0.0)

        assert error.value.exit_code == 1

    def test_a_volume_by_name_that_comes_passes(self, empty):
        empty.claim(storageClassName="", volumeName="disk")
        volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"}, "spec": {}}
        empty.kubernetes.create(volume)

        waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 0.0)

    @pytest.mark.thorough
    def test_what_was_said_of_an_earlier_claim_of_the_name_does_not_count(self, empty):
        empty.claim(storageClassName="unknown")
        empty.lose_claim("system-storage")
        pending(empty)
        empty.kubernetes.after_next("list", "events", lambda _: bind(empty))

        waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", LONG_S)

    def test_a_claim_of_which_nothing_is_said_is_refused_in_the_end(self, empty):
        pending(empty)

        with refused(errors.ClaimWithoutVolume, event=Holding("no reason")):
            waiting.wait_for_volume(empty.connect(), "system-storage", 0.0)

    @pytest.mark.thorough
    def test_all_claims_of_a_phase_have_one_limit(self, empty):
        names = ["first", "second", "third"]
        empty.kubernetes.storage_classes["slow"] = "Never"
        for name in names:
            empty.claim(name, storageClassName="slow")
        began = time.monotonic()

        with refused(errors.ClaimWithoutVolume, name="first"):
            waiting.wait_for_volumes(empty.connect("threescale-restore"), names, 1.5)

        assert time.monotonic() - began < 4

    def test_the_last_of_several_claims_is_refused_at_once_too(self, empty):
        pending(empty)
        empty.claim("other", storageClassName="unknown")

        with refused(errors.ClaimWithoutVolume, name="other"):
            waiting.wait_for_volumes(empty.connect("threescale-restore"), ["system-storage", "other"], LONG_S)

    def test_a_claim_that_is_gone_again_is_no_success(self, empty):
        with refused(errors.ClaimGone, name="system-storage"):
            waiting.wait_for_volume(empty.connect("threescale-backup"), "system-storage", 60.0)

    @pytest.mark.thorough
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
