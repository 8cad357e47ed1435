import pytest

from steps.parts import file_storage


@pytest.mark.parametrize(("said", "told"), [([], None), (["--workers", ""], None), (["--workers", "3"], 3)])
def test_the_copier_is_told_a_number_of_workers_or_nothing(installed, run, tmp_path, monkeypatch, said, told):
    (tmp_path / "nightly").mkdir()
    volume_of = ["--claim", "nightly", "--backup", tmp_path / "nightly"]
    assert run("backup", "prepare", "--name", "nightly", "--storage-request", "1Gi", stage=installed) == 0
    found, save = [], file_storage.save

    def saved(source, root, progress, workers):
        found.append(workers)
        return save(source, root, progress, workers)

    monkeypatch.setattr(file_storage, "save", saved)

    assert run("backup", "file-storage", *volume_of, "--file-storage", installed.storage, *said, stage=installed) == 0
    assert found == [told]
