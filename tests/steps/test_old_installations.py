"""Installations of 3scale 2.9 to 2.15 are accepted, and restored as they were."""

import json
import math

import pytest
from jsonschema import Draft7Validator

from steps import errors
from steps.archive import contents, layout
from steps.archive.manifest import Ready
from steps.threescale import installation
from tests.builders import crd, old_installations, operators_backup, phases
from tests.builders.installations import USERS
from tests.builders.operators_backup import NOT_SAVED
from tests.builders.refusals import Holding, refused
from workflows.rehearsal import comparison
from workflows.rehearsal.threescale import installation as threescale
from workflows.rehearsal.threescale import objects as threescale_objects

pytestmark = pytest.mark.thorough

VERSIONS = tuple(old_installations.SPECS)
WHOLE = [  # each takes its time: the oldest and the newest by default
    version if version in {VERSIONS[0], VERSIONS[-1]} else pytest.param(version, marks=pytest.mark.thorough)
    for version in VERSIONS
]
FROM_BACKUP = ("--database-secrets", "restore")


def look(stage):
    """What a restore must bring back: no Secret that this APIManager does not name, but those of the databases too."""
    found = comparison.look(stage.kubernetes, stage.namespace, stage.storage)
    spec = json.dumps(stage.get("apimanagers", threescale.NAME)["spec"])
    names = [name for name in found.objects if not name.startswith("secrets/my-") or f'"{name[8:]}"' in spec]
    databases = {f"secrets/{name}": stage.get("secrets", name)["data"] for name in USERS}
    return comparison.Snapshot({**{name: found.objects[name] for name in names}, **databases}, found.tree)


def differences(before, after):
    return {row.what: row.differences for row in comparison.compare(before, after) if row.differences}


@pytest.mark.parametrize("version", WHOLE)
def test_one_of_each_version_is_backed_up_lost_and_restored_as_it_was(empty, tmp_path, version):
    old_installations.install(empty, version)
    before = look(empty)
    root = tmp_path / "nightly"

    phases.backup(empty, root)
    empty.lose()
    assert empty.exists("secrets") == empty.exists("deploymentconfigs") == empty.exists("pods") == []
    phases.restore(empty, root, databases=FROM_BACKUP)
    assert differences(before, look(empty)) == {}
    told = old_installations.come_up(empty, version)
    phases.routes(empty, root)

    assert told == ["bundle exec rake zync:resync:domains"]
    assert empty.get("apimanagers", threescale.NAME)["spec"] == old_installations.SPECS[version]
    assert contents.open_at(root).threescale_version == old_installations.minor(version)


@pytest.mark.parametrize("version", WHOLE)
def test_what_the_operator_of_each_version_saved_is_restored_as_it_was(empty, tmp_path, version):
    of_old = version in {"2.9", "2.10", "2.11"}
    form = operators_backup.python_2 if of_old else operators_backup.with_managed_fields
    root = operators_backup.make(tmp_path / "by-operator", form)
    operators_backup.put(root, layout.APIMANAGER, form(old_installations.apimanager(version)))
    old_installations.install(empty, version)
    before = look(empty)
    empty.lose()
    for secret in threescale.sample_secrets(empty.namespace):
        if secret["metadata"]["name"] in (*USERS, *threescale_objects.REFERENCED_SECRETS):
            empty.kubernetes.apply(secret)  # as their administrator does
    empty.claim(root.name, metadata={"annotations": {installation.BACKUP_NAME: "by-operator"}})

    phases.restore(empty, root)
    told = old_installations.come_up(empty, version)
    phases.routes(empty, root)

    assert told == ["bundle exec rake zync:resync:domains"]
    after = look(empty)
    unlike = {*NOT_SAVED, "secrets/system-redis"}  # the latter is the administrator's
    assert {name for name in before.objects if after.objects[name] != before.objects[name]} == unlike
    assert after.objects["apimanagers/example-apimanager"]["spec"] == old_installations.SPECS[version]


@pytest.mark.parametrize("version", VERSIONS)
def test_each_is_one_by_the_operator_s_own_crd(version):
    found = Draft7Validator(crd.spec_schema()).iter_errors(old_installations.SPECS[version])

    assert [error.message for error in found] == []


def test_deployment_configs_that_are_left_stand_in_the_way(empty):
    old_installations.install(empty, "2.14")
    empty.claim("nightly")
    empty.kubernetes.gc_delay_s = math.inf
    for resource, name in (*(("pods", name) for name in empty.exists("pods")), ("apimanagers", threescale.NAME)):
        empty.kubernetes.delete(resource, empty.namespace, name)

    with refused(errors.InstallationLeft, what=Holding("DeploymentConfig apicast-production")):
        phases.run(empty, phases.RESTORE, "check", "--claim", "nightly")


def test_of_a_backup_of_2_10_what_was_ready_is_recorded_without_a_condition_available(empty, tmp_path):
    old_installations.install(empty, "2.10")

    phases.backup(empty, tmp_path / "nightly")

    ready = contents.open_at(tmp_path / "nightly").ready
    assert ready.conditions == ("Ready",)
    assert "system-searchd" not in ready.deployments
    assert ready != Ready()
