"""How a copy ends where the store or the Secret is at fault, what is left, and that the next run heals."""

import pytest

from steps import errors
from steps.repository import probe
from steps.restic import program
from steps.restic.store import Store
from tests.builders import repositories
from tests.workflows.faults.copies import DATA, codes, message

TRY_AGAIN = 75
NOWHERE = "s3:http://127.0.0.1:9/bucket/repository"


def check_nothing(copies, phase, workflow, expected, *words):
    """Check how a push ended that left nothing behind."""
    assert (workflow.phase, codes(workflow, phase)[-1]) == ("Failed", expected), message(workflow, phase)
    assert codes(workflow, phase) == [expected] * (2 if expected == TRY_AGAIN else 1)
    for word in words:
        assert word in message(workflow, phase)
    assert not copies.is_pushed()


def check_heals(copies, **parameters):
    workflow = copies.push(**parameters)
    assert workflow.phase == "Succeeded", workflow.message
    assert copies.is_pushed()
    assert len(copies.looked.snapshots()) == 1
    assert copies.looked.locks() == []
    assert copies.check()


@pytest.fixture
def made(copies):
    """An empty repository."""
    copies.looked.run("init")
    return copies


# --- the Secret ---


@pytest.mark.thorough
def test_a_wrong_password_ends_at_the_first_try_and_writes_nothing(made):
    made.give(RESTIC_PASSWORD="not the password of this one")  # noqa: S106  of this test

    check_nothing(made, "choose", made.push(), 1, "RESTIC_PASSWORD")

    assert (made.looked.snapshots(), made.looked.locks()) == ([], [])
    made.give()
    check_heals(made)


ODD = {
    "ends of lines of an editor": {"RESTIC_PASSWORD": repositories.PASSWORD + "\r\n"},
    "an empty key": {"AWS_SESSION_TOKEN": "\n", "HTTPS_PROXY": "\r\n", "ca.crt": "\n"},
    "blanks around the key": {"AWS_SECRET_ACCESS_KEY": "  tests-secret-of-the-key \n"},
}


@pytest.mark.thorough
@pytest.mark.parametrize("odd", ODD)
def test_a_secret_of_an_editor_is_read_as_it_was_meant(made, odd):
    made.give(**ODD[odd])

    check_heals(made)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "password", ["50 % of a p\u00e4ssw\u00f6rd \u2713 and more", "a $(date) `id` \"quoted\" 'word' \\ too"]
)
def test_an_odd_password_opens_the_repository_for_a_person_too(copies, password):
    copies.give(RESTIC_PASSWORD=password)
    copies.looked.environment["RESTIC_PASSWORD"] = password

    check_heals(copies, repository_init="yes")


REFUSED = {
    "a key of two lines": ({"AWS_SECRET_ACCESS_KEY": "one\nregion = moon"}, "AWS_SECRET_ACCESS_KEY"),
    "an address with a blank": ({"RESTIC_REPOSITORY": "s3:http://127.0.0.1/a bucket/x"}, "is not an address"),
    "an address of two lines": ({"RESTIC_REPOSITORY": "s3:http://127.0.0.1/bucket/x\ny"}, "is not an address"),
    "an unknown key": ({"RESTIC_PASWORD": "x"}, "is not one of its keys"),
    "a lonely key": ({"AWS_ACCESS_KEY_ID": ""}, "belong together"),
    "an archive": ({"S3_STORAGE_CLASS": "GLACIER"}, "archive"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("odd", REFUSED)
def test_a_secret_that_is_no_repository_is_refused_with_its_key(made, odd):
    keys, word = REFUSED[odd]
    made.give(**keys)

    workflow = made.push()

    check_nothing(made, "choose", workflow, 1, word)
    assert not any(value in workflow.node("choose").log for value in keys.values() if len(value) > 8 and "\n" in value)


@pytest.mark.thorough
def test_a_name_and_password_in_the_address_are_not_told(made):
    made.give(RESTIC_REPOSITORY="rest:http://somebody:hidden-word@127.0.0.1:9/repository/")

    workflow = made.push()

    assert workflow.phase == "Failed"
    assert "hidden-word" not in repr(workflow) + workflow.node("choose").log


# --- the store ---


@pytest.mark.thorough
def test_no_repository_is_told_and_none_is_made(copies):
    check_nothing(copies, "choose", copies.push(), 1, "repository-init=yes")

    assert not copies.folder.exists()
    check_heals(copies, repository_init="yes")


def look(tmp_path, address, **keys):
    """Open a repository as each phase does first. Its limit is 30 s, and the workflows of these tests are faster."""
    told = {"RESTIC_REPOSITORY": address, "RESTIC_PASSWORD": repositories.PASSWORD, **keys}
    with program.opened(Store("copies", told), tmp_path / "private", tmp_path / "scratch") as restic:
        probe.look(restic)


@pytest.mark.usefixtures("restic_on_path")
def test_a_store_that_is_not_there_is_asked_again_later(s3, tmp_path):
    with pytest.raises(errors.StoreUnanswered) as failed:
        look(tmp_path, NOWHERE, **s3.credentials)

    assert failed.value.exit_code == TRY_AGAIN
    assert "no usable answer" in str(failed.value)


@pytest.mark.usefixtures("restic_on_path")
def test_a_certificate_that_nobody_knows_is_refused_until_the_secret_has_its_authority(s3_of_own_authority, tmp_path):
    address, keys = s3_of_own_authority.bucket().repository(), s3_of_own_authority.credentials

    with pytest.raises(errors.CertificateNotTrusted, match=r"ca\.crt"):
        look(tmp_path, address, **keys)
    with pytest.raises((errors.NoRepository, errors.BucketMissing)):
        look(tmp_path, address, **keys, **{"ca.crt": s3_of_own_authority.ca.read_text()})


@pytest.mark.thorough
def test_credentials_that_may_only_read_end_the_push_at_once(made):
    made.faults.answer(403, methods="PUT", path=DATA)

    workflow = made.push()

    check_nothing(made, "upload", workflow, 1, "refuses")
    assert made.looked.snapshots() == []
    made.faults.heal()
    check_heals(made)


@pytest.mark.thorough
def test_a_bucket_that_is_full_for_a_while_is_asked_again_within_the_same_try(made):
    made.faults.answer(507, methods="PUT", path=DATA, times=2)

    workflow = made.push()

    assert (workflow.phase, codes(workflow, "upload")) == ("Succeeded", [0])


@pytest.mark.thorough
def test_a_full_store_ends_the_push_without_a_snapshot(copies, mount, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    mount(full, "size=128k")
    copies.give(RESTIC_REPOSITORY=f"{full}/repository")

    check_nothing(copies, "upload", copies.push(repository_init="yes"), 1, "full")

    assert not list((full / "repository/snapshots").iterdir())


@pytest.mark.thorough
def test_credentials_that_may_not_delete_at_all_copy_all_the_same(made):
    made.faults.answer(403, methods="DELETE")

    workflow = made.push()

    assert workflow.phase == "Succeeded", message(workflow, "upload")
    assert made.is_pushed()
    assert len(made.looked.snapshots()) == 1
