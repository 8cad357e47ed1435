import pytest

from steps import errors
from steps.archive import contents, marks
from steps.kubernetes.workflow import Workflow
from steps.plans import prerequisites
from steps.threescale import installation
from tests.builders.objects import delete, going, patch, put_apimanager
from tests.builders.refusals import Holding, refused


class TestCheckRestore:
    @staticmethod
    def check(stage, claim="nightly", *, last_try=False):
        door = stage.connect("threescale-restore")
        prerequisites.check_restore(door, claim, Workflow("restore-1", "uid-2"), 0.0, last_try=last_try)

    def test_a_lost_installation_passes_without_a_write(self, lost):
        lost.kubernetes.clear_requests()

        self.check(lost)

        assert lost.kubernetes.writes() == []

    def test_on_a_cluster_without_deploymentconfigs_too(self, lost):
        lost.kubernetes.without("apps.openshift.io")

        self.check(lost)

    def test_a_cluster_without_deployments_is_none(self, lost):
        lost.kubernetes.without("apps")

        with pytest.raises(errors.UnknownResource):
            self.check(lost)

    def test_a_mistyped_claim_is_refused_with_the_right_one(self, lost):
        with refused(errors.ClaimMissing, others=["nightly"]):
            self.check(lost, "nigthly")

    @pytest.mark.parametrize("annotations", [{}, marks.Mark("weekly", "another").annotations()])
    def test_an_apimanager_of_another_making_is_refused(self, lost, annotations):
        put_apimanager(lost, annotations)

        with refused(errors.ApiManagerPresent, name="second"):
            self.check(lost)

    def test_an_apimanager_with_this_backup_s_mark_passes(self, lost, sealed):
        digest = sealed.claim["metadata"]["annotations"][marks.MANIFEST_DIGEST]
        put_apimanager(lost, marks.Mark("nightly", digest).annotations())

        self.check(lost)

    @pytest.mark.parametrize(
        ("api", "kind"), [("v1", "Pod"), ("apps/v1", "Deployment"), ("apps.openshift.io/v1", "DeploymentConfig")]
    )
    def test_a_part_of_an_installation_is_waited_for_and_then_refused(self, lost, api, kind):
        left(lost, api, kind)

        with refused(errors.InstallationGoing, what=Holding(f"{kind} system-app")):
            self.check(lost)
        with refused(errors.InstallationLeft, what=Holding(f"{kind} system-app")):
            self.check(lost, last_try=True)

    def test_a_pod_that_has_ended_is_no_part_of_an_installation(self, lost):
        for phase in ("Succeeded", "Failed"):
            left(lost, "v1", "Pod", phase)

            self.check(lost)

    def test_a_missing_database_secret_is_refused(self, lost):
        for count, name in enumerate(installation.DATABASE_SECRETS, 1):
            delete(lost, "secrets", name)

            with pytest.raises(errors.ObjectsMissing) as error:
                self.check(lost)

            missing = ", ".join(installation.DATABASE_SECRETS[:count])
            assert f"missing in namespace threescale: Secret {missing}." in str(error.value)

    def test_a_database_secret_without_an_address_is_refused(self, lost):
        patch(lost, "secrets", "backend-redis", {"data": {"REDIS_QUEUES_URL": None}})

        with refused(errors.KeysMissing, kind="Secret", name="backend-redis", keys=["REDIS_QUEUES_URL"]):
            self.check(lost)

    def test_a_database_secret_that_is_about_to_vanish_is_waited_for_and_then_refused(self, lost):
        going(lost, "secrets", "system-redis")

        with refused(errors.ObjectsGoing, names=["Secret system-redis is being deleted"]):
            self.check(lost)
        with refused(errors.ObjectsGoingStill, names=["Secret system-redis is being deleted"]):
            self.check(lost, last_try=True)


def left(stage, api, kind, phase="Running"):
    stage.kubernetes.apply(
        {
            "apiVersion": api,
            "kind": kind,
            "metadata": {
                "name": "system-app",
                "namespace": stage.namespace,
                "labels": {"deployment": "system-app"},
            },
            "spec": {},
            "status": {"phase": phase},
        }
    )


class TestVersion:
    @staticmethod
    def check(stage, root, asked=""):
        opened = contents.open_at(root)
        prerequisites.check_version(stage.connect("threescale-restore"), opened, asked)

    @staticmethod
    def operator(stage, name="threescale-operator-controller-manager-v2", version=None):
        labels = {"rht.comp_ver": version} if version else None
        stage.kubernetes.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": stage.namespace},
                "spec": {"template": {"metadata": {"labels": labels}}},
            }
        )

    @pytest.fixture
    def unversioned(self, backup_volume, monkeypatch):
        """A backup whose APIManager does not tell its version."""
        monkeypatch.setattr(installation, "THREESCALE_VERSION", "no/such-annotation")
        return backup_volume

    @pytest.mark.parametrize("name", installation.OPERATOR_DEPLOYMENTS)
    def test_the_same_minor_passes(self, empty, backup_volume, name):
        for version in ("2.16", "2.16.3"):
            self.operator(empty, name, version)

            self.check(empty, backup_volume)

    def test_another_minor_is_refused(self, empty, backup_volume):
        for version in ("2.15", "2.17.0", "3.16", "2.1"):
            self.operator(empty, version=version)

            with refused(errors.VersionDiffers, backup="2.16", other=version):
                self.check(empty, backup_volume, "2.16")

    @pytest.mark.parametrize("present", [False, True])
    def test_an_operator_that_can_not_be_asked_needs_a_word_of_the_user(self, empty, backup_volume, present):
        if present:
            self.operator(empty)

        with refused(errors.VersionUnknown, backup="2.16"):
            self.check(empty, backup_volume)

        self.check(empty, backup_volume, "2.16")

    def test_a_word_of_the_user_that_differs_is_refused(self, empty, backup_volume):
        with refused(errors.VersionDiffers, other="2.15", where="threescale-version"):
            self.check(empty, backup_volume, "2.15")

    def test_a_backup_that_does_not_tell_needs_a_word_of_the_user(self, empty, unversioned):
        self.operator(empty, version="2.16")

        with pytest.raises(errors.BackupVersionUnknown):
            self.check(empty, unversioned)

        self.check(empty, unversioned, "2.16")

    def test_a_word_of_the_user_against_the_operator_is_refused(self, empty, unversioned):
        self.operator(empty, version="2.16")

        with refused(errors.VersionDiffers, backup="2.15", other="2.16", where="the operator in the namespace"):
            self.check(empty, unversioned, "2.15")


def test_an_apimanager_that_is_being_deleted_does_not_count_as_alive(empty):
    put_apimanager(empty, finalizers=["example/wait"])
    assert len(prerequisites.living(empty.connect())) == 1

    delete(empty, "apimanagers", "second")

    assert prerequisites.living(empty.connect()) == set()
