"""A copy and a fetch start restic few times: each call opens the repository anew, and that takes half a second."""

import re

import pytest

from tests.builders import repositories

MOST = 8  # besides the copy itself

pytestmark = pytest.mark.usefixtures("restic_on_path")


def calls(node):
    """How often restic was called, by command, as the log of a phase tells it."""
    told = re.search(r"restic: (\d+) calls, [\d.]+ s \((.*)\)", node.log)
    found = {command: int(count) for count, command in re.findall(r"(\d+) (\w+) [\d.]+ s", told[2])}
    assert sum(found.values()) == int(told[1])
    return found


@pytest.mark.thorough
def test_a_copy_and_a_fetch_call_restic_at_most_eight_times_besides_the_work_itself(kept, tmp_path):
    repositories.give(kept, tmp_path / "repository")

    push = kept.engine.submit("threescale-push", {"repository-init": "yes"})
    fetch = kept.engine.submit("threescale-fetch", {"name": "back"})

    copied, fetched = calls(push.node("upload")), calls(fetch.node("download"))
    assert (copied.pop("backup"), fetched.pop("restore")) == (1, 1)
    assert 0 < sum(copied.values()) <= MOST
    assert 0 < sum(fetched.values()) <= MOST
