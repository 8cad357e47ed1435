"""The Secret of a repository is read, checked, and given to restic without a secret in argument or environment."""

import pytest

from steps import errors
from steps.restic.store import KEYS, Store

PASSWORD = "twenty characters long"  # noqa: S105  # of repositories that live as long as a test
S3 = {
    "RESTIC_REPOSITORY": "s3:https://s3.example.com/bucket/prefix",
    "RESTIC_PASSWORD": PASSWORD,
    "AWS_ACCESS_KEY_ID": "the-key-id",
    "AWS_SECRET_ACCESS_KEY": "the-secret-key",
    "AWS_SESSION_TOKEN": "the-session-token",
    "AWS_DEFAULT_REGION": "eu-west-1",
}
SFTP = {
    "RESTIC_REPOSITORY": "sftp:user@host.example.com:/backups",
    "RESTIC_PASSWORD": PASSWORD,
    "ssh-privatekey": "the-private-key",
    "known_hosts": "host.example.com ssh-ed25519 AAAA",
}


def store(told=S3, **more):
    return Store("threescale-repository", {**told, **more})


def problems(told):
    with pytest.raises(errors.BadRepository) as refused:
        store({}, **told).checked()
    return refused.value.problems


def mounted(folder, told):
    secret = folder / "threescale-repository"
    secret.mkdir()
    for key, value in told.items():
        (secret / key).write_text(value)
    return secret


def test_a_mounted_secret_is_a_store_by_its_name_and_without_newlines_at_the_end(tmp_path):
    found = Store.mounted(mounted(tmp_path, {key: f"{value}\n" for key, value in S3.items()}))

    assert found == store()


def test_an_editor_of_windows_and_keys_without_a_value_change_nothing(tmp_path):
    told = {**{key: f"\ufeff{value}\r\n" for key, value in S3.items()}, "HTTPS_PROXY": "\r\n", "ca.crt": ""}

    assert Store.mounted(mounted(tmp_path, told)) == store()


@pytest.mark.parametrize("key", ["AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "HTTPS_PROXY", "S3_STORAGE_CLASS"])
def test_a_second_line_in_a_value_of_one_is_refused(key):
    assert problems({**S3, key: "one\nregion = moon"}) == [f"{key} has several lines"]


def test_a_certificate_and_a_password_may_have_several_lines():
    store(**{"ca.crt": "one\ntwo", "RESTIC_PASSWORD": "a first line of it\nand a second one"}).checked()


def test_a_secret_that_is_not_there_lacks_its_keys(tmp_path):
    with pytest.raises(errors.BadRepository) as refused:
        Store.mounted(tmp_path / "threescale-repository")

    assert refused.value.problems == ["RESTIC_REPOSITORY is missing", "RESTIC_PASSWORD is missing"]
    assert refused.value.exit_code == 1


def test_without_an_address_the_mounted_claim_holds_the_repository(tmp_path):
    secret = mounted(tmp_path, {"RESTIC_PASSWORD": PASSWORD})

    assert Store.mounted(secret, tmp_path / "claim").told["RESTIC_REPOSITORY"] == f"{tmp_path}/claim/restic"


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("s3:https://s3.example.com/bucket", "s3"),
        ("s3:s3.amazonaws.com/bucket/a/b", "s3"),
        ("azure:container:/prefix", "azure"),
        ("gs:bucket:/prefix", "gs"),
        ("rest:https://user:pass@rest.example.com/", "rest"),
        ("sftp:user@host:/folder", "sftp"),
        ("sftp://user@host:2222//folder", "sftp"),
        ("/mnt/backups", "folder"),
    ],
)
def test_addresses_of_each_kind_are_known(address, kind):
    assert store(RESTIC_REPOSITORY=address).kind == kind


@pytest.mark.parametrize(
    "address", ["s3:x", "s3:bucket", "bucket", "http://host", "b2:bucket", "rclone:x:y", "rest:host"]
)
def test_other_addresses_are_refused_with_the_forms_that_there_are(address):
    (problem,) = problems({**S3, "RESTIC_REPOSITORY": address})

    assert "s3:https://HOST/BUCKET" in problem
    assert address not in problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"RESTIC_PASSWORD": "nineteen characters"}, "RESTIC_PASSWORD has less than 20 characters"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together"),
        ({"AWS_SECRET_KEY": "x"}, "'AWS_SECRET_KEY' is not one of its keys"),
        ({"S3_STORAGE_CLASS": "DEEP_ARCHIVE"}, "is an archive"),
        ({"S3_STORAGE_CLASS": "glacier"}, "is an archive"),
        ({"S3_PATH_STYLE": "true"}, "S3_PATH_STYLE is neither yes nor no"),
        ({"UPLOAD_LIMIT_KIB_PER_S": "1.5"}, "UPLOAD_LIMIT_KIB_PER_S is not a whole number"),
    ],
)
def test_each_mistake_is_named_by_its_key_and_never_by_its_value(change, problem):
    found = problems({**S3, **change})

    assert len(found) == 1
    assert problem in found[0]
    assert "nineteen characters" not in found[0]


def test_sftp_needs_a_key_and_known_hosts():
    found = problems({key: value for key, value in SFTP.items() if key not in {"ssh-privatekey", "known_hosts"}})

    assert [problem.split(",")[0] for problem in found] == ["ssh-privatekey is missing", "known_hosts is missing"]


def test_no_secret_is_in_the_options_or_in_the_environment_of_an_s3_repository(tmp_path):
    given = " ".join([*store().options(tmp_path), *store().environment(tmp_path).values()])

    for key in (
        "RESTIC_PASSWORD",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "RESTIC_REPOSITORY",
    ):
        assert S3[key] not in given
    assert store().environment(tmp_path)["AWS_SHARED_CREDENTIALS_FILE"] == f"{tmp_path}/aws"
    assert "aws_session_token = the-session-token" in store().files()["aws"]


def test_without_keys_a_cloud_identity_is_used():
    told = {key: value for key, value in S3.items() if not key.startswith("AWS_")}

    assert "aws" not in store({}, **told).checked().files()


def test_options_of_a_store_become_options_of_restic(tmp_path):
    found = store(S3_PATH_STYLE="yes", S3_STORAGE_CLASS="STANDARD_IA", UPLOAD_LIMIT_KIB_PER_S="500", **{"ca.crt": "x"})

    assert found.options(tmp_path) == [
        *("-o", "s3.bucket-lookup=path", "-o", "s3.storage-class=STANDARD_IA"),
        *("--limit-upload", "500", "--cacert", f"{tmp_path}/ca.crt"),
    ]


def test_an_unknown_host_is_refused_by_ssh(tmp_path):
    (_, option) = store(SFTP).options(tmp_path)

    assert "StrictHostKeyChecking=yes" in option
    assert f"UserKnownHostsFile={tmp_path}/known_hosts" in option
    assert "the-private-key" not in option


def test_values_of_secret_keys_and_user_info_are_masked():
    found = store(
        RESTIC_REPOSITORY="rest:https://someone:hunter22@rest.example.com/", HTTPS_PROXY="http://me:proxypw@proxy:3128"
    )
    text = " ".join([*found.told.values()])

    for part in ("hunter22", "proxypw", PASSWORD, "the-secret-key", "the-key-id", "the-session-token"):
        assert part not in found.masked(text)
    assert found.address == "rest:https://***@rest.example.com/"


def test_the_text_of_a_store_shows_no_value():
    assert "the-secret-key" not in repr(store())


def test_every_key_is_named_once():
    assert len(KEYS) == len(set(KEYS))
