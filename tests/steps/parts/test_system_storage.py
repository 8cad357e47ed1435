import pytest

from steps import errors
from steps.archive import contents, layout, marks
from steps.archive.manifest import SystemStorage
from steps.contract.restore_contract import AskedStorage
from steps.kubernetes import fields
from steps.parts import system_storage
from tests.builders.refusals import refused

NOTHING_ASKED = AskedStorage()


def opened(root, *, size_bytes=0, request="", capacity="", chosen=None, **storage):
    """A backup whose system-storage and APIManager say what is given."""
    found = contents.open_at(root)
    source = found.manifest.source.model_copy(
        update={"system_storage": SystemStorage(request=request, capacity=capacity, **storage)}
    )
    tree = found.manifest.file_storage.model_copy(update={"size_bytes": size_bytes})
    manifest = found.manifest.model_copy(update={"source": source, "file_storage": tree})
    result = contents.Backup(root, manifest, found.digest, found.name)
    vars(result)["apimanager"] = {
        "metadata": {"name": "example"},
        "spec": {"system": {"fileStorage": {"persistentVolumeClaim": chosen}}} if chosen is not None else {},
    }
    return result


HOLE_BYTES = 300 << 30


def with_hole(root, **facts):
    """A backup of a file that is longer than any claim here, and almost empty."""
    with (root / layout.TREE / "large").open("wb") as sparse:
        sparse.truncate(HOLE_BYTES)
    return opened(root, size_bytes=HOLE_BYTES + 1000, **facts)


def size_of(obj):
    return obj["spec"]["resources"]["requests"]["storage"]


SNAPSHOT = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "monday"}


class TestWhatIsRecordedOfTheClaim:
    @pytest.mark.parametrize("name", [None, "", "fast"])
    def test_no_class_and_an_unnamed_class_are_two_things(self, name):
        spec = {} if name is None else {"storageClassName": name}

        assert system_storage.recorded({"metadata": {}, "spec": spec}).class_name == name

    def test_in_a_backup_that_says_nothing_of_it_the_default_class_is_meant(self):
        assert SystemStorage.model_validate({"storage_class": ""}).class_name is None

    def test_labels_attributes_class_and_data_source_are_recorded(self):
        clone = {"apiGroup": None, "kind": "PersistentVolumeClaim", "name": "old"}
        spec = {"volumeAttributesClassName": "gold", "dataSource": clone, "dataSourceRef": SNAPSHOT}
        metadata = {"labels": {"app": "3scale", marks.STATE: "failed"}}

        found = system_storage.recorded({"metadata": metadata, "spec": spec})

        assert found.labels == {"app": "3scale"}
        assert found.volume_attributes_class == "gold"
        assert found.data_source == {"kind": "PersistentVolumeClaim", "name": "old"}
        assert found.data_source_ref == SNAPSHOT


class TestWhatIsNotRestoredOfTheClaim:
    def test_of_a_new_claim_it_is_the_data_source(self, backup_volume):
        facts = {"labels": {"team": "api"}, "volume_attributes_class": "gold", "data_source": SNAPSHOT}

        found = [*system_storage.not_restored(opened(backup_volume, **facts), NOTHING_ASKED, None)]

        assert found == ["data source VolumeSnapshot monday; the new claim must come empty"]

    def test_on_another_storage_class_it_is_the_attributes_class_too(self, backup_volume):
        source = opened(backup_volume, volume_attributes_class="gold")

        [found] = system_storage.not_restored(source, AskedStorage(storage_class="fast"), None)

        assert found.startswith("volumeAttributesClassName gold; it belongs to")

    def test_of_a_claim_that_exists_it_is_all_that_the_claim_lacks(self, backup_volume):
        source = opened(backup_volume, labels={"team": "api"}, volume_attributes_class="gold")
        existing = {"metadata": {"labels": {"app": "3scale"}}, "spec": {}}

        labels, attributes = system_storage.not_restored(source, NOTHING_ASKED, existing)

        assert labels == "labels of the backed-up claim: team; the claim exists and is not changed"
        assert attributes == "volumeAttributesClassName gold; the claim exists and is not changed"

    def test_of_a_claim_that_exists_as_it_was_it_is_nothing(self, backup_volume):
        source = opened(backup_volume, labels={"team": "api"}, volume_attributes_class="gold")
        existing = {"metadata": {"labels": {"team": "api"}}, "spec": {"volumeAttributesClassName": "gold"}}

        assert [*system_storage.not_restored(source, NOTHING_ASKED, existing)] == []


