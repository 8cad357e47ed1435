"""A wrong type at any place of an operator's backup is a finding, or means nothing."""

import copy
import json
import shutil

import pytest
from click.testing import CliRunner

from steps import errors
from steps.archive import contents, layout
from steps.contract.restore_contract import RestoreWishes
from steps.phases.opened_backup import as_asked
from steps.plans import restore_plan
from tests.builders import operators_backup
from workflows.__main__ import main
from workflows.rehearsal.threescale import installation as threescale
from workflows.rehearsal.threescale import objects as threescale_objects

pytestmark = pytest.mark.thorough

WRONG = (None, 0, "x", [], {"x": 1}, "\ud800")
ALL = RestoreWishes(made_by="operator", database_secrets="restore", wildcard_domain="new.example.com")
PATHS = (layout.APIMANAGER, f"{layout.SECRETS}/backend-listener.json", f"{layout.CONFIGMAPS}/system-environment.json")
FILLED = {
    "imagePullSecrets": [{"name": "more"}],
    "zync": {"enabled": True},
    "highAvailability": {"enabled": True, "externalZyncDatabaseEnabled": True},
    "system": {
        "fileStorage": {
            "persistentVolumeClaim": {"storageClassName": "fast", "resources": {"requests": "1Gi"}},
            "simpleStorageService": {"configurationSecretRef": {"name": "s3"}},
        }
    },
}


@pytest.fixture
def waiting(empty):
    """A namespace with the operator and the database Secrets."""
    empty.kubernetes.apply(threescale_objects.operator_deployment(empty.namespace))
    threescale.give_database_secrets(empty.kubernetes, empty.namespace)
    return empty


@pytest.fixture
def root(tmp_path):
    """A backup in the form that has the most fields."""
    root = operators_backup.make(tmp_path / "claim", operators_backup.as_the_server_has_it)
    shutil.rmtree(root / layout.TREE)
    (root / layout.TREE).mkdir()
    operators_backup.change_apimanager(root, FILLED, operators_backup.as_the_server_has_it)
    return root


def places(value, above=()):
    """Every place in an object, by keys and numbers."""
    yield above
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*above, key))


def put(obj, place, value):
    """The object with another value at a place."""
    changed = [copy.deepcopy(obj)]
    holder = changed
    for key in (0, *place)[:-1]:
        holder = holder[key]
    holder[(0, *place)[-1]] = value
    return changed[0]


def plan(cluster, root):
    """Plan a restore to another domain, as its phases read the backup."""
    opened = as_asked(contents.open_at(root, "claim"), ALL)
    planned = restore_plan.of(cluster, opened, ALL, last_try=True)
    return list(planned.plan.text())


@pytest.mark.parametrize("path", PATHS)
def test_a_wrong_type_at_any_place_ends_in_a_sentence(waiting, root, path):
    cluster = waiting.connect("threescale-restore")
    obj = json.loads((root / path).read_bytes())

    unexpected, planned = {}, 0
    for place in places(obj):
        for value in WRONG:
            (root / path).write_text(json.dumps(put(obj, place, value)))
            said = CliRunner().invoke(main, ["verify", "--for-operator", str(root)])
            if said.exception and not isinstance(said.exception, SystemExit):
                unexpected["verify", place, str(value)] = said.exception
            try:
                planned += bool(plan(cluster, root))
            except errors.PhaseError:
                pass
            except Exception as error:  # noqa: BLE001  what must not be
                unexpected["plan", place, str(value)] = error

    assert unexpected == {}
    assert planned > 100
