import pytest

from steps import errors
from steps.archive import contents, layout
from steps.parts import configmaps
from steps.parts.conflicts import ObjectState, Target
from steps.threescale import references
from tests.builders.refusals import refused

BOTH = ["apicast-environment", "system-environment"]
EDITED = ["backend-environment", "system"]


def test_what_was_saved_and_lost_is_restored_as_it_was(installed, backup_volume):
    before = {name: installed.get("configmaps", name)["data"] for name in [*BOTH, *EDITED]}
    installed.lose()
    opened = contents.open_at(backup_volume)

    standings = configmaps.restore(Target(installed.connect(), set(), opened.mark), opened, last_try=False)

    assert [each.state for each in standings] == [ObjectState.ABSENT] * 4
    assert {name: installed.get("configmaps", name)["data"] for name in before} == before
    assert "ownerReferences" not in installed.get("configmaps", BOTH[0])["metadata"]


def test_both_are_saved_and_beside_them_those_that_the_operator_s_backup_leaves_out(installed, tmp_path):
    report = configmaps.save(installed.connect("threescale-backup"), tmp_path)

    assert sorted(path.stem for path in (tmp_path / layout.CONFIGMAPS).iterdir()) == BOTH
    assert sorted(path.stem for path in (tmp_path / layout.REFERENCED_CONFIGMAPS).iterdir()) == EDITED
    own = [f"referenced/configmaps/{name}.json" for name in EDITED]
    assert sorted(report.objects) == [*(f"configmaps/{name}.json" for name in BOTH), *own]


@pytest.mark.parametrize("name", EDITED)
def test_one_that_the_operator_makes_again_may_be_absent(installed, tmp_path, name):
    installed.kubernetes.delete("configmaps", installed.namespace, name)

    report = configmaps.save(installed.connect("threescale-backup"), tmp_path)

    assert f"referenced/configmaps/{name}.json" not in report.objects
    assert len(report.objects) == 3


def test_one_that_the_apimanager_names_is_saved_and_asked_for(installed, tmp_path):
    named = references.of({"spec": {"luaConfigMapRef": {"name": "mine"}}})

    with refused(errors.ReferencesMissing, references=["ConfigMap mine (spec.luaConfigMapRef.name)"]):
        configmaps.save(installed.connect(), tmp_path, named)
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "namespace": installed.namespace}}
    installed.kubernetes.apply(obj)

    assert "referenced/configmaps/mine.json" in configmaps.save(installed.connect(), tmp_path, named).objects
