"""Whose a volume is: the first phase of a workflow takes it, the next go on, all others are refused."""

import errno
import multiprocessing
import os

import pytest

from steps import errors
from steps.archive import begin_marker, layout
from steps.archive.begin_marker import Begin, VolumeState
from steps.archive.layout import BEGIN, MANIFEST
from steps.files import durability, volume
from tests.builders.refusals import Holding, refused
from tests.builders.threads import at_once
from tests.builders.trees import ROOT, ordinary_user
from tests.builders.volumes import MINE, begin, content, fail_sync, mounted

FOREIGN = Begin(backup="other", workflow="backup-0", workflow_uid="uid-0")


def test_the_first_phase_makes_an_empty_volume_its_workflow_s_own(tmp_path):
    assert begin(tmp_path) is VolumeState.BEGUN
    assert Begin.model_validate_json((tmp_path / BEGIN).read_bytes()) == MINE
    assert os.listdir(tmp_path) == [BEGIN]


def test_the_next_phase_of_the_workflow_goes_on(tmp_path):
    begin(tmp_path)
    layout.write(tmp_path, "secrets/zync.json", b"{}")
    before = content(tmp_path)

    assert begin(tmp_path) is VolumeState.BEGUN
    assert content(tmp_path) == before


def test_a_volume_that_this_workflow_sealed_is_told_so_and_not_changed(tmp_path):
    begin(tmp_path)
    layout.write(tmp_path, MANIFEST, b"{}")
    before = content(tmp_path)

    assert begin(tmp_path) is VolumeState.SEALED
    assert content(tmp_path) == before


def test_lost_and_found_is_no_content(tmp_path):
    (tmp_path / "lost+found").mkdir()

    assert volume.content(tmp_path) == []
    assert begin(tmp_path) is VolumeState.BEGUN


def test_what_an_interrupted_write_left_is_no_content(tmp_path):
    (tmp_path / f"{volume.TEMPORARY}0123").write_bytes(b"half")

    assert begin(tmp_path) is VolumeState.BEGUN


def begun_by_another(root):
    begin(root, FOREIGN)


def sealed_by_another(root):
    begin(root, FOREIGN)
    layout.write(root, MANIFEST, b"{}")


def of_the_operator(root):
    layout.write(root, "secrets/zync.json", b"{}")
    layout.write(root, "apimanager/apimanager-backup.json", b"{}")


def strange(root):
    (root / "holiday.jpg").write_bytes(b"jpg")
    (root / "lost+found").mkdir()


def damaged_marker(root):
    (root / BEGIN).write_bytes(b'{"backup": "night')


def marker_that_is_a_folder(root):
    (root / BEGIN).mkdir()


