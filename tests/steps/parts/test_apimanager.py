import json
import logging

import pytest

from steps import errors
from steps.archive import contents, layout
from steps.archive.manifest import Ready
from steps.archive.marks import Mark
from steps.kubernetes import fields
from steps.kubernetes.kinds import APIMANAGER
from steps.parts import apimanager, readiness
from tests.builders.refusals import refused

NAME = "example-apimanager"


def put(stage, name="example", spec=None, **metadata):
    return stage.kubernetes.apply(
        {
            "apiVersion": APIMANAGER.api_version,
            "kind": "APIManager",
            "metadata": {"name": name, "namespace": stage.namespace, **metadata},
            "spec": spec or {},
        }
    )


def lose_a_route(stage):
    stage.kubernetes.delete("routes", stage.namespace, stage.exists("routes")[0])


def of(spec):
    return {"metadata": {"name": "example"}, "spec": spec}


def test_what_was_saved_and_lost_is_restored_as_it_was(installed, backup_volume):
    before = installed.get("apimanagers", NAME)
    installed.lose()
    opened = contents.open_at(backup_volume)

    assert apimanager.restore(installed.connect("threescale-restore"), opened)

    after = installed.get("apimanagers", NAME)
    assert after["spec"] == before["spec"]
    kept = {name: value for name, value in before["metadata"]["annotations"].items() if "last-applied" not in name}
    assert after["metadata"]["annotations"] == kept | opened.mark.annotations()
    assert not [name for name in after["metadata"].get("labels", {}) if name.startswith("secret.apimanager")]


class TestFind:
    def test_the_one_apimanager_is_found(self, empty):
        put(empty)

        assert apimanager.find(empty.connect("threescale-backup"))["metadata"]["name"] == "example"

    def test_none_is_refused(self, empty):
        with refused(errors.NoApiManager, namespace="threescale"):
            apimanager.find(empty.connect())

    def test_several_are_refused_by_name(self, empty):
        put(empty, "one")
        put(empty, "two")

        with refused(errors.SeveralApiManagers, names=["one", "two"]):
            apimanager.find(empty.connect())


ALL = ["system database", "system redis", "backend redis"]


class TestExternalDatabases:
    @pytest.mark.parametrize(
        ("spec", "internal"),
        [
            ({}, ALL),
            ({"highAvailability": {"enabled": True}}, []),
            ({"highAvailability": {"enabled": False}}, ALL),
            ({"highAvailability": {}}, ALL),
            ({"highAvailability": None}, ALL),
            ({"externalComponents": {"system": {"database": True, "redis": True}, "backend": {"redis": True}}}, []),
            ({"externalComponents": {}}, ALL),
            ({"externalComponents": {}, "highAvailability": {"enabled": True}}, ALL),
            (
                {"externalComponents": {"system": {"database": True}}, "highAvailability": {"enabled": True}},
                ["system redis", "backend redis"],
            ),
            ({"externalComponents": {"system": {"database": True, "redis": True}}}, ["backend redis"]),
            (
                {"externalComponents": {"system": {"database": False, "redis": True}, "backend": {"redis": True}}},
                ["system database"],
            ),
            ({"externalComponents": {"system": None, "backend": {"redis": True}}}, ["system database", "system redis"]),
            ({"externalComponents": None, "highAvailability": {"enabled": True}}, []),
            (
                {
                    "externalComponents": {
                        "system": {"database": True, "redis": True},
                        "backend": {"redis": True},
                        "zync": {"database": False},
                    }
                },
                [],
            ),
        ],
        ids=str,
    )
    def test_the_operator_s_own_rule_tells_which_are_internal(self, spec, internal):
        assert apimanager.internal_databases(spec) == internal

    def test_an_internal_database_is_refused_by_name(self):
        with refused(errors.DatabasesNotExternal, databases=["system database", "system redis", "backend redis"]):
            apimanager.check_databases(of({}))


def test_file_storage_in_s3_is_refused():
    s3 = {"system": {"fileStorage": {"simpleStorageService": {}}}}

    with refused(errors.FileStorageInS3, apimanager="example"):
        apimanager.check_files(of(s3), external=False)


@pytest.mark.parametrize(
    "system",
    [
        {},
        {"system": None},
        {"system": {"fileStorage": {}}},
        {"system": {"fileStorage": {"persistentVolumeClaim": {}}}},
        {"system": {"fileStorage": {"amazonSimpleStorageService": {}}}},  # the operator ignores it
    ],
    ids=str,
)
def test_file_storage_in_a_claim_passes(system):
    apimanager.check_files(of(system), external=False)


