import os
import shutil
import time
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace

import pytest

from tests.benchmarks.copying import ours, programs, record, room, rounds, sets
from tests.benchmarks.copying.errors import NoRoom
from tests.benchmarks.copying.media import Medium, Seen
from tests.benchmarks.copying.plan import Case, Plan, Round
from tests.benchmarks.copying.programs import CP, RSYNC, Program
from tests.benchmarks.copying.sets import Set

pytestmark = pytest.mark.thorough

TINY = Set("portal", 0.002)  # ten files
CASE = Case("portal", 1.0, 5000, 2**20, "local", "cold", "backup")


def plan(**changes):
    found = Plan((TINY,), (Medium("local"),), ("warm",), programs.ACTIONS, (1,), rounds=1, slow_files=10)
    return replace(found, **changes)


def measured(folder, **changes):
    return list(rounds.run(plan(**changes), folder, lambda _line: None))


def once(monkeypatch, folder, line):
    """The one round of a program that is this line of a shell, from $1 to $2."""
    program = Program("it", lambda source, target: ["sh", "-c", line, "sh", str(source), str(target / ours.TREE)])
    monkeypatch.setattr(programs, "of", lambda *_: [program])
    (round_,) = measured(folder, actions=("backup",))
    return round_


def test_the_portal_has_5000_files_of_1_kb_to_1_mb_and_at_most_100_mib():
    sizes = [file.size_bytes for file in sets.lay(Set("portal"))]

    assert len(sizes) == 5000
    assert min(sizes) == 1000
    assert 900_000 < max(sizes) <= 1_000_000
    assert sum(sizes) <= 100 * 2**20


@pytest.mark.parametrize(
    ("name", "files", "size_bytes"), [("small", 100_000, 4096), ("deep", 1_000_000, 100), ("big", 8, 512 * 2**20)]
)
def test_a_set_has_so_many_files_of_that_size(name, files, size_bytes):
    laid = list(islice(sets.lay(Set(name)), 100_000))  # a second for all of deep

    assert Set(name).files == files
    assert len(laid) == min(files, 100_000)
    assert {file.size_bytes for file in laid} == {size_bytes}


def test_deep_has_66000_folders_one_in_another():
    folders = [file.path.rpartition("/")[0] for file in islice(sets.lay(Set("deep")), 66_001)]

    assert len(set(folders)) == 66_000
    assert folders[0] == folders[-1]
    assert max(folder.count("/") for folder in folders) == 7


def test_a_set_is_the_same_each_time_it_is_made(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        sets.make(TINY, tmp_path / name)
    one, other = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.html")}
        for name in ("one", "other")
    )

    assert len(one) == 10
    assert one == other


def test_an_interrupted_set_is_made_anew(tmp_path):
    half = tmp_path / TINY.folder / "half"
    half.mkdir(parents=True)

    made = sets.make(TINY, tmp_path)

    assert not half.exists()
    assert made == sets.census(tmp_path / TINY.folder)


def test_a_set_that_is_laid_in_another_way_by_now_is_made_anew(tmp_path):
    sets.make(TINY, tmp_path)
    noted = tmp_path / f"{TINY.folder}.json"
    noted.write_text(noted.read_text().replace('"files": 10', '"files": 9'))

    assert sets.make(TINY, tmp_path).files == 10


def test_a_set_on_a_slow_medium_is_cut_to_so_many_files_and_mib():
    assert Set("small").cut(5000, 4096).files == 5000
    assert Set("portal", 0.1).cut(5000, 4096) == Set("portal", 0.1)
    assert [file.size_bytes for file in sets.lay(Set("big").cut(5000, 256))] == [32 * 2**20] * 8


def test_a_million_files_are_measured_on_the_local_disk_only():
    places = plan(sets=(TINY, Set("deep")), media=(Medium("local"), Medium("1ms"))).places()

    assert [(medium.name, each.name) for medium, each in places] == [
        ("local", "portal"),
        ("local", "deep"),
        ("1ms", "portal"),
    ]


