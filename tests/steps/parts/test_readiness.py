import logging
import threading
from dataclasses import replace

import pytest

from steps import errors
from steps.archive import contents
from steps.archive.manifest import Ready
from steps.parts import readiness
from steps.parts.readiness import Patience
from steps.threescale import installation
from steps.threescale.domain import Move
from tests.builders.refusals import Holding, refused
from workflows.rehearsal.kubernetes.cluster import ExecResult

NAME = "example-apimanager"
AT_ONCE = Patience(wait_minutes=0.0, look_s=0.0)
SOON = Patience(wait_minutes=1.0, look_s=0.01)
BEFORE = Ready(conditions=("Available", "Preflights"), deployments=("system-app", "zync"), routes=("a.test", "b.test"))


def opened(root, *, before=BEFORE, zync=None):
    """A backup whose source was ready as given."""
    found = contents.open_at(root)
    source = found.manifest.source.model_copy(update={"ready": before})
    result = contents.Backup(root, found.manifest.model_copy(update={"source": source}), found.digest, found.name)
    vars(result)["apimanager"] = {"metadata": {"name": NAME}, "spec": {"zync": zync or {}}}
    return result


def apimanager(stage, *, conditions=(), ready=(), starting=(), stopped=()):
    """The APIManager with a status; a condition is its type and, where it is not True, its message."""
    said = [
        {"type": kind, "status": "False" if message else "True", "message": message} for kind, message in conditions
    ]
    deployments = {"ready": list(ready), "starting": list(starting), "stopped": list(stopped)}
    stage.kubernetes.apply(
        {
            "apiVersion": "apps.3scale.net/v1alpha1",
            "kind": "APIManager",
            "metadata": {"name": NAME, "namespace": stage.namespace},
            "spec": {},
            "status": {"conditions": said, "deployments": deployments},
        }
    )


def route(stage, host):
    admitted = {"conditions": [{"type": "Admitted", "status": "True"}]}
    stage.kubernetes.apply(
        {
            "apiVersion": "route.openshift.io/v1",
            "kind": "Route",
            "metadata": {"name": host.partition(".")[0], "namespace": stage.namespace},
            "spec": {"host": host},
            "status": {"ingress": [admitted]},
        }
    )


def sidekiq(stage, *, name="sidekiq-1", label="deployment", ready=True, phase="Running"):
    stage.kubernetes.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": stage.namespace, "labels": {label: "system-sidekiq"}},
            "spec": {"containers": [{"name": "system-sidekiq"}, {"name": "other"}]},
            "status": {"phase": phase, "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
        }
    )


def wait(stage, root, ready, patience=AT_ONCE, **facts):
    readiness.wait(stage.connect("threescale-restore"), opened(root, **facts), ready, patience)


class TestResync:
    @staticmethod
    def resync(stage, root, patience=AT_ONCE, **facts):
        return readiness.resync(stage.connect("threescale-restore"), opened(root, **facts), patience)

    @pytest.fixture
    def told(self, empty):
        """What was run in which container."""
        told = []

        def run(pod, container, command):
            told.append((pod["metadata"]["name"], container, command))
            return ExecResult()

        empty.kubernetes.on_exec(run)
        return told

    @pytest.mark.parametrize("label", ["deployment", "deploymentconfig"])
    def test_zync_is_told_in_a_ready_pod_of_either_era(self, empty, backup_volume, told, label):
        sidekiq(empty, name="sidekiq-0", label=label, ready=False)
        sidekiq(empty, name="sidekiq-1", label=label)

        assert self.resync(empty, backup_volume, Patience(1.0, 0.01))
        command = ["bash", "-c", "bundle exec rake zync:resync:domains"]
        assert told == [("sidekiq-1", "system-sidekiq", command)]

    def test_where_zync_is_disabled_nothing_is_told(self, empty, backup_volume, told):
        assert not self.resync(empty, backup_volume, zync={"enabled": False})
        assert told == []

    @pytest.mark.parametrize("phase", ["Pending", "Succeeded"])
    def test_a_pod_that_does_not_run_is_not_ready(self, empty, backup_volume, phase):
        sidekiq(empty, phase=phase)
        apimanager(empty)

        with refused(errors.WaitedInVain, last="no pod of system-sidekiq is ready"):
            self.resync(empty, backup_volume)

    def test_a_wait_in_vain_ends_with_what_the_operator_says(self, empty, backup_volume):
        apimanager(empty, conditions=[("Available", "Deployments missing: system-sidekiq"), ("Preflights", "")])

        with refused(errors.WaitedInVain, last="Available: Deployments missing: system-sidekiq"):
            self.resync(empty, backup_volume)

    def test_a_pod_that_comes_later_is_waited_for(self, empty, backup_volume, told):
        apimanager(empty)
        empty.kubernetes.after_next("get", "apimanagers", lambda _: sidekiq(empty))

        assert self.resync(empty, backup_volume, SOON)
        assert len(told) == 1

    def test_a_failing_rake_is_final(self, empty, backup_volume):
        sidekiq(empty)
        empty.kubernetes.on_exec(lambda *_: ExecResult(exit_code=3, stderr="rake aborted!"))

        with refused(errors.ResyncFailed, pod="sidekiq-1", status=3) as error:
            self.resync(empty, backup_volume, SOON)

        assert error.value.exit_code == 1
        assert "aborted" not in str(error.value)

    @pytest.mark.parametrize("exit_code", [137, 143])
    def test_a_rake_that_was_killed_with_its_pod_is_tried_again(self, empty, backup_volume, exit_code):
        sidekiq(empty)
        empty.kubernetes.on_exec(lambda *_: ExecResult(exit_code))

        with refused(errors.ResyncUnknown, reason=Holding(f"exit code {exit_code}")) as error:
            self.resync(empty, backup_volume, SOON)

        assert error.value.exit_code == 75

    def test_a_dropped_connection_is_tried_again(self, empty, backup_volume):
        sidekiq(empty)
        empty.kubernetes.on_exec(lambda *_: ExecResult(dropped=True))

        with pytest.raises(errors.ResyncUnknown) as error:
            self.resync(empty, backup_volume, SOON)

        assert error.value.exit_code == 75

    def test_a_rake_that_takes_too_long_is_tried_again(self, empty, backup_volume):
        sidekiq(empty)
        empty.kubernetes.on_exec(lambda *_: ExecResult(delay_s=60.0))

        with refused(errors.ResyncUnknown, reason="the command is still running"):
            self.resync(empty, backup_volume)


