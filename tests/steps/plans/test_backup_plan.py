import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import errors
from steps.catalogue.backup_claims import WantedClaim
from steps.kubernetes.mounting import ANYWHERE, Placement
from steps.kubernetes.workflow import NOBODY, Workflow
from steps.parts import apimanager, configmaps, secrets
from steps.plans import backup_plan
from steps.plans.plan import Does
from steps.threescale import installation, references
from tests.builders.objects import delete, going, patch
from tests.builders.pods import pod
from tests.builders.refusals import refused

ME = Workflow("backup-1", "uid-1")
WANTED = WantedClaim("nightly", "10Gi", "", "")
NAME = "example-apimanager"


def spec(stage, **values):
    patch(stage, "apimanagers", NAME, {"spec": values})


def without_files(stage):
    """Take system-storage away, and the pods that hold it."""
    for name in stage.exists("pods"):
        delete(stage, "pods", name)
    stage.lose_claim("system-storage")


def of(stage, wanted=WANTED, workflow=ME):
    return backup_plan.of(stage.connect("threescale-backup"), wanted, workflow)


def lines(planned):
    return {line.what: line for line in planned.plan.lines}


def told(planned, does):
    return [line.what for line in planned.plan.lines if line.does is does]


def test_a_name_that_no_object_has_is_never_a_part_of_a_url(installed):
    spec(installed, imagePullSecrets=[{"name": "../configmaps/system"}, {"name": "."}])
    installed.kubernetes.clear_requests()

    planned = of(installed)

    assert [type(each) for each in planned.plan.objections] == [errors.ReferencesMissing]
    assert {request.name for request in installed.kubernetes.requests if request.resource == "secrets"} >= {"zync"}
    assert not [request for request in installed.kubernetes.requests if "." in request.name]


