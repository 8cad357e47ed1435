import base64
import hashlib
import json

import pytest

from steps import errors
from steps.archive import contents, layout, seal
from steps.archive.manifest import Digest
from steps.contract.restore_contract import RestoreWishes
from steps.kubernetes.kinds import SECRET
from steps.parts import configmaps, secrets
from steps.parts.conflicts import ObjectState, Target
from steps.parts.secrets import Databases
from steps.plans import restore_plan
from steps.plans.plan import Does
from steps.threescale import installation, references
from tests.builders.installations import NINE, THIRTEEN, USERS
from tests.builders.refusals import Holding, refused
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS

NAMED = ["my-env", "my-policy", "my-registry", "my-telemetry", "my-tls", "my-tracing"]  # by the sample's APIManager


def values(stage, names):
    return {name: stage.get("secrets", name)["data"] for name in names}


def test_what_was_saved_and_lost_is_restored_as_it_was(installed, backup_volume):
    before = values(installed, [*NINE, *NAMED])
    installed.lose()
    opened = contents.open_at(backup_volume)

    standings = secrets.restore(Target(installed.connect(), set(), opened.mark), opened, last_try=False)

    assert [each.state for each in standings] == [ObjectState.ABSENT] * 15
    assert values(installed, [*NINE, *NAMED]) == before


def test_thirteen_are_saved(installed, tmp_path):
    report = secrets.save(installed.connect(), tmp_path, optional=())

    assert sorted(path.stem for path in (tmp_path / layout.SECRETS).iterdir()) == THIRTEEN
    assert sorted(report.objects) == [f"secrets/{name}.json" for name in THIRTEEN]


def test_what_the_apimanager_names_is_saved_beside_them(installed, tmp_path):
    named = references.of(installed.kubernetes.list("apimanagers", installed.namespace)[0])

    report = secrets.save(installed.connect("threescale-backup"), tmp_path, optional=(), named=named)

    assert sorted(path.stem for path in (tmp_path / layout.REFERENCED_SECRETS).iterdir()) == NAMED
    assert {f"referenced/secrets/{name}.json" for name in NAMED} < set(report.objects)
    assert json.loads((tmp_path / "referenced/secrets/my-tls.json").read_bytes())["type"] == "kubernetes.io/tls"


def test_each_secret_is_read_once_though_what_the_apimanager_names_is_looked_for_first(installed, tmp_path):
    named = references.of(installed.kubernetes.list("apimanagers", installed.namespace)[0])
    door = installed.connect("threescale-backup")
    installed.kubernetes.clear_requests()
    secrets.save(door, tmp_path, optional=(), named=named)

    read = [request.name for request in installed.kubernetes.requests if request.verb == "get"]
    assert sorted(read) == sorted([*THIRTEEN, *NAMED])


def test_a_reference_to_what_is_not_there_is_refused_with_its_path_before_anything_is_saved(installed, tmp_path):
    named = references.of(installed.kubernetes.list("apimanagers", installed.namespace)[0])
    for name in ("my-registry", "my-policy"):
        installed.kubernetes.delete("secrets", installed.namespace, name)

    with pytest.raises(errors.ReferencesMissing) as error:
        secrets.save(installed.connect("threescale-backup"), tmp_path, optional=(), named=named)

    assert str(error.value) == (
        "The APIManager refers to objects that are missing in namespace threescale: "
        "Secret my-policy (spec.apicast.productionSpec.customPolicies[0].secretRef.name), "
        "Secret my-policy (spec.apicast.stagingSpec.customPolicies[0].secretRef.name), "
        "Secret my-registry (spec.imagePullSecrets[0].name). Create the objects, or remove the references."
    )
    assert not list(tmp_path.rglob("*.json"))


def test_nine_are_restored_and_the_databases_secrets_are_the_user_s(lost, backup_volume):
    opened = contents.open_at(backup_volume)

    secrets.restore(Target(lost.connect("threescale-restore"), set(), opened.mark), opened, last_try=False)

    assert [name for name in THIRTEEN if name in lost.exists("secrets")] == sorted([*NINE, *USERS])
    created = lost.get("secrets", "zync")["metadata"]["annotations"]
    assert created == opened.mark.annotations()


def test_zync_may_be_absent_from_a_backup(backup_volume):
    manifest = contents.open_at(backup_volume).manifest
    rest = {path: digest for path, digest in manifest.objects.items() if path != "secrets/zync.json"}
    without = manifest.model_copy(update={"objects": rest})
    (backup_volume / layout.MANIFEST).write_bytes(layout.as_json(without.model_dump(mode="json")))
    (backup_volume / "secrets/zync.json").unlink()

    names = [obj["metadata"]["name"] for obj in secrets.to_restore(contents.open_at(backup_volume))]

    assert names == [*(name for name in NINE if name != "zync"), *NAMED]


