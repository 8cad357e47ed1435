"""The S3 server of the tests keeps a restic repository, and its proxy fails as stores do."""

import http.client
import time
from contextlib import closing

import pytest

PASSWORD = {"RESTIC_PASSWORD": "a password of the tests"}


@pytest.fixture
def bucket(s3):
    return s3.bucket()


@pytest.fixture
def environment(s3, bucket, faults):
    """Of a repository in the bucket, reached through the proxy."""
    return {**PASSWORD, **s3.credentials, "RESTIC_REPOSITORY": bucket.repository(faults.address)}


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "file").write_text("content\n")
    return folder


def test_a_backup_comes_back_from_a_bucket(each_restic, s3, bucket, tree, tmp_path):
    environment = {**PASSWORD, **s3.credentials, "RESTIC_REPOSITORY": bucket.repository()}
    each_restic.run(environment, "init")
    each_restic.run(environment, "backup", tree)
    each_restic.run(environment, "restore", "latest", "--target", tmp_path / "back")

    assert (tmp_path / "back" / tree.relative_to("/") / "file").read_text() == "content\n"
    assert (bucket.folder / "repository" / "config").is_file()


def test_a_request_without_a_signature_is_refused(s3, bucket):
    with closing(http.client.HTTPConnection("127.0.0.1", s3.port, timeout=5)) as asked:
        asked.request("GET", f"/{bucket.name}")
        answer = asked.getresponse()
        said = answer.read().decode()

    assert answer.status == 400
    assert "<Code>" in said


def test_a_certificate_of_an_own_authority_is_believed_with_ca_crt_alone(restic, s3_of_own_authority):
    bucket = s3_of_own_authority.bucket()
    environment = {**PASSWORD, **s3_of_own_authority.credentials, "RESTIC_REPOSITORY": bucket.repository()}
    restic.run(environment, "--cacert", s3_of_own_authority.ca, "init")

    assert (bucket.folder / "repository" / "config").is_file()


def test_the_proxy_forwards_and_counts(restic, environment, faults, tree):
    restic.run(environment, "init")
    restic.run(environment, "backup", tree)

    assert {"GET", "PUT", "HEAD"} <= {request.method for request in faults.requests}
    assert sum(request.sent_bytes for request in faults.requests) > 0


def test_a_fault_for_the_next_two_requests_ends_by_itself(restic, environment, faults, tree):
    restic.run(environment, "init")
    before = len(faults.requests)
    faults.answer(503, times=2, methods="PUT")
    restic.run(environment, "backup", tree)

    assert [request.status for request in faults.requests[before:] if request.method == "PUT"][:2] == [503, 503]


def test_a_refusal_for_all_stays_until_it_is_healed(restic, environment, faults):
    restic.run(environment, "init")
    faults.answer(403)
    refused = restic.run(environment, "cat", "config", check=False)
    faults.heal()

    assert refused.returncode != 0
    assert restic.run(environment, "cat", "config").returncode == 0


def test_a_lost_object_is_missed(restic, environment, faults, tree):
    restic.run(environment, "init")
    restic.run(environment, "backup", tree)
    faults.lose(r"/data/")
    missed = restic.run(environment, "check", "--read-data", check=False)

    assert missed.returncode != 0


def test_a_dropped_connection_is_tried_again(restic, environment, faults):
    restic.run(environment, "init")
    faults.drop(times=1)
    restic.run(environment, "cat", "config")

    assert None in {request.status for request in faults.requests}


def test_a_slow_store_takes_its_time(restic, environment, faults):
    restic.run(environment, "init")
    faults.slow(0.5, times=2)
    started = time.monotonic()
    restic.run(environment, "cat", "config")

    assert time.monotonic() - started > 1
