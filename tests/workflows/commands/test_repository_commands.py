"""Backups in a repository as a person reads them without a cluster: `list`, `describe`, `fetch`, `verify`."""

import filecmp
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from steps.archive import contents, layout
from tests.builders import broken_packs, pushed
from tests.builders.claims import laid, sealed
from tests.builders.commands import ask, run
from tests.builders.pushed import OTHER_ORIGIN, PASSWORD, Repository
from tests.conftest import Sealed

pytestmark = pytest.mark.usefixtures("restic_on_path")

OF_A_PERSON = ("RESTIC_", "AWS_", "AZURE_", "GOOGLE_")


@pytest.fixture(scope="module")
def original(sealed: Sealed, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository with one backup, `nightly`."""
    made = pushed.new(tmp_path_factory.mktemp("original"))
    made.push(sealed.folder)
    return made


@pytest.fixture
def repository(original: Repository, tmp_path: Path) -> Repository:
    return original.copy(tmp_path)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith(OF_A_PERSON)]:
        monkeypatch.delenv(name)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands make their private folder."""
    made = tmp_path / "temporary"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    return made


def a_file(backup: Path) -> str:
    """A file of System FileStorage, by its path from the root of the backup."""
    return min(str(each.relative_to(backup)) for each in (backup / layout.TREE).rglob("*.css"))


def sentence(err: str) -> str:
    """The one sentence that a refusal is."""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    return err


def test_a_table_shows_the_backups_of_a_repository_and_needs_no_cluster(repository: Repository, sealed: Sealed) -> None:
    code, out, err = run("list", *repository.words)

    head, row = out.splitlines()
    assert (code, err) == (0, "")
    assert head.split() == ["NAME", "STATE", "STARTED", "FILES", "SIZE", "ADDED", "3SCALE", "OF", "SNAPSHOT"]
    facts = contents.open_at(sealed.folder).facts
    assert row.split()[:4] == ["nightly", "whole", f"{facts.started:%Y-%m-%dT%H:%M:%SZ}", str(facts.file_storage.files)]
    assert f"  {facts.source.namespace}/{facts.source.apimanager}  " in row


@pytest.mark.thorough
def test_a_program_reads_them_as_json_yaml_or_names(repository: Repository) -> None:
    (entry,) = json.loads(run("list", *repository.words, "-o", "json")[1])

    assert yaml.safe_load(run("list", *repository.words, "-o", "yaml")[1]) == [entry]
    assert run("list", *repository.words, "-o", "name")[1] == "nightly\n"
    assert (entry["name"], entry["whole"], entry["origin"]) == ("nightly", True, pushed.ORIGIN)
    assert entry["id"].startswith(entry["short_id"])
    assert entry["added_bytes"] > 0
    assert entry["digest"] in run("list", *repository.words, "-o", "wide")[1]


def test_the_address_and_the_password_may_stand_in_the_environment(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTIC_REPOSITORY", str(repository.address))
    monkeypatch.setenv("RESTIC_PASSWORD", PASSWORD)

    assert run("list", "--repository", "-o", "name")[:2] == (0, "nightly\n")


def test_an_option_comes_before_the_environment(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTIC_REPOSITORY", "/no/such/folder")
    monkeypatch.setenv("RESTIC_PASSWORD", "another password of a person")

    assert run("list", *repository.words, "-o", "name")[:2] == (0, "nightly\n")


def test_a_snapshot_of_a_source_that_was_not_read_in_full_is_listed_as_not_proved(repository: Repository) -> None:
    tags = ["--tag", "backup=torn", "--tag", f"manifest-sha256={'ab' * 32}", "--tag", "entries=1000"]
    torn = repository.address.with_name("torn")
    torn.mkdir()
    (torn / layout.MANIFEST).write_text("{}")
    repository.run("backup", "--host", pushed.ORIGIN, *tags, f"{torn}/{layout.MANIFEST}")

    _, out, _ = run("list", *repository.words)
    code, _, err = run("describe", "torn", *repository.words)

    assert {tuple(line.split("  ")[:2]) for line in out.splitlines()[1:]} >= {("torn", ""), ("nightly", "whole")}
    assert "not proved" in next(line for line in out.splitlines() if line.startswith("torn"))
    assert code == 1
    assert "no proved snapshot of backup 'torn'" in sentence(err)


def test_an_empty_repository_says_so(tmp_path: Path) -> None:
    made = pushed.new(tmp_path)

    assert run("list", *made.words)[:2] == (0, f"no backup in repository {made.address}\n")
    assert run("list", *made.words, "-o", "json")[1] == "[]\n"


def test_a_backup_in_a_repository_is_described(repository: Repository, sealed: Sealed) -> None:
    code, out, _ = run("describe", "nightly", *repository.words)
    of_json = json.loads(run("describe", "latest", *repository.words, "-o", "json")[1])

    told = {line.split("  ")[0]: line.split("  ")[-1].strip() for line in out.splitlines()}
    assert code == 0
    assert told["state"] == "whole"
    assert told["repository"] == str(repository.address)
    assert told["manifest"] == f"SHA-256 {contents.open_at(sealed.folder).digest}"
    assert told["snapshot"] == of_json["id"]
    assert of_json["manifest"]["workflow"] in told["made by"]


def test_a_backup_is_fetched_whole_and_is_what_it_was(repository: Repository, sealed: Sealed, tmp_path: Path) -> None:
    code, out, err = run("fetch", "latest", "--to", str(tmp_path / "here"), *repository.words)

    assert (code, err) == (0, "")
    assert out.startswith("fetched: backup nightly, snapshot ")
    assert f"to {tmp_path / 'here'}: whole, {contents.open_at(sealed.folder).facts.files}" in out
    assert sorted(os.listdir(tmp_path / "here")) == sorted(os.listdir(sealed.folder))
    assert run("verify", str(tmp_path / "here"))[0] == 0
    assert (tmp_path / "here").stat().st_mode & 0o777 == 0o700


def test_one_file_of_system_and_one_secret_are_fetched(repository: Repository, sealed: Sealed, tmp_path: Path) -> None:
    wanted, secret = a_file(sealed.folder), "secrets/system-app.json"

    code, out, err = run(
        "fetch", "nightly", "--include", wanted, "--include", f"/{secret}", "--to", str(tmp_path / "x"),
        *repository.words,
    )  # fmt: skip

    assert (code, err) == (0, "")
    there = sorted(str(each.relative_to(tmp_path / "x")) for each in (tmp_path / "x").rglob("*") if each.is_file())
    assert there == sorted([wanted, secret])
    assert all(filecmp.cmp(sealed.folder / each, tmp_path / "x" / each, shallow=False) for each in there)
    size = sum((sealed.folder / each).stat().st_size for each in there)
    assert out.endswith(f"2 files, {size} bytes agree with their digests\n")


def test_a_folder_is_fetched_with_all_below_it(repository: Repository, sealed: Sealed, tmp_path: Path) -> None:
    code, _, err = run("fetch", "nightly", "--include", "secrets/", "--to", str(tmp_path / "x"), *repository.words)

    assert (code, err) == (0, "")
    assert os.listdir(tmp_path / "x") == ["secrets"]
    assert sorted(os.listdir(tmp_path / "x/secrets")) == sorted(os.listdir(sealed.folder / "secrets"))


@pytest.mark.thorough
def test_a_fetched_file_that_differs_from_the_listing_is_refused(
    repository: Repository, backup_volume: Path, tmp_path: Path
) -> None:
    wanted = a_file(backup_volume)
    (backup_volume / wanted).write_bytes(b"*" * (backup_volume / wanted).stat().st_size)
    repository.push(pushed.changed(backup_volume, backup="forged"))

    code, out, err = run("fetch", "forged", "--include", wanted, "--to", str(tmp_path / "x"), *repository.words)

    assert (code, out) == (1, "")
    assert f"is damaged: {layout.TREE}: " in sentence(err)
    assert Path(wanted).name in err


@pytest.mark.thorough
def test_a_fetch_that_was_interrupted_is_resumed(repository: Repository, sealed: Sealed, tmp_path: Path) -> None:
    words = ["fetch", "nightly", "--to", str(tmp_path / "x"), *repository.words]
    (pack, *_) = sorted((repository.address / "data").rglob("*"), key=lambda each: -each.stat().st_size)
    pack.rename(tmp_path / "pack")
    assert run(*words)[0] == 1
    assert not (tmp_path / "x" / layout.MANIFEST).exists()
    (tmp_path / "pack").rename(pack)

    assert run(*words)[0] == 0
    assert run("verify", str(tmp_path / "x"))[0] == 0
    assert sorted(os.listdir(tmp_path / "x")) == sorted(os.listdir(sealed.folder))


def test_a_folder_with_an_interrupted_fetch_of_something_else_is_refused(
    repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/.threescale-backup-fetch").write_text("0123456789abcdef")

    code, _, err = run("fetch", "nightly", "--to", str(tmp_path / "x"), *repository.words)

    assert code == 1
    assert f"The folder {tmp_path / 'x'} is not empty." in sentence(err)
    assert os.listdir(tmp_path / "x") == [".threescale-backup-fetch"]


def test_a_command_that_is_ended_leaves_no_private_file(
    repository: Repository, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "restic"
    slow.write_text('#!/bin/sh\ncase "$*" in version*) echo \'{"version": "0.18.0"}\' ;; *) exec sleep 60 ;; esac\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(temporary))
    words = [sys.executable, "-m", "workflows", "list", *repository.words]
    with subprocess.Popen(words) as process:  # noqa: S603  our own command
        until = time.monotonic() + 20
        while not list(temporary.rglob("RESTIC_PASSWORD")) and time.monotonic() < until:
            time.sleep(0.05)
        there = os.listdir(temporary)
        process.terminate()
        code = process.wait(20)

    assert (len(there), code) == (1, 1)
    assert os.listdir(temporary) == []


def test_a_folder_that_holds_something_is_refused_before_the_repository_is_asked(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/mine.txt").write_text("mine")

    code, out, err = run("fetch", "nightly", "--to", str(tmp_path / "x"), "--repository", "/no/such")

    assert (code, out) == (1, "")
    assert f"The folder {tmp_path / 'x'} is not empty." in sentence(err)
    assert os.listdir(tmp_path / "x") == ["mine.txt"]


def test_a_mistyped_path_is_named_with_what_is_there_and_nothing_is_fetched(
    repository: Repository, tmp_path: Path
) -> None:
    code, _, err = run(
        "fetch", "nightly", "--include", "secrets", "--include", "secret/x.json", "--to", str(tmp_path / "x"),
        *repository.words,
    )  # fmt: skip

    assert code == 1
    assert "Backup nightly does not hold secret/x.json, so nothing was fetched." in sentence(err)
    assert f"{layout.MANIFEST}" in err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("path", ["", "/", "..", "secrets/../../x"])
def test_a_path_that_is_none_in_a_backup_is_refused(tmp_path: Path, path: str) -> None:
    code, _, err = run("fetch", "nightly", "--include", path, "--to", str(tmp_path / "x"))

    assert code == 1
    assert "is not a path inside a backup" in sentence(err)


@pytest.mark.parametrize(
    "words", [["describe", "nigthly"], ["fetch", "nigthly", "--to", "x"], ["verify", "nigthly"]], ids=" ".join
)
def test_a_mistyped_name_is_one_sentence_with_those_that_are_there(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    code, out, err = run(*words, *repository.words)

    assert (code, out) == (1, "")
    assert "no proved snapshot of backup 'nigthly'. Its backups are: nightly." in sentence(err)
    assert not (tmp_path / "x").exists()


@pytest.mark.thorough
def test_of_two_backups_with_one_name_a_person_chooses_by_the_id(repository: Repository, backup_volume: Path) -> None:
    started = contents.open_at(backup_volume).facts.started - timedelta(days=1)
    made = repository.push(pushed.changed(backup_volume, started=started), OTHER_ORIGIN)

    code, _, err = run("describe", "nightly", *repository.words)

    assert code == 1
    assert f"{made.id[:8]} of {started:%Y-%m-%d}" in sentence(err)
    assert json.loads(run("describe", made.id[:8], *repository.words, "-o", "json")[1])["id"] == made.id
    assert "backups of several others" in sentence(run("describe", "latest", *repository.words)[2])


@pytest.mark.parametrize("place", [["nightly"], ["latest"], []], ids=["name", "latest", "nothing"])
def test_a_backup_in_a_repository_is_verified(repository: Repository, temporary: Path, place: list[str]) -> None:
    code, out, err = run("verify", *place, *repository.words)

    assert (code, err) == (0, "")
    assert out.startswith("whole: backup nightly, snapshot ")
    assert out.count("\n") == 1
    assert os.listdir(temporary) == []


def test_a_verified_backup_is_chosen_by_the_id_of_its_snapshot(repository: Repository) -> None:
    snapshot = json.loads(run("describe", "latest", *repository.words, "-o", "json")[1])["id"]

    code, out, _ = run("verify", snapshot[:8], *repository.words)

    assert code == 0
    assert f"snapshot {snapshot[:8]} of " in out


def test_a_damaged_copy_is_not_whole(repository: Repository) -> None:
    with repository.opened() as restic:
        (pack, *_) = broken_packs.packs_of(restic, "data")
    broken_packs.flip(repository.address / "data" / pack[:2] / pack)

    code, out, err = run("verify", "nightly", *repository.words)

    assert (code, err) == (1, "")
    *found, last = out.splitlines()
    assert found
    assert last.startswith("NOT whole: backup nightly, snapshot ")


def test_a_copy_of_changed_bytes_is_not_whole(repository: Repository, backup_volume: Path) -> None:
    wanted = a_file(backup_volume)
    (backup_volume / wanted).write_bytes(b"*" * (backup_volume / wanted).stat().st_size)
    repository.push(pushed.changed(backup_volume, backup="forged"))

    code, out, _ = run("verify", "forged", *repository.words)

    assert code == 1
    assert out.splitlines()[0] == f"'{wanted}' has different content in the snapshot"
    assert out.splitlines()[1].startswith("NOT whole: backup forged")


def test_a_folder_is_verified_without_a_repository(sealed: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTIC_REPOSITORY", "/no/such/folder")

    code, out, _ = run("verify", str(sealed.folder))

    assert code == 0
    assert out.startswith("whole: backup nightly of 3scale")


@pytest.mark.parametrize("words", [["list"], ["verify"]], ids=" ".join)
def test_a_wrong_password_is_one_sentence_at_once(repository: Repository, words: list[str]) -> None:
    repository.password_file.write_text("a password of somebody else\n")
    began = time.monotonic()

    code, out, err = run(*words, *repository.words)

    assert (code, out) == (1, "")
    assert "password" in sentence(err)
    assert time.monotonic() - began < 25


def test_a_wrong_address_is_one_sentence_at_once(repository: Repository, tmp_path: Path) -> None:
    code, _, err = run(
        "list", "--repository", str(tmp_path / "nothing"), "--password-file", str(repository.password_file)
    )

    assert code == 1
    assert str(tmp_path / "nothing") in sentence(err)


@pytest.mark.parametrize(
    ("address", "password", "said"),
    [
        ("", PASSWORD, "RESTIC_REPOSITORY is missing"),
        ("/repository", "", "RESTIC_PASSWORD is missing"),
        ("/repository", "too short", "RESTIC_PASSWORD has less than 20 characters"),
        ("repository", PASSWORD, "RESTIC_REPOSITORY is not an address"),
    ],
)
def test_a_missing_or_invalid_option_is_told_in_words_of_options_and_variables(
    tmp_path: Path, address: str, password: str, said: str
) -> None:
    (tmp_path / "password").write_text(password)

    code, _, err = run("list", "--repository", address, "--password-file", str(tmp_path / "password"))

    assert code == 1
    assert said in sentence(err)
    assert "--password-file" in err
    assert "Secret" not in err


def test_a_password_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    _, _, err = run("list", "--repository", "/repository", "--password-file", str(tmp_path / "none"))

    assert f"the file {tmp_path / 'none'} can't be read (No such file or directory)" in sentence(err)


def test_a_machine_without_restic_is_told_so(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/no/such/folder")

    assert "restic can't be started" in sentence(run("list", *repository.words)[2])


def test_an_old_restic_is_refused_by_its_number(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "restic").write_text('#!/bin/sh\necho \'{"version": "0.16.4"}\'\n')
    (tmp_path / "restic").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert "0.16.4 of restic is too old" in sentence(run("list", *repository.words)[2])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list"], "Missing option '-n' / '--namespace'."),
        (["list", "-n", "api", "--repository", "/x"], "Give either --namespace or --repository"),
        (["list", "-n", "api", "--password-file", "x"], "--password-file needs --repository"),
        (["fetch", "nightly"], "Missing option '--to'"),
        (["verify"], "Missing argument 'DIR|BACKUP'. Name a folder, or a repository by --repository."),
        (["verify", "./nightly", "--repository", "/x"], "'./nightly' is not the name of a backup"),
        (["verify", "nightly", "--repository", "/x", "--for-operator"], "--for-operator needs DIR"),
        (["verify", ".", "--password-file", "x"], "--password-file needs --repository"),
        (["verify", ""], "the path is empty"),
    ],
    ids=str,
)
def test_a_command_line_names_one_place(words: list[str], said: str) -> None:
    code, _, err = run(*words)

    assert code == 2
    assert said in err


CANARIES = {
    "AWS_SECRET_ACCESS_KEY": "canary-of-the-aws-key",
    "AWS_ACCESS_KEY_ID": "canary-of-the-aws-id",
    "RESTIC_REST_PASSWORD": "canary-of-the-rest-server",
    "RESTIC_PASSWORD": "canary-of-the-repository",
}
BY_ENVIRONMENT = {"RESTIC_REST_PASSWORD"}  # of the restic process alone: restic has no other form


@pytest.mark.thorough
@pytest.mark.parametrize("address", ["", "rest:http://user:canary-in-the-address@127.0.0.1:9/"], ids=["folder", "rest"])
def test_no_secret_is_printed_or_in_an_argument(
    repository: Repository, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("steps.repository.probe.LIMIT_S", 3.0)
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    words = ["--repository", address] if address else repository.words
    record = pushed.recorder(tmp_path)

    told = [
        run(*command, *words)
        for command in (
            ["list", "-o", "json"],
            ["describe", "nightly", "-o", "json"],
            ["fetch", "nightly", "--to", str(tmp_path / "x")],
            ["verify", "nightly"],
            ["list", "--password-file", str(tmp_path / "none")],
        )
    ]

    kept = record.read_text()
    argv = [line for line in kept.splitlines() if line.startswith("argv: ")]
    assert [code for code, _, _ in told] == ([1] * 5 if address else [0] * 5)
    assert len(argv) > 3
    assert "canary" not in f"{told}{argv}"
    assert {name for name, value in CANARIES.items() if value in kept} == BY_ENVIRONMENT
    assert "canary-in-the-address" not in kept
    assert os.listdir(temporary) == []


def test_a_namespace_shows_where_each_backup_lies(empty: Any) -> None:
    one, two = "0123456789" * 6 + "abcd", "abcdefabcd" * 6 + "abcd"
    laid(empty, "first", started="2026-11-03T02:00:00Z", **sealed())
    for name, told in (("second", f"primary/{one}"), ("third", f"primary/{one},secondary/{two}")):
        facts = sealed(**{"threescale-backup/pushed": "20261102T030405Z"})
        facts["annotations"]["threescale-backup/snapshot"] = told
        laid(empty, name, started=f"2026-11-0{1 + (name == 'second')}T02:00:00Z", **facts)

    _, table, _ = ask(empty, "list")
    _, wide, _ = ask(empty, "list", "-o", "wide")
    _, text, _ = ask(empty, "describe", "third")

    head, *rows = table.splitlines()
    place = head.index("WHERE")
    assert [row[place:].split("  ")[0] for row in rows] == ["claim", "claim, repository", "claim, 2 repositories"]
    assert f"primary/{one[:8]}, secondary/{two[:8]}" in wide
    assert (
        f"snapshot {one} in repository primary, snapshot {two} in repository secondary, since 2026-11-02T03:04:05Z"
    ) in text