class TestPrepare:
    @staticmethod
    def check(stage, wanted=WANTED):
        planned = of(stage, wanted)
        planned.plan.refuse()
        return planned

    def test_an_installation_as_it_should_be_passes_without_a_write(self, installed):
        installed.kubernetes.clear_requests()

        planned = self.check(installed)

        assert planned.apimanager["metadata"]["name"] == NAME
        assert planned.placement == ANYWHERE
        assert installed.kubernetes.writes() == []

    def test_zync_disabled_without_its_secret_passes(self, installed):
        spec(installed, zync={"enabled": False})
        delete(installed, "secrets", "zync")

        self.check(installed)

    def test_an_external_zync_database_needs_no_password(self, installed):
        spec(installed, externalComponents={"zync": {"database": True}})
        patch(installed, "secrets", "zync", {"data": {"ZYNC_DATABASE_PASSWORD": None}})

        self.check(installed)

    def test_high_availability_counts_as_external(self, installed):
        spec(installed, externalComponents=None, highAvailability={"enabled": True})

        self.check(installed)

    def test_the_claim_of_this_workflow_may_be_there(self, installed):
        backup_plan.prepare(installed.connect(), self.check(installed), WANTED, ME)
        before = installed.get("persistentvolumeclaims", "nightly")

        again = self.check(installed)
        backup_plan.prepare(installed.connect(), again, WANTED, ME)

        assert again.claim_is_made
        assert installed.get("persistentvolumeclaims", "nightly") == before

    REFUSALS = (
        ("no DNS label", lambda _: None, WANTED._replace(name="a.b"), errors.BadName),
        ("no APIManager", lambda s: delete(s, "apimanagers", NAME), WANTED, errors.NoApiManager),
        (
            "several APIManagers",
            lambda s: s.kubernetes.apply(
                {
                    "apiVersion": "apps.3scale.net/v1alpha1",
                    "kind": "APIManager",
                    "metadata": {"name": "second", "namespace": s.namespace},
                    "spec": {},
                }
            ),
            WANTED,
            errors.SeveralApiManagers,
        ),
        (
            "an internal database",
            lambda s: spec(s, externalComponents={"system": {"redis": None}}),
            WANTED,
            errors.DatabasesNotExternal,
        ),
        (
            "no external database",
            lambda s: spec(s, externalComponents=None, highAvailability={"enabled": False}),
            WANTED,
            errors.DatabasesNotExternal,
        ),
        (
            "file storage in S3",
            lambda s: spec(s, system={"fileStorage": {"simpleStorageService": {"a": 1}}}),
            WANTED,
            errors.FileStorageInS3,
        ),
        ("a missing Secret", lambda s: delete(s, "secrets", "system-smtp"), WANTED, errors.ObjectsMissing),
        (
            "an empty key",
            lambda s: patch(s, "secrets", "system-database", {"data": {"URL": ""}}),
            WANTED,
            errors.KeysMissing,
        ),
        (
            "a missing ConfigMap",
            lambda s: delete(s, "configmaps", "system-environment"),
            WANTED,
            errors.ObjectsMissing,
        ),
        (
            "a reference to nothing",
            lambda s: delete(s, "secrets", "my-registry"),
            WANTED,
            errors.ReferencesMissing,
        ),
        (
            "a reference that the Role does not name",
            lambda s: spec(s, imagePullSecrets=[{"name": "mine"}]),
            WANTED,
            errors.NamesNotAllowed,
        ),
        (
            "a reference to a name that no object has",
            lambda s: spec(s, imagePullSecrets=[{"name": "../configmaps/system"}, {"name": "a" * 254}]),
            WANTED,
            (errors.NamesTooLong, errors.ReferencesMissing),
        ),
        (
            "a name that is too long for a file",
            lambda s: spec(s, imagePullSecrets=[{"name": "a" * 251}]),
            WANTED,
            errors.NamesTooLong,
        ),
        ("a taken name", lambda _: None, WANTED._replace(name="system-storage"), errors.ClaimTaken),
        (
            "a system-storage that goes",
            lambda s: going(s, "persistentvolumeclaims", "system-storage"),
            WANTED,
            errors.ClaimGoingAway,
        ),
    )

    @pytest.mark.parametrize(
        ("break_it", "wanted", "kind"),
        [refusal[1:] for refusal in REFUSALS],
        ids=[refusal[0] for refusal in REFUSALS],
    )
    def test_what_speaks_against_a_backup_is_refused_without_a_write(self, installed, break_it, wanted, kind):
        break_it(installed)
        installed.kubernetes.clear_requests()

        with pytest.raises(kind) as error:
            self.check(installed, wanted)

        assert error.value.exit_code == 1
        assert installed.kubernetes.writes() == []

    def test_a_missing_system_storage_is_refused(self, installed):
        without_files(installed)

        with refused(errors.ClaimMissing, name="system-storage"):
            self.check(installed)