@pytest.mark.parametrize(
    ("fill", "holder"),
    [
        (begun_by_another, "an unfinished backup of workflow backup-0 (uid uid-0)"),
        (sealed_by_another, "a finished backup of workflow backup-0 (uid uid-0)"),
        (of_the_operator, "a backup that this tool did not begin (made by the operator?)"),
        (strange, "1 other entries at its root, the first is 'holiday.jpg'"),
        (damaged_marker, "a begin.json that can't be read"),
        (marker_that_is_a_folder, "a begin.json that can't be read"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_volume_that_holds_anything_else_is_refused_with_nothing_changed(tmp_path, fill, holder):
    fill(tmp_path)
    before = content(tmp_path)

    with refused(errors.VolumeTaken, holder=holder):
        begin(tmp_path)

    assert content(tmp_path) == before


def test_four_phases_that_come_at_once_find_one_marker(tmp_path):
    failures = []
    for number in range(50):
        root = tmp_path / str(number)
        root.mkdir()
        failures += at_once(lambda _, root=root: begin(root), range(4))

        assert os.listdir(root) == [BEGIN]
    assert failures == []


def test_a_marker_that_appears_between_two_looks_is_looked_at_again(tmp_path, monkeypatch):
    # A mock of the look, because no file system can be told to change between two calls.
    look = volume.content

    def look_late(root):
        layout.write(root, BEGIN, layout.as_json(MINE.model_dump()))
        return look(root)

    monkeypatch.setattr(volume, "content", look_late)

    assert begin(tmp_path) is VolumeState.BEGUN


def test_a_marker_of_another_that_appears_between_two_looks_is_refused(tmp_path, monkeypatch):
    # A mock for the reason above.
    look = volume.content

    def look_late(root):
        layout.write(root, BEGIN, layout.as_json(FOREIGN.model_dump()))
        return look(root)

    monkeypatch.setattr(volume, "content", look_late)

    with refused(errors.VolumeTaken, holder=Holding("backup-0")):
        begin(tmp_path)


def test_a_marker_that_vanishes_between_two_looks_is_refused(tmp_path, monkeypatch):
    # A mock for the reason above.
    monkeypatch.setattr(volume, "content", lambda _root: [BEGIN])

    with refused(errors.VolumeTaken, holder="a begin.json that vanished"):
        begin(tmp_path)


def _begin(root, together, failures):
    together.wait()
    try:
        begin(root)
        layout.write(root, f"reports/{os.getpid()}.json", b"{}")
    except errors.PhaseError as error:
        failures.put(str(error))


def test_four_processes_that_come_at_once_find_one_marker(tmp_path):
    context = multiprocessing.get_context("fork")
    failures, together = context.SimpleQueue(), context.Barrier(4)
    phases = [context.Process(target=_begin, args=(tmp_path, together, failures)) for _ in range(4)]
    for phase in phases:
        phase.start()
    for phase in phases:
        phase.join()

    assert failures.empty()
    assert sorted(os.listdir(tmp_path)) == [BEGIN, "reports"]
    assert len(os.listdir(tmp_path / "reports")) == 4


def test_of_two_workflows_that_come_at_once_one_has_the_volume(tmp_path):
    for number in range(30):
        root = tmp_path / str(number)
        root.mkdir()
        failures = at_once(lambda who, root=root: begin(root, who), [MINE, FOREIGN])

        assert len(failures) == 1
        assert "does not belong to this workflow" in failures[0]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_a_volume_knows_no_links_the_marker_is_renamed(tmp_path, monkeypatch, number):
    # A mock of the link, because a file system without links can't be had on every machine.
    def no_links(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", no_links)

    assert begin(tmp_path) is VolumeState.BEGUN
    assert os.listdir(tmp_path) == [BEGIN]


def test_a_link_that_fails_for_another_reason_is_told(tmp_path, monkeypatch):
    # A mock for the reason above.
    def no_space(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "link", no_space)

    with refused(errors.VolumeFailed, reason="Input/output error"):
        begin(tmp_path)

    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not ROOT, reason="only root can give a volume to root")
def test_a_volume_of_root_is_refused_with_the_option_that_helps(of_root):
    with ordinary_user(), refused(errors.NotWritable, path=Holding("begin.json"), reason="Permission denied"):
        begin(of_root)

    assert content(of_root) == {}


def test_a_volume_that_is_read_only_is_told(tmp_path):
    with mounted(tmp_path, "ro"), refused(errors.VolumeReadOnly, path=Holding("begin.json")):
        begin(tmp_path)


def test_the_marker_has_its_name_when_it_is_synced_and_is_synced_before_anything_else(tmp_path, syncs):
    marker = layout.as_json(MINE.model_dump())
    with durability.durable(tmp_path) as disk:
        begin_marker.begin(disk, MINE)

        assert syncs == [{"temporary": marker}, {BEGIN: marker}]


def test_a_marker_that_was_found_is_synced_before_anything_else(tmp_path, syncs):
    layout.write(tmp_path, BEGIN, layout.as_json(MINE.model_dump()))
    with durability.durable(tmp_path) as disk:
        begin_marker.begin(disk, MINE)

        assert len(syncs) == 1


def test_a_marker_whose_first_sync_fails_is_none(tmp_path, monkeypatch):
    fail_sync(monkeypatch, 1)

    with pytest.raises(errors.VolumeFailed):
        begin(tmp_path)

    assert content(tmp_path) == {}


def test_a_marker_stays_when_the_sync_of_its_name_fails_as_another_phase_may_have_found_it(tmp_path, monkeypatch):
    fail_sync(monkeypatch, 2)

    with pytest.raises(errors.VolumeFailed):
        begin(tmp_path)

    assert list(content(tmp_path)) == [BEGIN]


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000, ""])
def test_a_marker_that_is_nested_without_end_is_none_that_can_be_read(tmp_path, deep):
    (tmp_path / layout.BEGIN).write_text(deep[: 60 << 10])

    with refused(errors.VolumeTaken, holder="a begin.json that can't be read"):
        begin_marker.marker(tmp_path)