def test_what_takes_long_is_measured_less_often_unless_asked_for():
    asked = [plan(rounds=0).often(Set(name), Medium("local")) for name in ("portal", "small", "big", "deep")]

    assert asked == [9, 3, 5, 1]
    assert plan(rounds=0).often(TINY, Medium("1ms")) == 3
    assert plan(rounds=2).often(Set("deep"), Medium("local")) == 2


def test_a_set_that_does_not_fit_on_the_disk_is_not_begun(tmp_path):
    with pytest.raises(NoRoom, match="MiB, the sets and two copies"):
        measured(tmp_path, sets=(TINY, Set("big", 1_000_000)))

    assert os.listdir(tmp_path / "volume") == []


def test_a_set_of_more_files_than_the_disk_can_name_is_not_begun(tmp_path, monkeypatch):
    free = SimpleNamespace(f_bavail=2**30, f_frsize=4096, f_files=100, f_favail=59)
    monkeypatch.setattr(os, "statvfs", lambda _: free)

    with pytest.raises(NoRoom, match=r"59 files and folders, .* need 60"):
        room.check([Set("small", 0.00019)], tmp_path)


@pytest.fixture(scope="module")
def once_each(tmp_path_factory):
    """A round of every program, and where."""
    folder = tmp_path_factory.mktemp("once")
    return measured(folder), folder


@pytest.mark.thorough
def test_every_program_copies_everything(once_each):
    found = [each for each in once_each[0] if each.program != RSYNC]

    assert [each.void for each in found] == [""] * len(found)
    assert {each.program for each in found} == {programs.ours(1), CP, programs.TAR, programs.plain_read(1)}
    assert [each.case.action for each in found if each.program == programs.ours(1)] == list(programs.ACTIONS)


@pytest.mark.thorough
@pytest.mark.skipif(not shutil.which("rsync"), reason="needs rsync")
def test_rsync_copies_everything(once_each):
    assert [each.void for each in once_each[0] if each.program == RSYNC] == [""]


def test_nothing_but_the_sets_is_left(once_each):
    assert sorted(os.listdir(once_each[1] / "volume")) == [TINY.folder, f"{TINY.folder}.json"]


def test_after_many_files_were_removed_the_next_run_waits_until_ext4_uses_their_inodes_again(tmp_path, monkeypatch):
    rested, said = [], []
    monkeypatch.setattr(time, "sleep", rested.append)
    left = tmp_path / "volume" / rounds.USED
    left.mkdir(parents=True)
    for number in range(rounds._MANY + 1):
        (left / str(number)).touch()

    list(rounds.run(plan(actions=("backup",), words=("cp",)), tmp_path, said.append))

    assert not left.exists()
    assert 350 < rested[0] <= 360
    assert said[0] == f"waiting {rested[0]:.0f} s: ext4 is slow to make files where many were removed"


def test_a_set_waits_as_long_for_what_was_removed_of_the_set_before_it(tmp_path, monkeypatch):
    rested = []
    monkeypatch.setattr(time, "sleep", rested.append)
    monkeypatch.setattr(rounds, "_MANY", 5)

    list(rounds.run(plan(sets=(TINY, Set("small", 0.0001)), actions=("backup",), words=("cp",)), tmp_path, str))

    assert [round(seconds) for seconds in rested] == [360]


@pytest.mark.thorough
def test_rounds_are_taken_in_turn_each_in_an_order_of_its_own(tmp_path):
    found = measured(tmp_path, rounds=2, actions=("backup",), words=("cp", "tar"))
    first, second = ([each.program for each in found if each.number == number] for number in (0, 1))

    assert [each.number for each in found] == [0] * len(first) + [1] * len(second)
    assert set(second) == set(first)
    assert second != first


@pytest.mark.thorough
def test_actions_are_taken_the_other_way_round_each_second_time(tmp_path):
    found = measured(tmp_path, rounds=2, actions=("backup", "restore"), words=("ours",), workers=(1,))

    assert [each.case.action for each in found] == ["backup", "restore", "restore", "backup"]


def test_a_copy_that_lacks_bytes_is_void(tmp_path, monkeypatch):
    line = 'cp -a "$1/." "$2" && find "$2" -type f | head -n 1 | xargs truncate -s 1'

    assert "of Census(files=10" in once(monkeypatch, tmp_path, line).void


