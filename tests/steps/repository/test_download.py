"""The snapshot to fetch is chosen without a doubt, and its claim is large enough."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from steps import errors
from steps.repository import download
from steps.repository.snapshots import Snapshot
from tests.builders.facts import a_manifest

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OWN, OTHER = "0123456789abcdef", "fedcba9876543210"


def snapshot(number, **more):
    facts = {"id": f"{number:08x}" * 8, "origin": OWN, "started": NOW - timedelta(days=number), "expected": 7}
    facts |= {"backup": f"night-{number}", "digest": f"{number:064x}", "root": "/backup", "processed": 7}
    return Snapshot(**{**facts, "namespace": "threescale", "apimanager": "api", **more})


NIGHTS = [snapshot(number) for number in range(3)]


def choose(found, wanted="latest", origin=OWN):
    return download.choose(found, wanted, origin, "copies")


def test_the_latest_is_the_newest_whole_one_of_this_installation():
    unproved, of_others = replace(NIGHTS[0], processed=6), snapshot(0, origin=OTHER)

    assert choose([of_others, unproved, *NIGHTS[1:]]) == NIGHTS[1]


def test_a_new_cluster_takes_the_latest_of_the_only_line():
    assert choose(NIGHTS, origin="") == NIGHTS[0]
    assert choose(NIGHTS, origin=OTHER) == NIGHTS[0]


def test_with_several_lines_a_new_cluster_must_choose():
    with pytest.raises(errors.OtherOrigins) as refused:
        choose([*NIGHTS, snapshot(0, origin=OTHER, namespace="staging")], origin="")

    assert refused.value.origins == [f"staging/api ({OTHER})", f"threescale/api ({OWN})"]


def test_a_backup_is_chosen_by_its_name_or_by_the_id_of_its_snapshot():
    assert choose(NIGHTS, "night-2") == NIGHTS[2]
    assert choose(NIGHTS, NIGHTS[2].id) == NIGHTS[2]
    assert choose(NIGHTS, NIGHTS[2].id[:8]) == NIGHTS[2]


def test_a_name_of_two_backups_is_refused_with_their_ids():
    twice = [NIGHTS[0], replace(NIGHTS[1], backup="night-0")]

    with pytest.raises(errors.ManySnapshots) as refused:
        choose(twice, "night-0")
    assert [text[:8] for text in refused.value.snapshots] == [each.id[:8] for each in twice]


def test_two_snapshots_of_one_backup_are_no_doubt():
    again = replace(NIGHTS[1], id="f" * 64)

    assert choose([again, NIGHTS[1]], "night-1") == again


@pytest.mark.parametrize("wanted", ["latest", "night-9", "99999999"])
def test_nothing_is_chosen_from_an_empty_repository_or_by_an_unknown_name(wanted):
    with pytest.raises(errors.NoSnapshot):
        choose([], wanted)


def test_an_unproved_backup_is_not_found_by_its_name():
    with pytest.raises(errors.NoSnapshot):
        choose([replace(NIGHTS[0], processed=6)], "night-0")


def test_a_claim_has_room_for_the_data_and_a_block_for_each_entry():
    small, large = a_manifest(), a_manifest()
    many = large.file_storage.model_copy(update={"files": 1_000_000, "size_bytes": 10 << 30})
    large = large.model_copy(update={"file_storage": many})

    assert download.needed_bytes(small) == 64 << 20
    assert download.needed_bytes(large) > (10 << 30) + 1_000_000 * 4096


def test_a_backup_of_external_files_needs_little():
    assert download.needed_bytes(a_manifest(file_storage=None)) == 64 << 20
