import json

import pytest

from steps import backup, errors, installation, references, secrets, volume
from steps.installation import SECRET

THIRTEEN = [
    "backend-internal-api",
    "backend-listener",
    "backend-redis",
    "system-app",
    "system-database",
    "system-events-hook",
    "system-master-apicast",
    "system-memcache",
    "system-recaptcha",
    "system-redis",
    "system-seed",
    "system-smtp",
    "zync",
]
USERS = ["backend-redis", "system-database", "system-redis"]
NAMED = ["my-env", "my-policy", "my-registry", "my-telemetry", "my-tls", "my-tracing"]  # by the sample's APIManager
NINE = [name for name in THIRTEEN if name not in {*USERS, "system-memcache"}]


def values(stage, names):
    return {name: stage.get("secrets", name)["data"] for name in names}


def test_what_was_saved_and_lost_is_restored_as_it_was(installed, backup_volume):
    before = values(installed, [*NINE, *NAMED])
    installed.lose()
    opened = backup.open_at(backup_volume)

    result = secrets.restore(installed.connect(), opened, set(), opened.mark, last_try=False)

    assert len(result.absent) == 15
    assert values(installed, [*NINE, *NAMED]) == before


def test_thirteen_are_saved(installed, tmp_path):
    report = secrets.save(installed.connect(), tmp_path, optional=())

    assert sorted(path.stem for path in (tmp_path / volume.SECRETS).iterdir()) == THIRTEEN
    assert sorted(report.objects) == [f"secrets/{name}.json" for name in THIRTEEN]


def test_what_the_apimanager_names_is_saved_beside_them(installed, tmp_path):
    named = references.of(installed.kubernetes.list("apimanagers", installed.namespace)[0])

    report = secrets.save(installed.connect("threescale-backup"), tmp_path, optional=(), named=named)

    assert sorted(path.stem for path in (tmp_path / volume.REFERENCED_SECRETS).iterdir()) == NAMED
    assert {f"referenced/secrets/{name}.json" for name in NAMED} < set(report.objects)
    assert json.loads((tmp_path / "referenced/secrets/my-tls.json").read_bytes())["type"] == "kubernetes.io/tls"


def test_a_reference_to_what_is_not_there_is_refused_with_its_path_before_anything_is_saved(installed, tmp_path):
    named = references.of(installed.kubernetes.list("apimanagers", installed.namespace)[0])
    for name in ("my-registry", "my-policy"):
        installed.kubernetes.delete("secrets", installed.namespace, name)

    with pytest.raises(errors.ReferencesMissing) as error:
        secrets.save(installed.connect("threescale-backup"), tmp_path, optional=(), named=named)

    assert str(error.value) == (
        "the APIManager names what is not in namespace threescale: "
        "Secret my-policy (spec.apicast.productionSpec.customPolicies[0].secretRef.name), "
        "Secret my-policy (spec.apicast.stagingSpec.customPolicies[0].secretRef.name), "
        "Secret my-registry (spec.imagePullSecrets[0].name); create it, or take the reference out"
    )
    assert not list(tmp_path.rglob("*.json"))


def test_what_the_role_does_not_name_ends_with_the_rule_to_add(installed):
    spec = {"imagePullSecrets": [{"name": "mine"}, {"name": "my-tls"}, {"name": "his"}]}

    with pytest.raises(errors.ReferencesNotAllowed) as error:
        secrets.check(installed.connect("threescale-backup"), optional=(), named=references.of({"spec": spec}))

    rule = '{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["his", "mine"], "verbs": ["get"]}'
    assert f"add to the Role {rule}, or render" in str(error.value)
    assert error.value.exit_code == 1


def test_nine_are_restored_and_the_databases_secrets_are_the_user_s(lost, backup_volume):
    opened = backup.open_at(backup_volume)

    secrets.restore(lost.connect("threescale-restore"), opened, set(), opened.mark, last_try=False)

    assert [name for name in THIRTEEN if name in lost.exists("secrets")] == sorted([*NINE, *USERS])
    created = lost.get("secrets", "zync")["metadata"]["annotations"]
    assert created == opened.mark.annotations()


def test_zync_may_be_absent_from_a_backup(backup_volume):
    manifest = backup.open_at(backup_volume).manifest
    rest = {path: digest for path, digest in manifest.objects.items() if path != "secrets/zync.json"}
    without = manifest.model_copy(update={"objects": rest})
    (backup_volume / volume.MANIFEST).write_bytes(volume.as_json(without.model_dump(mode="json")))
    (backup_volume / "secrets/zync.json").unlink()

    names = [obj["metadata"]["name"] for obj in secrets.to_restore(backup.open_at(backup_volume))]

    assert names == [*(name for name in NINE if name != "zync"), *NAMED]


def test_a_complete_set_passes(installed):
    secrets.check(installed.connect("threescale-backup"), optional=())


def test_a_missing_secret_is_refused_by_name(installed):
    door = installed.connect()
    for name in THIRTEEN:
        before = installed.get("secrets", name)
        installed.kubernetes.delete("secrets", installed.namespace, name)

        with pytest.raises(errors.ObjectsMissing, match=f"Secret {name} missing"):
            secrets.check(door, optional=())

        installed.kubernetes.apply(before)


def test_a_secret_that_may_be_absent_may_be_absent(installed):
    installed.kubernetes.delete("secrets", installed.namespace, "zync")

    secrets.check(installed.connect(), optional=["zync"])


REQUIRED = [(name, key) for name, keys in installation.REQUIRED_KEYS.items() for key in keys]


@pytest.mark.parametrize(("name", "key"), REQUIRED)
@pytest.mark.parametrize("value", ["", None])
def test_a_required_key_that_is_missing_or_empty_is_refused_by_name(name, key, value):
    data = dict.fromkeys(installation.REQUIRED_KEYS[name], "dg==") | {key: value}
    obj = {"metadata": {"name": name}, "data": {key: value for key, value in data.items() if value is not None}}

    with pytest.raises(errors.KeysMissing, match=f"Secret {name} in namespace here has no value under {key}:"):
        secrets.check_keys(obj, "here")


def test_the_check_looks_into_every_secret(installed):
    installed.kubernetes.patch("secrets", installed.namespace, "zync", {"data": {"SECRET_KEY_BASE": ""}})

    with pytest.raises(errors.KeysMissing, match=r"Secret zync .* SECRET_KEY_BASE"):
        secrets.check(installed.connect(), optional=())


def test_other_keys_may_be_empty(installed):
    for name, keys in (("system-smtp", ["address", "password"]), ("system-redis", ["SENTINEL_HOSTS"])):
        installed.kubernetes.patch("secrets", installed.namespace, name, {"data": dict.fromkeys(keys, "")})

    secrets.check(installed.connect(), optional=())


def test_a_key_that_this_installation_does_not_need_may_be_absent(installed):
    installed.kubernetes.patch("secrets", installed.namespace, "zync", {"data": {"ZYNC_DATABASE_PASSWORD": None}})

    secrets.check(installed.connect(), optional=(), unneeded_keys=["ZYNC_DATABASE_PASSWORD"])


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