class TestAvailable:
    def test_an_available_3scale_is_ready(self, empty, backup_volume):
        apimanager(empty, conditions=[("Available", "")])

        wait(empty, backup_volume, "available")

    def test_one_that_is_not_ends_with_what_the_operator_says(self, empty, backup_volume):
        said = [("RoutesReady", "Routes missing: a.test"), ("DeploymentsAvailable", "waiting for zync"), ("X", "")]
        apimanager(empty, conditions=said)

        last = "RoutesReady: Routes missing: a.test; DeploymentsAvailable: waiting for zync"
        with refused(errors.WaitedInVain, what="3scale (available)", last=last):
            wait(empty, backup_volume, "available")

    def test_not_false_is_not_enough(self, empty, backup_volume):
        apimanager(empty)

        with refused(errors.WaitedInVain, last="the condition Available is not True"):
            wait(empty, backup_volume, "available")

    def test_an_apimanager_that_is_gone_is_told(self, empty, backup_volume):
        with refused(errors.ApiManagerGone, name=NAME):
            wait(empty, backup_volume, "available", SOON)

    def test_a_3scale_that_becomes_available_is_waited_for(self, empty, backup_volume):
        apimanager(empty)
        later = threading.Timer(0.05, apimanager, [empty], {"conditions": [("Available", "")]})
        later.start()

        wait(empty, backup_volume, "available", SOON)
        later.join()

    def test_an_api_server_that_fails_for_a_while_is_looked_at_again(self, empty, backup_volume):
        apimanager(empty, conditions=[("Available", "")])
        empty.kubernetes.refuse_next("get", "apimanagers", times=3)

        wait(empty, backup_volume, "available", SOON)

    def test_one_that_fails_to_the_end_is_told(self, empty, backup_volume):
        empty.kubernetes.refuse_next("get", "apimanagers", times=99)

        with refused(errors.WaitedInVain, last=Holding("no usable answer")):
            wait(empty, backup_volume, "available")


class TestDeployments:
    def test_those_that_were_ready_are_enough(self, empty, backup_volume):
        apimanager(empty, ready=["system-app", "zync", "new"])

        wait(empty, backup_volume, "deployments")

    def test_one_that_is_not_ready_again_is_named(self, empty, backup_volume):
        apimanager(empty, ready=["zync"])

        with refused(errors.WaitedInVain, last="Deployments not ready: system-app"):
            wait(empty, backup_volume, "deployments")

    def test_of_a_backup_that_recorded_none_all_that_there_are_count(self, empty, backup_volume):
        apimanager(empty, ready=["zync"], starting=["system-app"], stopped=["backend-cron"])

        with refused(errors.WaitedInVain, last="Deployments not ready: backend-cron, system-app"):
            wait(empty, backup_volume, "deployments", before=Ready())

    def test_none_at_all_are_not_ready(self, empty, backup_volume):
        apimanager(empty)

        with refused(errors.WaitedInVain, last="Deployments not ready: all"):
            wait(empty, backup_volume, "deployments", before=Ready())