def listed_too(root, path, obj):
    """Put an object into a backup, and into its manifest, as somebody can who may write the volume."""
    (root / path).write_bytes(data := layout.as_json(obj))
    manifest = contents.open_at(root).manifest
    digest = Digest(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    more = manifest.model_copy(update={"objects": {**manifest.objects, path: digest}})
    (root / layout.MANIFEST).write_bytes(layout.as_json(more.model_dump(mode="json")))
    (root / layout.SUMS).write_bytes(seal.sums(more))


STRANGER = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "stranger"}, "data": {"KEY": "dg=="}}


def test_what_no_field_of_the_apimanager_names_is_not_restored(backup_volume):
    listed_too(backup_volume, "referenced/secrets/stranger.json", STRANGER)
    other = {**STRANGER, "kind": "ConfigMap"}
    listed_too(backup_volume, "referenced/configmaps/stranger.json", other)
    opened = contents.open_at(backup_volume)

    restored = [obj["metadata"]["name"] for obj in (*secrets.to_restore(opened), *configmaps.to_restore(opened))]

    assert "stranger" not in restored
    assert {*NAMED, *installation.EDITED_CONFIGMAPS} <= set(restored)


@pytest.mark.parametrize("kind", ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"])
def test_a_secret_that_lets_somebody_sign_in_is_refused_by_name(lost, backup_volume, kind):
    saved = json.loads((backup_volume / "referenced/secrets/my-tls.json").read_bytes())
    listed_too(backup_volume, "referenced/secrets/my-tls.json", {**saved, "type": kind})
    opened = contents.open_at(backup_volume)
    door = lost.connect()
    planned = restore_plan.of(door, opened, RestoreWishes(), last_try=True).plan
    before = lost.exists("secrets")

    with refused(errors.TypesRefused, secrets=Holding("Secret my-tls")):
        planned.refuse()
    with refused(errors.TypesRefused, secrets=Holding("Secret my-tls")):
        secrets.restore(Target(door, set(), opened.mark), opened, last_try=True)

    (line,) = [line for line in planned.lines if line.what == "Secret my-tls"]
    assert (line.does, kind in line.how) == (Does.REFUSED, True)
    assert lost.exists("secrets") == before


REQUIRED = [(name, key) for name, keys in installation.REQUIRED_KEYS.items() for key in keys]


@pytest.mark.parametrize(("name", "key"), REQUIRED)
@pytest.mark.parametrize("value", ["", None])
def test_a_required_key_that_is_missing_or_empty_is_refused_by_name(name, key, value):
    data = dict.fromkeys(installation.REQUIRED_KEYS[name], "dg==") | {key: value}
    obj = {"metadata": {"name": name}, "data": {key: value for key, value in data.items() if value is not None}}

    with refused(errors.KeysMissing, kind="Secret", name=name, keys=[key]):
        secrets.check_keys(obj, "here")


def test_the_values_that_are_drawn_once_are_required():
    assert sorted(REQUIRED) == [
        ("backend-internal-api", "password"),
        ("backend-redis", "REDIS_QUEUES_URL"),
        ("backend-redis", "REDIS_STORAGE_URL"),
        ("system-app", "SECRET_KEY_BASE"),
        ("system-database", "URL"),
        ("system-events-hook", "PASSWORD"),
        ("system-master-apicast", "ACCESS_TOKEN"),
        ("system-redis", "URL"),
        ("system-seed", "ADMIN_ACCESS_TOKEN"),
        ("system-seed", "ADMIN_PASSWORD"),
        ("system-seed", "MASTER_ACCESS_TOKEN"),
        ("system-seed", "MASTER_PASSWORD"),
        ("zync", "DATABASE_URL"),
        ("zync", "SECRET_KEY_BASE"),
        ("zync", "ZYNC_AUTHENTICATION_TOKEN"),
        ("zync", "ZYNC_DATABASE_PASSWORD"),
    ]


def test_a_saved_secret_is_raw_and_bare(installed, tmp_path):
    secrets.save(installed.connect(), tmp_path, optional=())

    saved = json.loads((tmp_path / "secrets/system-seed.json").read_bytes())
    found = installed.connect().get(SECRET, "system-seed")
    assert saved["data"] == found["data"]
    assert set(saved["metadata"]) <= {"name", "labels", "annotations"}


class TestDatabases:
    """Where the three Secrets with the databases' addresses come from."""

    @staticmethod
    def overrides(stage, **values):
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        metadata = {"name": "mine", "namespace": stage.namespace}
        stage.kubernetes.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded})

    def test_they_are_the_user_s_unless_told_otherwise(self, lost, backup_volume):
        assert Databases().to_restore(lost.connect(), contents.open_at(backup_volume)) == []

    def test_they_come_from_the_backup_as_they_were(self, lost, backup_volume):
        opened = contents.open_at(backup_volume)

        found = Databases(restored=True).to_restore(lost.connect("threescale-restore"), opened)

        assert found == opened.objects(layout.SECRETS, USERS)
        assert [obj["metadata"]["name"] for obj in found] == USERS

    def test_single_keys_are_replaced_and_the_others_stay(self, lost, backup_volume):
        self.overrides(lost, **{"system-database.URL": "mysql2://new", "system-redis.SENTINEL_HOSTS": ""})
        opened = contents.open_at(backup_volume)
        before = {obj["metadata"]["name"]: obj["data"] for obj in opened.objects(layout.SECRETS, USERS)}

        found = Databases(restored=True, overrides="mine").to_restore(lost.connect(), opened)

        after = {obj["metadata"]["name"]: obj["data"] for obj in found}
        assert after["backend-redis"] == before["backend-redis"]
        assert after["system-database"] == before["system-database"] | {
            "URL": base64.b64encode(b"mysql2://new").decode()
        }
        assert after["system-redis"] == before["system-redis"] | {"SENTINEL_HOSTS": ""}

    @pytest.mark.parametrize("key", ["URL", "system-databse.URL", "system-database.", "zync.DATABASE_URL"])
    def test_a_key_that_replaces_nothing_is_refused(self, lost, backup_volume, key):
        self.overrides(lost, **{key: "some"})

        with refused(errors.BadOverride, key=key):
            Databases(restored=True, overrides="mine").to_restore(lost.connect(), contents.open_at(backup_volume))

    def test_an_address_that_is_emptied_is_refused(self, lost, backup_volume):
        self.overrides(lost, **{"system-redis.URL": ""})

        with refused(errors.KeysMissing, kind="Secret", name="system-redis", keys=["URL"]):
            Databases(restored=True, overrides="mine").to_restore(lost.connect(), contents.open_at(backup_volume))

    def test_a_secret_that_is_not_there_is_refused(self, lost, backup_volume):
        with refused(errors.ObjectsMissing, kind="Secret", names=["mine"]):
            Databases(restored=True, overrides="mine").to_restore(lost.connect(), contents.open_at(backup_volume))

    def test_a_role_that_does_not_name_it_ends_with_the_rule_to_add(self, lost, backup_volume):
        door = lost.connect("threescale-restore")

        with refused(errors.NamesNotAllowed, names=["mine"]):
            Databases(restored=True, overrides="mine").to_restore(door, contents.open_at(backup_volume))