@pytest.mark.parametrize(
    ("spec", "optional"),
    [
        ({}, ()),
        ({"zync": {}}, ()),
        ({"zync": None}, ()),
        ({"zync": {"enabled": True}}, ()),
        ({"zync": {"enabled": False}}, ("zync",)),
    ],
)
def test_the_zync_secret_may_be_absent_where_zync_is_disabled(spec, optional):
    assert apimanager.optional_secrets(of(spec)) == optional


@pytest.mark.parametrize(
    ("spec", "unneeded"),
    [
        ({}, ()),
        ({"externalComponents": {"zync": {"database": True}}}, ("ZYNC_DATABASE_PASSWORD",)),
        ({"highAvailability": {"externalZyncDatabaseEnabled": True}}, ("ZYNC_DATABASE_PASSWORD",)),
        ({"externalComponents": {"zync": {"database": False}}}, ()),
    ],
)
def test_an_external_zync_database_needs_no_password_of_the_operator(spec, unneeded):
    assert apimanager.unneeded_keys(of(spec)) == unneeded


class TestSave:
    @pytest.mark.parametrize("is_external", [False, True])
    def test_files_that_moved_since_the_backup_began_are_told(self, installed, tmp_path, is_external):
        service = None if is_external else {"configurationSecretRef": {"name": "my-s3"}}
        spec = {"system": {"fileStorage": {"simpleStorageService": service}}}
        installed.kubernetes.patch("apimanagers", installed.namespace, NAME, {"spec": spec})

        with pytest.raises(errors.FileStorageInClaim if is_external else errors.FileStorageInS3):
            apimanager.save(installed.connect(), tmp_path, NAME, is_external=is_external)

        assert not list(tmp_path.rglob("apimanager-backup.json"))

    def test_the_report_tells_what_only_the_living_installation_knows(self, installed, tmp_path):
        found = installed.get("apimanagers", NAME)

        report = apimanager.save(installed.connect("threescale-backup"), tmp_path, NAME)

        source = report.source
        assert (source.namespace, source.apimanager) == ("threescale", NAME)
        assert source.apimanager_uid == found["metadata"]["uid"]
        assert (source.threescale_version, source.operator_version) == ("2.16.0", "0.13.0")
        assert source.wildcard_domain == "apps.example.test"
        assert source.system_storage.access_modes == ("ReadWriteMany",)
        assert source.system_storage.request == source.system_storage.capacity == "256Mi"
        assert "Available" in source.ready.conditions
        assert "system-sidekiq" in source.ready.deployments
        assert len(source.ready.routes) == 6
        assert list(report.objects) == [layout.APIMANAGER]

    def test_the_file_has_one_name_and_no_namespace(self, installed, tmp_path):
        apimanager.save(installed.connect(), tmp_path, NAME)

        saved = json.loads((tmp_path / "apimanager/apimanager-backup.json").read_bytes())
        assert saved["metadata"]["name"] == NAME
        assert "namespace" not in saved["metadata"]
        assert "status" not in saved

    def test_one_that_is_gone_is_told(self, empty, tmp_path):
        with pytest.raises(errors.NoApiManager):
            apimanager.save(empty.connect(), tmp_path, "example")

    def test_a_claim_of_files_that_is_gone_since_the_plan_is_told(self, installed, tmp_path):
        for name in installed.exists("pods"):
            installed.kubernetes.delete("pods", installed.namespace, name)
        installed.lose_claim("system-storage")

        with refused(errors.PlannedGone, kind="PersistentVolumeClaim", names=["system-storage"]):
            apimanager.save(installed.connect("threescale-backup"), tmp_path, NAME)

    @pytest.mark.parametrize(
        ("change", "found"), [(lambda stage: stage.kubernetes.without("route.openshift.io"), 0), (lose_a_route, 5)]
    )
    def test_routes_that_are_gone_since_the_plan_are_told(self, installed, tmp_path, change, found):
        change(installed)

        with refused(errors.RoutesGone, planned=6, found=found):
            apimanager.save(installed.connect("threescale-backup"), tmp_path, NAME, planned_routes=6)

    def test_routes_that_a_router_has_yet_to_admit_again_are_not_gone(self, installed, tmp_path):
        for name in installed.exists("routes"):
            installed.kubernetes.patch("routes", installed.namespace, name, {"status": {"ingress": None}})

        report = apimanager.save(installed.connect("threescale-backup"), tmp_path, NAME, planned_routes=6)

        assert report.source.ready.routes == ()

    def test_an_installation_without_routes_or_status_is_saved_too(self, empty, tmp_path):
        empty.kubernetes.without("route.openshift.io")
        empty.claim(storageClassName="unknown")
        put(empty)

        source = apimanager.save(empty.connect(), tmp_path, "example").source

        assert source.ready == Ready()
        assert source.system_storage.capacity == source.threescale_version == ""