class TestAsBefore:
    def test_available_is_enough(self, empty, backup_volume):
        apimanager(empty, conditions=[("Available", "")])

        wait(empty, backup_volume, "as-before")

    def test_what_was_ready_is_enough_with_a_warning_that_names_the_rest(self, empty, backup_volume, caplog):
        caplog.set_level(logging.INFO)
        before = BEFORE.model_copy(update={"conditions": ("Preflights",)})
        said = [("Available", "Routes missing: renamed.test"), ("Preflights", "")]
        apimanager(empty, conditions=said, ready=["system-app", "zync"])
        route(empty, "a.test")
        route(empty, "b.test")

        wait(empty, backup_volume, "as-before", before=before)

        assert "WARNING: 3scale is not Available" in caplog.text
        assert "Available: Routes missing: renamed.test" in caplog.text

    def test_what_is_missing_is_named_by_kind(self, empty, backup_volume):
        apimanager(empty, conditions=[("Available", "not yet")], ready=["zync"])
        route(empty, "b.test")

        last = (
            "Deployments not ready: system-app; Routes not admitted: a.test; "
            "conditions not True: Available, Preflights; Available: not yet"
        )
        with refused(errors.WaitedInVain, last=last):
            wait(empty, backup_volume, "as-before")

    def test_a_backup_that_recorded_nothing_waits_for_available(self, empty, backup_volume):
        apimanager(empty, ready=["system-app"])

        with refused(errors.WaitedInVain, last="the condition Available is not True"):
            wait(empty, backup_volume, "as-before", before=Ready())

    @pytest.mark.parametrize("version", ["2.9", "2.10"])
    def test_before_2_11_which_knows_no_condition_available_the_deployments_are_waited_for(
        self, empty, backup_volume, version
    ):
        old = opened(backup_volume, before=Ready())
        old.apimanager["metadata"]["annotations"] = {installation.THREESCALE_VERSION: version}
        door = empty.connect("threescale-restore")
        apimanager(empty, ready=["zync"], starting=["system-app"])

        with refused(errors.WaitedInVain, last="Deployments not ready: system-app"):
            readiness.wait(door, old, "as-before", AT_ONCE)

        apimanager(empty, ready=["system-app", "zync"])
        readiness.wait(door, old, "as-before", AT_ONCE)

    def test_from_2_11_on_it_is_the_condition(self, empty, backup_volume):
        newer = opened(backup_volume, before=Ready())
        newer.apimanager["metadata"]["annotations"] = {installation.THREESCALE_VERSION: "2.11"}
        apimanager(empty, ready=["system-app"])

        with refused(errors.WaitedInVain, last="the condition Available is not True"):
            readiness.wait(empty.connect("threescale-restore"), newer, "as-before", AT_ONCE)


class TestUnderAnotherDomain:
    """Available waits for hosts that only 3scale can change."""

    @staticmethod
    def wait(stage, root, **facts):
        moved = replace(opened(root, **facts), move=Move("test", "example.com"))
        readiness.wait(stage.connect("threescale-restore"), moved, "as-before", AT_ONCE)

    def test_the_routes_of_the_old_one_are_not_waited_for(self, empty, backup_volume):
        apimanager(empty, conditions=[("Available", "no routes"), ("Preflights", "")], ready=BEFORE.deployments)

        self.wait(empty, backup_volume)

    def test_other_routes_and_the_deployments_are(self, empty, backup_volume):
        before = BEFORE.model_copy(update={"routes": ("a.test", "b.elsewhere")})
        apimanager(empty, conditions=[("Available", "no routes"), ("Preflights", "")], ready=["zync"])

        with refused(errors.WaitedInVain, last=Holding("system-app; Routes not admitted: b.elsewhere")):
            self.wait(empty, backup_volume, before=before)

    def test_where_nothing_is_known_of_before_the_deployments_are_waited_for(self, empty, backup_volume):
        apimanager(empty, conditions=[("Available", "no routes")], ready=["zync"], starting=["system-app"])

        with refused(errors.WaitedInVain, last="Deployments not ready: system-app"):
            self.wait(empty, backup_volume, before=Ready())

        apimanager(empty, conditions=[("Available", "no routes")], ready=["system-app", "zync"])
        self.wait(empty, backup_volume, before=Ready())


class TestReady:
    @staticmethod
    def ready(stage, planned_routes=0):
        door = stage.connect("threescale-backup")
        return readiness.ready(door, stage.get("apimanagers", NAME), planned_routes=planned_routes)

    def test_a_route_of_somebody_else_does_not_stand_in_for_one_of_3scale(self, empty):
        apimanager(empty)
        route(empty, "a.test")

        assert self.ready(empty).routes == ()
        with refused(errors.RoutesGone, planned=1, found=0):
            self.ready(empty, planned_routes=1)
