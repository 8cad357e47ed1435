"""Backup, restore and another restore under three UIDs, which have only group 0 in common.

OpenShift gives each namespace UIDs of its own: what one has written, the next has to read, and to replace.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from steps.archive import contents, marks
from steps.kubernetes import fields
from tests.builders import repositories
from tests.builders.claims import CLAIMS
from tests.embedded.argo import Engine
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS
from workflows.rehearsal.threescale import installation as threescale

FIRST, SECOND, THIRD = 1000650000, 1000660000, 1000670000


@pytest.fixture(scope="module", autouse=True)
def _others_can_run_phases():
    if os.geteuid() != 0:
        pytest.skip("only root can start processes under other UIDs")
    try:
        subprocess.run([sys.executable, "-c", ""], user=FIRST, group=0, extra_groups=[], check=True)
    except PermissionError:
        pytest.skip(f"{Path(sys.executable).resolve()} lies where only root may go, so no other UID can run a phase")


@pytest.fixture
def common(empty):
    """A stage on a folder that others may enter."""
    folder = Path(tempfile.mkdtemp(prefix="volumes-"))
    folder.chmod(0o755)
    with threescale.Operator(empty.kubernetes):
        yield replace(empty, folder=folder)
    shutil.rmtree(folder)


def under(stage, uid, settings=SETTINGS):
    """The stage as a namespace of this UID has it."""
    engine = Engine(stage.kubernetes, stage.folder, namespace=stage.namespace, time_scale=0.02, user=uid)
    for manifest in render(settings):
        if manifest["kind"] == "WorkflowTemplate":
            manifest["spec"].pop("onExit")
            engine.apply(manifest)
    return replace(stage, engine=engine)


def own(folder, uid) -> None:
    """Give a tree to a user, `lost+found` excepted: that stays the file system's."""
    for path in folder.rglob("*"):
        if path.name != "lost+found":
            os.chown(path, uid, 0, follow_symlinks=False)


def owners(folder) -> set[int]:
    return {path.lstat().st_uid for path in folder.rglob("*") if path.name != "lost+found"}


@pytest.mark.lesson(14)
def test_what_one_user_has_written_the_next_can_read_and_replace(common, differences):
    first, second, third = (under(common, uid) for uid in (FIRST, SECOND, THIRD))
    first.install()
    own(first.storage, FIRST)
    saved = first.backup(name="nightly")
    first.lose()
    threescale.give_database_secrets(common.kubernetes, common.namespace)
    common.kubernetes.after_next(  # the first patch says `begun`, the second would say `complete`
        "patch", CLAIMS, lambda _request: common.kubernetes.refuse_next("patch", CLAIMS, status=403)
    )

    stopped = second.restore("nightly")
    state = fields.annotation(common.get(CLAIMS, "system-storage"), marks.RESTORE_STATE)
    written = owners(second.storage)
    restored = third.restore("nightly")

    assert [workflow.phase for workflow in (saved, stopped, restored)] == ["Succeeded", "Failed", "Succeeded"]
    assert list(contents.open_at(first.engine.volume("nightly")).findings(digests=True)) == []
    assert owners(first.engine.volume("nightly")) == {FIRST}
    assert (state, written) == ("begun", {SECOND})
    assert owners(third.storage) == {THIRD}
    assert differences(third) == []


@pytest.fixture
def repository(common, restic, monkeypatch):
    """The folder of a repository, and restic, where the others can use them."""
    for name in ("bin", "repository"):
        (common.folder / name).mkdir(mode=0o2775)
        (common.folder / name).chmod(0o2775)
    shutil.copy(restic.path, common.folder / "bin")
    monkeypatch.setenv("PATH", f"{common.folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    common.kubernetes.apply(repositories.secret(common.namespace, common.folder / "repository"))
    return common.folder / "repository"


@pytest.mark.quick
def test_a_backup_that_another_user_has_fetched_restores_as_the_original(common, repository, differences):
    settings = SETTINGS.model_copy(update={"repositories": (repositories.NAME,)})
    repositories.configure(common)
    first, second = (under(common, uid, settings) for uid in (FIRST, SECOND))
    first.install()
    own(first.storage, FIRST)
    saved = first.backup(name="nightly", repository_init="yes")
    first.lose()
    threescale.give_database_secrets(common.kubernetes, common.namespace)
    own(repository, SECOND)  # a store asks for no UID

    fetched = second.engine.submit("threescale-fetch", {"name": "back"})
    restored = second.restore("back")

    assert [each.phase for each in (saved, fetched, restored)] == ["Succeeded"] * 3, (saved.message, fetched.message)
    assert owners(second.engine.volume("back")) == {SECOND}
    assert list(contents.open_at(second.engine.volume("back")).findings(digests=True)) == []
    assert differences(second) == []


def test_a_volume_that_belongs_to_root_alone_names_the_option_that_gives_it_a_group(common):
    stage = under(common, FIRST)
    stage.install()
    own(stage.storage, FIRST)
    stage.engine.volume("nightly").chmod(0o755)

    workflow = stage.backup(name="nightly")

    node = workflow.node("secrets")
    assert (workflow.phase, node.exit_code) == ("Failed", 1)
    assert "`threescale-backup manifests --fs-group N`" in node.attempts[0].message