class TestPlan:
    def test_it_names_every_object_the_claim_the_tree_and_the_routes(self, installed):
        planned = of(installed)
        found = lines(planned)

        named = [f"Secret {each.name}" for each in references.of(planned.apimanager)]
        own = [f"Secret {name}" for name in installation.SECRETS]
        kept = [f"ConfigMap {name}" for name in (*installation.CONFIGMAPS, *installation.EDITED_CONFIGMAPS)]
        files = ["APIManager example-apimanager", "System FileStorage"]
        assert told(planned, Does.SAVE) == [*own, *sorted(set(named)), *kept, *files]
        assert all(
            line.how.endswith(" bytes") for what, line in found.items() if what.startswith(("Sec", "Con", "API"))
        )
        assert told(planned, Does.CREATE) == ["PersistentVolumeClaim nightly"]
        assert found["PersistentVolumeClaim nightly"].how == "10Gi, ReadWriteOnce, of the default class"
        assert found["System FileStorage"].how == "claim system-storage, 256Mi, ReadWriteMany, of class standard"
        assert len(told(planned, Does.RECORD)) == 6
        assert planned.plan.objections == []

    def test_what_may_be_absent_and_is_has_its_line(self, installed):
        spec(installed, zync={"enabled": False})
        delete(installed, "secrets", "zync")
        delete(installed, "configmaps", "system")

        assert told(of(installed), Does.ABSENT) == ["Secret zync", "ConfigMap system"]

    @pytest.mark.parametrize("workflow", [ME, NOBODY], ids=["workflow", "nobody"])
    def test_files_that_one_node_only_can_mount_are_copied_there(self, installed, workflow):
        without_files(installed)
        installed.claim()
        pod(installed, "system-app-1", "node-b")

        planned = of(installed, workflow=workflow)

        assert planned.placement == Placement("In", "node-b")
        assert lines(planned)["System FileStorage"].how.endswith(" ReadWriteOnce, of class standard, on node node-b")

    def test_a_claim_that_is_named_after_the_workflow_is_called_so(self, installed):
        planned = of(installed, WANTED._replace(name=""))

        assert told(planned, Does.CREATE) == ["PersistentVolumeClaim (named after the workflow)"]
        assert planned.plan.objections == []

    def test_without_a_workflow_no_claim_is_its_own(self, installed):
        planned = of(installed, WANTED._replace(name="system-storage"), NOBODY)

        assert [type(each) for each in planned.plan.objections] == [errors.ClaimTaken]

    def test_it_holds_no_value_of_a_secret(self, installed):
        plan = of(installed).plan
        said = "\n".join(plan.text()) + json.dumps(plan.as_json())

        values = [
            value for obj in installed.kubernetes.list("secrets", installed.namespace) for value in obj["data"].values()
        ]
        assert [value for value in values if len(value) > 6 and value in said] == []

    def test_all_that_speaks_against_it_is_said_together(self, installed):
        delete(installed, "secrets", "my-policy")
        delete(installed, "secrets", "system-smtp")
        delete(installed, "configmaps", "system-environment")
        patch(installed, "secrets", "system-app", {"data": {"SECRET_KEY_BASE": ""}})
        patch(installed, "secrets", "zync", {"data": {"SECRET_KEY_BASE": ""}})
        spec(installed, externalComponents=None, imagePullSecrets=[{"name": "mine"}, {"name": "his"}])
        going(installed, "persistentvolumeclaims", "system-storage")

        planned = of(installed)

        assert [type(each) for each in planned.plan.objections] == [
            errors.ObjectsMissing,
            errors.KeysMissing,
            errors.KeysMissing,
            errors.NamesNotAllowed,
            errors.ReferencesMissing,
            errors.ObjectsMissing,
            errors.DatabasesNotExternal,
            errors.ClaimGoingAway,
        ]
        rule = '{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["his", "mine"], "verbs": ["get"]}'
        said = str(planned.plan.objections[3])
        assert "Add the names to access.secrets of threescale-backup.yaml and apply it again." in said
        assert f"Or add the rule {rule} to the Role." in said
        assert set(told(planned, Does.REFUSED)) == {
            *(f"Secret {name}" for name in ("his", "mine", "my-policy", "system-app", "system-smtp", "zync")),
            "ConfigMap system-environment",
            "the databases",
            "System FileStorage",
        }
        assert not set(told(planned, Does.SAVE)) & set(told(planned, Does.REFUSED))

    def test_without_an_apimanager_nothing_is_known_of_the_objects(self, installed):
        delete(installed, "apimanagers", NAME)

        planned = of(installed)

        assert told(planned, Does.CREATE) == ["PersistentVolumeClaim nightly"]
        assert told(planned, Does.REFUSED) == ["APIManager"]

    def test_where_kubernetes_does_not_answer_nothing_more_is_asked(self, installed):
        door = installed.connect("threescale-backup")
        installed.kubernetes.refuse_next("get", "persistentvolumeclaims", status=503)
        installed.kubernetes.clear_requests()

        with pytest.raises(errors.NoAnswer):
            backup_plan.of(door, WANTED, ME)

        assert len(installed.kubernetes.requests) == 1