class TestSystemStorage:
    @pytest.mark.parametrize(
        ("facts", "size"),
        [
            ({"chosen": {"resources": {"requests": "3Gi"}}, "capacity": "2Gi", "size_bytes": 2**30}, "3Gi"),
            ({"chosen": {"resources": {"requests": "1Gi"}}, "capacity": "4Gi", "size_bytes": 2**30}, "4Gi"),
            ({"chosen": {"resources": {"requests": "1Gi"}}, "capacity": "1Gi", "size_bytes": 10**10}, "12000000000"),
            ({"chosen": {"resources": {"requests": "1Mi"}}, "capacity": "1Mi", "size_bytes": 1}, "100Mi"),
            ({}, "100Mi"),
            ({"chosen": {}, "capacity": "1000M"}, "1000M"),
        ],
    )
    def test_its_size_is_the_largest_of_four(self, backup_volume, facts, size):
        assert size_of(system_storage.wanted(opened(backup_volume, **facts), NOTHING_ASKED)) == size

    def test_a_size_that_is_asked_for_counts(self, backup_volume):
        found = opened(backup_volume, size_bytes=2**20, capacity="4Gi")

        assert size_of(system_storage.wanted(found, AskedStorage(storage_request="1Mi"))) == "1Mi"

    def test_a_size_that_is_too_small_is_refused(self, backup_volume):
        found = opened(backup_volume, size_bytes=2**20 + 1)

        with refused(errors.RequestTooSmall, request="1Mi", needed_bytes=1048577):
            system_storage.wanted(found, AskedStorage(storage_request="1Mi"))

    def test_of_a_backup_with_holes_it_has_the_size_that_was_recorded(self, backup_volume):
        found = with_hole(backup_volume, capacity="1Gi")

        assert size_of(system_storage.wanted(found, NOTHING_ASKED)) == "1Gi"

    def test_a_size_that_is_asked_for_may_be_less_than_the_length_of_files_with_holes(self, backup_volume):
        found = with_hole(backup_volume)

        assert size_of(system_storage.wanted(found, AskedStorage(storage_request="1Gi"))) == "1Gi"

    @pytest.mark.parametrize(
        ("facts", "asked", "expected"),
        [
            ({"storage_class": "old"}, "", "old"),
            ({"storage_class": "old", "chosen": {"storageClassName": "chosen"}}, "", "chosen"),
            ({"storage_class": "old", "chosen": {"storageClassName": "chosen"}}, "asked", "asked"),
            ({}, "", None),
            ({"no_class": True}, "", ""),
            ({"no_class": True}, "asked", "asked"),
            ({"chosen": {"storageClassName": ""}}, "", ""),
            ({"storage_class": "old"}, "none", ""),
        ],
    )
    def test_its_class_is_that_asked_for_or_chosen_or_as_it_was(self, backup_volume, facts, asked, expected):
        spec = system_storage.wanted(opened(backup_volume, **facts), AskedStorage(storage_class=asked))["spec"]

        assert spec.get("storageClassName") == expected

    @pytest.mark.parametrize(("asked", "expected"), [("", ""), ("fast", "fast"), ("none", "")])
    def test_on_a_volume_by_name_it_has_no_class_but_that_asked_for(self, backup_volume, asked, expected):
        found = opened(backup_volume, storage_class="old")

        spec = system_storage.wanted(found, AskedStorage(storage_class=asked, volume_name="disk"))["spec"]

        assert (spec["volumeName"], spec["storageClassName"]) == ("disk", expected)

    def test_it_has_the_labels_of_the_source_but_none_of_this_tool(self, backup_volume):
        found = opened(backup_volume, labels={"team": "api", marks.BACKUP: "nightly"})

        assert system_storage.wanted(found, NOTHING_ASKED)["metadata"]["labels"] == {"team": "api"}

    @pytest.mark.parametrize(
        ("asked", "expected"), [({}, "gold"), ({"storage_class": "fast"}, None), ({"volume_name": "disk"}, None)]
    )
    def test_its_attributes_class_is_that_of_the_source_on_storage_of_the_same_kind(
        self, backup_volume, asked, expected
    ):
        found = opened(backup_volume, storage_class="old", volume_attributes_class="gold")

        spec = system_storage.wanted(found, AskedStorage(**asked))["spec"]

        assert spec.get("volumeAttributesClassName") == expected

    def test_it_is_never_filled_from_the_data_source_of_the_source(self, backup_volume):
        found = opened(backup_volume, data_source=SNAPSHOT, data_source_ref=SNAPSHOT)

        assert not {"dataSource", "dataSourceRef"} & system_storage.wanted(found, NOTHING_ASKED)["spec"].keys()

    @pytest.mark.parametrize(
        ("was", "asked", "expected"),
        [
            ((), "", "ReadWriteMany"),
            (("ReadWriteOnce",), "", "ReadWriteOnce"),
            (("ReadWriteOnce",), "ReadWriteMany", "ReadWriteMany"),
        ],
    )
    def test_its_access_mode_is_that_asked_for_or_as_it_was(self, backup_volume, was, asked, expected):
        found = opened(backup_volume, access_modes=was)

        assert system_storage.wanted(found, AskedStorage(access_mode=asked))["spec"]["accessModes"] == [expected]

    def test_the_old_volume_is_never_asked_for(self, backup_volume):
        found = opened(backup_volume, chosen={"volumeName": "old-disk"})

        assert "volumeName" not in system_storage.wanted(found, NOTHING_ASKED)["spec"]

    def test_it_carries_the_mark_and_is_not_begun(self, backup_volume):
        found = opened(backup_volume)

        metadata = system_storage.wanted(found, NOTHING_ASKED)["metadata"]

        assert metadata["annotations"] == found.mark.annotations()
        assert "ownerReferences" not in metadata


