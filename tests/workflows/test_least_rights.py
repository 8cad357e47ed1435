"""Credentials that may delete only below `locks/` are enough for everything but forgetting, pruning and repair."""

import pytest

from tests.builders import repositories
from tests.builders.repositories import Looked

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("restic_on_path")]
_ELSEWHERE = r"^/[^/]+/repository/(?!locks/)"


def test_push_verify_and_fetch_delete_nothing_but_their_locks(kept, restic, s3, faults):
    faults.answer(403, methods="DELETE", path=_ELSEWHERE)
    bucket = s3.bucket()
    repositories.give(kept, bucket.repository(faults.address), **s3.credentials)

    runs = [
        kept.engine.submit("threescale-push", {"repository-init": "yes"}),
        kept.verify(repository_nights="1"),
        kept.engine.submit("threescale-fetch", {"name": "back"}),
        kept.engine.submit("threescale-push", {"claim-name": "nightly"}),
    ]

    assert [(run.phase, run.message) for run in runs] == [("Succeeded", "")] * len(runs)
    deleted = {request.path.split("/")[3] for request in faults.requests if request.method == "DELETE"}
    assert deleted == {"locks"}
    assert Looked(restic, bucket.repository(), **s3.credentials).locks() == []
