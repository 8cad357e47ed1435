"""The benchmark of the repository judges, adds up and watches correctly. Its rounds are tried by hand."""

import sys
from dataclasses import replace

import pytest

from tests.benchmarks.copying import sets
from tests.benchmarks.copying.sets import Set
from tests.benchmarks.repository import claims, nights, table, watch
from tests.benchmarks.repository.rounds import FETCH, HAND, PHASE, PREPARE, PUSH, Round

CALLS = {"version": [1, 0.1], "snapshots": [2, 0.9], "backup": [1, 5.0]}
OURS = Round("portal", 1.0, 1, "folder", PUSH, PHASE, 0, files=5000, seconds=8.0, restic_s=5.0, calls=CALLS)
BY_HAND = replace(OURS, program=HAND, seconds=4.0, calls={})


def verdicts(*found):
    return dict(table.verdicts(found))


@pytest.mark.parametrize(("seconds", "passed"), [(4.4, True), (4.5, False)])
def test_restic_inside_a_phase_takes_at_most_a_tenth_more_than_by_hand(seconds, passed):
    found = verdicts(replace(OURS, restic_s=seconds), BY_HAND)

    assert [each for text, each in found.items() if "of by hand" in text] == [passed]


def test_the_ratio_is_of_medians():
    slow = [replace(OURS, restic_s=seconds) for seconds in (4.0, 4.0, 99.0)]

    assert all(verdicts(*slow, BY_HAND).values())


@pytest.mark.parametrize(("count", "passed"), [(8, True), (9, False)])
def test_at_most_eight_calls_stand_around_the_work(count, passed):
    found = verdicts(replace(OURS, calls={"cat": [count, 1.0], "backup": [1, 4.0]}), BY_HAND)

    assert [each for text, each in found.items() if "calls around" in text] == [passed]


def test_a_fetch_is_judged_by_its_restore_and_its_choice_is_not_judged():
    calls = {"restore": [1, 4.0], "dump": [1, 0.5]}
    fetched = replace(OURS, action=FETCH, calls=calls)

    assert set(verdicts(fetched, replace(BY_HAND, action=FETCH), replace(OURS, action=PREPARE))) == {
        "*portal*, folder, night 1, fetch: 1.25 of by hand, at most 1.1",
        "*portal*, folder, night 1, fetch: 1 calls around, at most 8",
    }


def test_the_table_has_the_calls_around_and_their_seconds():
    assert "| *portal*, folder, night 1 | push | 5.00 | 4.00 | 1.25 | 3 | 1.00 | 8.00 |" in table.lines([OURS, BY_HAND])


def test_the_memory_is_the_most_of_all_rounds():
    rounds = [replace(OURS, restic_mib=peak, python_mib=50, together_mib=90, scratch_mib=1.0) for peak in (60, 80, 70)]

    assert "| *portal*, folder, night 1 | push | 5,000 | 80 | 50 | 90 | 1 |" in table.lines([*rounds, BY_HAND])


def test_the_room_of_nights_is_told_beside_that_of_the_claims():
    first = {"set": "small", "scale": 0.1, "night": 1, "room_bytes": 2**20, "claims_bytes": 2**20, "metadata_bytes": 0}
    last = {**first, "night": 30, "room_bytes": 3 * 2**20, "claims_bytes": 30 * 2**20}

    assert nights.line([first, last]).endswith("claims 30.0 MiB, 0.100 of them")


def test_what_a_process_holds_and_leaves_without_a_name_in_its_scratch_folder_is_seen(tmp_path):
    script = (
        "import os, sys, time; held = b'x' * (60 << 20); path = sys.argv[1] + '/restic-temp-1'; "
        "file = open(path, 'wb'); os.unlink(path); file.write(b'x' * (8 << 20)); file.flush(); print('out'); "
        "time.sleep(1)"
    )

    found = watch.run(str(tmp_path), [sys.executable, "-c", script, str(tmp_path)])

    assert (found["code"], found["said"]) == (0, "out\n")
    assert found["python_mib"] > 60
    assert found["together_mib"] > 60
    assert found["restic_mib"] == 0
    assert 8 <= found["scratch_mib"] < 9


def test_each_night_changes_a_fiftieth_of_the_files_and_not_their_sizes(tmp_path):
    wanted = Set("small", 0.01)
    made = sets.make(wanted, tmp_path)
    root = tmp_path / wanted.folder
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    count = claims.change(wanted, root, "night 2")

    assert count == sum(path.read_bytes() != was for path, was in before.items())
    assert 5 <= count <= 40
    assert sets.census(root) == made