class TestWhichAreChecked:
    @pytest.mark.parametrize(
        ("kind", "resource", "names"),
        [("Secret", "secrets", installation.SECRETS), ("ConfigMap", "configmaps", installation.CONFIGMAPS)],
    )
    def test_each_one_that_is_missing_is_named(self, installed, kind, resource, names):
        for name in names:
            delete(installed, resource, name)

        (objection,) = of(installed).plan.objections

        assert (type(objection), objection.facts["kind"]) == (errors.ObjectsMissing, kind)
        assert f"{kind} {', '.join(names[:10])}" in str(objection)

    def test_other_keys_may_be_empty(self, installed):
        for name, keys in (("system-smtp", ["address", "password"]), ("system-redis", ["SENTINEL_HOSTS"])):
            patch(installed, "secrets", name, {"data": dict.fromkeys(keys, "")})

        assert of(installed).plan.objections == []


MAY_GO = (("configmaps", "system"), ("configmaps", "backend-environment"), ("secrets", "zync"), ("secrets", "my-tls"))
NAMED = ("my-tls", "my-policy", "extra", "nowhere")


class TestWhatAPlanSaysIsWhatHappens:
    @pytest.mark.lesson(1)
    def test_for_random_states_of_the_installation(self, installed, tmp_path):
        door = installed.connect()
        before = {place: installed.get(*place) for place in MAY_GO}
        extra = {"metadata": {"name": "extra", "namespace": installed.namespace}, "data": {"a": "eA=="}}
        installed.kubernetes.apply({"apiVersion": "v1", "kind": "Secret", **extra})

        @given(
            st.sets(st.sampled_from(MAY_GO)), st.lists(st.sampled_from(NAMED), max_size=3), st.booleans(), st.booleans()
        )
        @settings(max_examples=10, deadline=None)
        def check(gone, pull_secrets, without_zync, without_databases):
            for resource, name in MAY_GO:
                installed.kubernetes.apply(before[(resource, name)])
                if (resource, name) in gone:
                    delete(installed, resource, name)
            spec(
                installed,
                imagePullSecrets=[{"name": name} for name in pull_secrets],
                zync={"enabled": not without_zync},
                highAvailability={"enabled": not without_databases},
                externalComponents=None,
            )
            installed.kubernetes.clear_requests()
            planned = backup_plan.of(door, WANTED, ME)

            sentence, saved = "", {}
            try:
                backup_plan.prepare(door, planned, WANTED, ME)
                saved = save(door, planned.apimanager, tmp_path)
            except errors.PhaseError as error:
                sentence = str(error)

            created = [each.name for each in installed.kubernetes.writes()]
            if planned.plan.objections:
                assert sentence == str(planned.plan.objections[0])
                assert created == []
            else:
                installed.lose_claim("nightly")
                said = Counter((line.what, line.how) for line in planned.plan.lines if line.does is Does.SAVE)
                files = ("System FileStorage", lines(planned)["System FileStorage"].how)
                assert sentence == ""
                assert said - Counter([files]) == Counter(saved.items())
                assert created == ["nightly"]
            refused = not without_zync and ("secrets", "zync") in gone
            lost = "nowhere" in pull_secrets or ("secrets", "my-tls") in gone
            assert bool(planned.plan.objections) == (refused or lost or without_databases)

        check()


def save(door, found, root):
    """Save all objects as the phases do; their sizes as a plan says them, by their names."""
    named = references.of(found)
    reports = [
        secrets.save(door, root, optional=apimanager.optional_secrets(found), named=named),
        configmaps.save(door, root, named),
        apimanager.save(door, root, NAME),
    ]
    paths = {path: digest for report in reports for path, digest in report.objects.items()}
    objects = {path: json.loads((root / path).read_bytes()) for path in paths}
    return {f"{obj['kind']} {obj['metadata']['name']}": f"{paths[path].size} bytes" for path, obj in objects.items()}


def test_a_controller_that_writes_an_object_too_is_in_the_plan(installed):
    owner = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "smtp", "uid": "u"}
    patch(installed, "secrets", "system-smtp", {"metadata": {"ownerReferences": [owner]}})
    annotations = {"meta.helm.sh/release-name": "infra"}
    patch(installed, "apimanagers", NAME, {"metadata": {"annotations": annotations}})

    planned = of(installed)

    assert told(planned, Does.WARNING) == ["Secret system-smtp", f"APIManager {NAME}"]