def test_a_program_that_fails_is_void_and_says_why(tmp_path, monkeypatch):
    assert "why" in once(monkeypatch, tmp_path, "echo why >&2; false").void


def test_a_program_that_is_not_there_is_void(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "of", lambda *_: [Program("it", lambda *_: ["no-such-program"])])
    (round_,) = measured(tmp_path, actions=("backup",))

    assert "No such file" in round_.void


def test_a_pipe_whose_first_program_fails_is_void(tmp_path, monkeypatch):
    (tmp_path / "none").mkdir()
    monkeypatch.setattr(
        programs, "of", lambda *_: [Program("it", lambda _source, target: programs._tar(tmp_path / "absent", target))]
    )
    (round_,) = measured(tmp_path, actions=("backup",))

    assert round_.void


def test_the_interpreter_s_start_is_told_apart(tmp_path, monkeypatch):
    clock = 'import time; print(time.monotonic())"'
    round_ = once(monkeypatch, tmp_path, f'sleep 0.1; python3 -c "{clock}; cp -a "$1/." "$2"')

    assert round_.start_s > 0.1


def test_the_interpreter_s_start_is_not_in_a_time():
    said = {"void": "", "began": 10.0, "wall_s": 3.0, "sync_s": 0.5, "cpu_s": 1.0, "peak_mib": 10.0, "said": "11.0\n"}
    round_ = rounds._round(CASE, Program("it", lambda *_: []), 0, said, Seen())

    assert (round_.start_s, round_.seconds) == (1.0, 2.0)


def test_the_peak_is_the_program_s_own(tmp_path, monkeypatch):
    line = 'python3 -c "b\'x\' * 100 * 2**20"; cp -a "$1/." "$2"'

    assert 100 < once(monkeypatch, tmp_path, line).peak_mib < 120


def test_what_several_processes_hold_at_once_is_added_up(tmp_path, monkeypatch):
    hold = "python3 -c \"import time; held = b'x' * (60 * 2**20); time.sleep(0.5)\""

    assert 120 < once(monkeypatch, tmp_path, f'{hold} & {hold}; wait; cp -a "$1/." "$2"').peak_mib < 160


def test_what_forked_processes_share_is_counted_once(tmp_path, monkeypatch):
    fork = "import os, time; held = b'x' * (60 * 2**20); os.fork(); os.fork(); time.sleep(0.3)"

    assert 60 < once(monkeypatch, tmp_path, f'python3 -c "{fork}"; cp -a "$1/." "$2"').peak_mib < 100


def test_verify_finds_a_byte_that_differs(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    sets.make(TINY, made)
    (tmp_path / ours.TREE).mkdir()
    ours.backup(made / TINY.folder, tmp_path, 1)
    first = next((tmp_path / ours.TREE).rglob("*.html"))
    first.write_bytes(b"x" * first.stat().st_size)

    assert len(ours.verify(tmp_path, tmp_path, 1)) == 1


def test_rounds_are_read_as_they_were_written(tmp_path):
    found = [Round(CASE, RSYNC, number, seconds=1.0, operations={"Read": 3}) for number in range(2)]
    record.write(tmp_path / "rounds.json", found, {"python": [0.1]})

    assert record.read(tmp_path / "rounds.json") == (found, {"python": [0.1]})


def test_the_copier_is_measured_with_more_workers_where_it_is_compared_with_others():
    backup, restore = ([each.name for each in programs.of(action, (), 10)] for action in ("backup", "restore"))

    assert backup[:4] == [programs.ours(count) for count in (1, 4, 8, 16)]
    assert restore == [programs.ours(4), programs.ours(8)]
    assert [each.name for each in programs.of("restore", (1, 2), 10)] == [programs.ours(1), programs.ours(2)]


def test_programs_are_chosen_by_a_word_of_their_names():
    found = {each.name for action in programs.ACTIONS for each in programs.of(action, (8,), 10, ("rsync", "cat"))}

    assert found == {RSYNC, programs.plain_read(8)}