def test_a_route_counts_when_every_router_has_admitted_it(installed):
    found = installed.get("apimanagers", NAME)
    door = installed.connect()
    ingress = installed.kubernetes.list("routes", installed.namespace)[0]["status"]["ingress"]
    refused = {"conditions": [{"type": "Admitted", "status": "False"}]}
    for name, value in (("one", [*ingress, refused]), ("two", []), ("three", [{"conditions": None}])):
        metadata = {"name": name, "namespace": installed.namespace}
        route = {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": metadata}
        installed.kubernetes.apply({**route, "spec": {"host": f"{name}.test"}, "status": {"ingress": value}})

    assert not {"one.test", "two.test", "three.test"} & set(readiness.ready(door, found).routes)
    assert len(readiness.ready(door, found).routes) == 6


class TestCheckSame:
    @staticmethod
    def claim(uid):
        return {"metadata": {"name": "nightly", "annotations": {"apiManagerName": "example", "apiManagerUID": uid}}}

    def test_the_same_passes(self, empty):
        uid = put(empty)["metadata"]["uid"]

        apimanager.check_same(empty.connect("threescale-backup"), self.claim(uid))

    def test_a_replaced_one_is_refused(self, empty):
        put(empty)

        with refused(errors.ApiManagerReplaced, expected_uid="old"):
            apimanager.check_same(empty.connect(), self.claim("old"))

    def test_one_that_is_gone_is_refused(self, empty):
        with pytest.raises(errors.NoApiManager):
            apimanager.check_same(empty.connect(), self.claim("old"))


class TestPresent:
    MARK = Mark("nightly", "abc")

    def test_none_is_none(self, empty):
        assert apimanager.present(empty.connect("threescale-restore"), self.MARK) is None

    def test_one_with_this_mark_is_it(self, empty):
        put(empty, annotations=self.MARK.annotations())

        assert apimanager.present(empty.connect(), self.MARK)["metadata"]["name"] == "example"

    @pytest.mark.parametrize("annotations", [{}, Mark("nightly", "other").annotations()])
    def test_another_is_refused(self, empty, annotations):
        put(empty, annotations=annotations)

        with refused(errors.ApiManagerPresent, name="example"):
            apimanager.present(empty.connect(), self.MARK)

    def test_two_are_refused_whatever_they_carry(self, empty):
        for name in ("one", "two"):
            put(empty, name, annotations=self.MARK.annotations())

        with pytest.raises(errors.ApiManagerPresent):
            apimanager.present(empty.connect(), self.MARK)


class TestRestore:
    def test_one_with_this_mark_stays_as_it_is(self, empty, backup_volume, caplog):
        caplog.set_level(logging.INFO)
        opened = contents.open_at(backup_volume)
        before = put(empty, NAME, annotations=opened.mark.annotations())

        assert not apimanager.restore(empty.connect(), opened)
        assert empty.get("apimanagers", NAME) == before
        assert f"APIManager {NAME}: unchanged" in caplog.text

    def test_another_one_is_not_touched(self, empty, backup_volume):
        put(empty)

        with pytest.raises(errors.ApiManagerPresent):
            apimanager.restore(empty.connect(), contents.open_at(backup_volume))

        assert empty.exists("apimanagers") == ["example"]

    def test_the_confirmed_requirements_of_the_old_cluster_are_left_out(self, empty, backup_volume):
        opened = contents.open_at(backup_volume)
        confirmed = "apps.3scale.net/apimanager-confirmed-requirements-version"
        opened.apimanager["metadata"]["annotations"][confirmed] = "4711"

        apimanager.restore(empty.connect(), opened)

        created = empty.get("apimanagers", NAME)
        assert fields.annotation(created, confirmed) == ""
        assert opened.mark.on(created)
