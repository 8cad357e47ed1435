"""A repository as a person's variables and options describe it."""

import pytest

from steps import errors
from steps.restic.store import Store

PASSWORD = "correct horse battery staple"  # noqa: S105  of repositories that the tests make
USUAL = {"RESTIC_REPOSITORY": "s3:https://s3.example.com/bucket", "RESTIC_PASSWORD": PASSWORD}


def of(environ, repository="", password_file=None):
    return Store.of_environment(environ, repository, password_file)


def test_variables_are_those_of_a_secret_and_others_are_left_alone():
    store = of({**USUAL, "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "HOME": "/root"})

    assert store.told == {**USUAL, "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
    assert store.files()["aws"] == "[default]\naws_access_key_id = id\naws_secret_access_key = key\n"


def test_a_repository_is_named_by_its_address_without_a_password_in_it():
    store = of(USUAL, "rest:https://user:hidden@rest.example.com/")

    assert store.name == "rest:https://***@rest.example.com/"


def test_options_come_before_files_and_files_before_values(tmp_path):
    for name in ("of-option", "of-variable"):
        (tmp_path / name).write_text(f"{PASSWORD}, {name}\n")
    environ = {**USUAL, "RESTIC_PASSWORD_FILE": str(tmp_path / "of-variable")}

    assert of(environ).told["RESTIC_PASSWORD"] == f"{PASSWORD}, of-variable"
    assert of(environ, password_file=tmp_path / "of-option").told["RESTIC_PASSWORD"] == f"{PASSWORD}, of-option"


def test_an_address_may_be_in_a_file_too(tmp_path):
    (tmp_path / "address").write_text("/srv/backups\n")
    environ = {**USUAL, "RESTIC_REPOSITORY_FILE": str(tmp_path / "address")}

    assert of(environ).name == "/srv/backups"
    assert of(environ, "/srv/other").name == "/srv/other"


def test_files_of_authorities_and_of_google_are_read(tmp_path):
    (tmp_path / "ca").write_text("certificate")
    (tmp_path / "google").write_text("{}")
    environ = {"RESTIC_CACERT": str(tmp_path / "ca"), "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "google")}

    store = of({**USUAL, **environ})

    assert (store.told["ca.crt"], store.told["GOOGLE_APPLICATION_CREDENTIALS"]) == ("certificate", "{}")
    assert store.options(tmp_path) == ["--cacert", str(tmp_path / "ca.crt")]


def test_ssh_is_set_up_by_a_persons_own_files_and_asks_for_nothing(tmp_path):
    store = of(USUAL, "sftp:me@sftp.example.com:/backups")

    assert store.options(tmp_path) == ["-o", "sftp.args=-o BatchMode=yes -o StrictHostKeyChecking=yes"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"RESTIC_PASSWORD": "short"}, "RESTIC_PASSWORD has less than 20 characters"),
        ({"AWS_ACCESS_KEY_ID": "id"}, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together"),
        ({"S3_STORAGE_CLASS": "GLACIER"}, "S3_STORAGE_CLASS GLACIER is an archive"),
        ({"RESTIC_REPOSITORY": "", "RESTIC_PASSWORD": ""}, "RESTIC_REPOSITORY is missing; RESTIC_PASSWORD is missing"),
    ],
)
def test_values_are_checked_as_those_of_a_secret_are(changes, said):
    with pytest.raises(errors.BadEnvironment) as raised:
        of({**USUAL, **changes})

    assert said in str(raised.value)
    assert "Secret" not in str(raised.value)


def test_a_secret_without_keys_is_told_in_words_of_a_secret(tmp_path):
    with pytest.raises(errors.BadRepository) as raised:
        Store.mounted(tmp_path)

    assert str(raised.value).startswith(f"Secret {tmp_path.name} does not describe a repository: ")
