import pytest

from steps import backup, configmaps, errors, volume

BOTH = ["apicast-environment", "system-environment"]


def test_what_was_saved_and_lost_is_restored_as_it_was(installed, backup_volume):
    before = {name: installed.get("configmaps", name)["data"] for name in BOTH}
    installed.lose()
    opened = backup.open_at(backup_volume)

    result = configmaps.restore(installed.connect(), opened, set(), opened.mark, last_try=False)

    assert len(result.absent) == 2
    assert {name: installed.get("configmaps", name)["data"] for name in BOTH} == before
    assert "ownerReferences" not in installed.get("configmaps", BOTH[0])["metadata"]


def test_both_are_saved(installed, tmp_path):
    report = configmaps.save(installed.connect("threescale-backup"), tmp_path)

    assert sorted(path.stem for path in (tmp_path / volume.CONFIGMAPS).iterdir()) == BOTH
    assert sorted(report.objects) == [f"configmaps/{name}.json" for name in BOTH]


def test_a_complete_set_passes(installed):
    configmaps.check(installed.connect("threescale-backup"))


@pytest.mark.parametrize("name", BOTH)
def test_a_missing_one_is_refused_by_name(installed, name):
    installed.kubernetes.delete("configmaps", installed.namespace, name)

    with pytest.raises(errors.ObjectsMissing, match=f"ConfigMap {name} missing"):
        configmaps.check(installed.connect())