class TestCheckSystemStorage:
    def test_a_claim_without_a_mark_passes(self, empty, backup_volume):
        system_storage.check(empty.claim(), opened(backup_volume))

    def test_a_claim_with_this_backup_s_mark_passes(self, empty, backup_volume):
        found = opened(backup_volume)

        system_storage.check(empty.claim(metadata={"annotations": found.mark.annotations()}), found)

    def test_a_claim_with_the_mark_of_another_restore_is_refused(self, empty, backup_volume):
        marked = empty.claim(metadata={"annotations": marks.Mark("weekly", "another").annotations()})

        with refused(errors.ClaimOfAnotherRestore, other="weekly"):
            system_storage.check(marked, opened(backup_volume))

    def test_a_claim_that_is_too_small_is_refused(self, empty, backup_volume):
        empty.claim()
        bound = empty.get("persistentvolumeclaims", "system-storage")

        with refused(errors.ClaimTooSmall, capacity="1Gi", needed_bytes=1073741825):
            system_storage.check(bound, opened(backup_volume, size_bytes=2**30 + 1))

    def test_a_claim_that_takes_the_data_may_be_less_than_the_length_of_files_with_holes(self, empty, backup_volume):
        empty.claim()
        bound = empty.get("persistentvolumeclaims", "system-storage")

        system_storage.check(bound, with_hole(backup_volume))


def test_how_far_a_restore_has_come_stands_on_the_claim(empty, backup_volume):
    found = opened(backup_volume)
    empty.claim()

    system_storage.mark(empty.connect("threescale-restore"), found, marks.BEGUN)

    marked = empty.get("persistentvolumeclaims", "system-storage")
    assert found.mark.on(marked)
    assert fields.annotation(marked, marks.RESTORE_STATE) == "begun"


class TestBeforeAThreescaleBegins:
    @staticmethod
    def check(stage, root):
        system_storage.check_filled(stage.connect("threescale-restore"), opened(root))

    @pytest.mark.parametrize("state", marks.FILLED)
    def test_files_that_were_restored_pass(self, empty, backup_volume, state):
        annotations = {**opened(backup_volume).mark.annotations(), marks.RESTORE_STATE: state}
        empty.claim(metadata={"annotations": annotations})

        self.check(empty, backup_volume)

    def test_a_claim_that_is_gone_is_told(self, empty, backup_volume):
        with pytest.raises(errors.ClaimGone):
            self.check(empty, backup_volume)

    def test_a_claim_that_was_made_anew_is_told(self, empty, backup_volume):
        empty.claim()

        with refused(errors.RestoredGone, why="it lacks the mark of its restore"):
            self.check(empty, backup_volume)

    def test_a_claim_that_is_not_filled_to_the_end_is_told(self, empty, backup_volume):
        annotations = {**opened(backup_volume).mark.annotations(), marks.RESTORE_STATE: marks.BEGUN}
        empty.claim(metadata={"annotations": annotations})

        with refused(errors.RestoredGone, why="it is begun"):
            self.check(empty, backup_volume)


def test_a_claim_that_is_gone_is_not_taken_for_one_that_nobody_uses(empty, backup_volume):
    with pytest.raises(errors.ClaimGone):
        system_storage.use(empty.connect("threescale-restore"), opened(backup_volume))