@pytest.fixture
def installed_before(backup_volume):
    """What the three held."""
    saved = contents.open_at(backup_volume).objects(layout.SECRETS, USERS)
    return {obj["metadata"]["name"]: obj["data"] for obj in saved}


@pytest.fixture
def without_databases(lost):
    """A lost installation whose administrator has put nothing back, and may read a Secret called mine."""
    for manifest in render(SETTINGS.model_copy(update={"secrets": (*SETTINGS.secrets, "mine")})):
        lost.engine.apply(manifest)
    for name in USERS:
        lost.kubernetes.delete("secrets", lost.namespace, name)
    return lost


@pytest.mark.thorough
def test_a_restore_that_expects_them_is_refused_without(without_databases):
    restored = without_databases.restore("nightly")

    assert restored.phase == "Failed"
    assert "Secret backend-redis, system-database, system-redis." in restored.node("check").attempts[-1].message


@pytest.mark.thorough
def test_a_restore_that_was_told_so_brings_them_with_other_addresses(without_databases, installed_before):
    TestDatabases.overrides(without_databases, **{"system-database.URL": "mysql2://new"})

    arguments = {"claim-name": "nightly", "database-secrets": "restore", "database-overrides": "mine"}
    restored = without_databases.engine.submit("threescale-restore", arguments, entrypoint="secrets")

    assert restored.phase == "Succeeded", restored.message
    after = values(without_databases, USERS)
    assert after == installed_before | {
        "system-database": installed_before["system-database"] | {"URL": base64.b64encode(b"mysql2://new").decode()}
    }
    assert restored.nodes[0].outputs["created"] == "18"


@pytest.mark.thorough
def test_overrides_without_a_restore_of_them_are_refused(without_databases):
    restored = without_databases.restore("nightly", database_overrides="mine")

    assert restored.phase == "Failed"
    assert "Add -p database-secrets=restore" in restored.node("check").attempts[-1].message
