from pathlib import Path

import pytest

from tests.cluster.node import debs, image

CONTAINERFILE = """
RUN apt-get update \\
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \\
        restic openssh-client \\
    && rm -rf /var/lib/apt/lists/*
"""


@pytest.fixture
def containerfile(tmp_path: Path) -> Path:
    path = tmp_path / "Containerfile"
    path.write_text(CONTAINERFILE)
    return path


def test_the_packages_are_those_that_the_containerfile_installs():
    assert debs.named(CONTAINERFILE) == ["openssh-client", "restic"]


def test_the_image_has_restic_ssh_authorities_and_nss_wrapper():
    named = debs.named(image.CONTAINERFILE.read_text())

    assert named == ["ca-certificates", "libnss-wrapper", "openssh-client", "restic"]


def test_they_are_fetched_once_for_as_long_as_the_names_stay(tmp_path, containerfile):
    scripts = []
    folders = {debs.fetch(tmp_path, containerfile, lambda _, script: scripts.append(script)) for _ in range(2)}
    containerfile.write_text(CONTAINERFILE.replace("openssh-client", "openssh-client curl"))
    folders.add(debs.fetch(tmp_path, containerfile, lambda _, script: scripts.append(script)))

    assert (len(folders), len(scripts)) == (2, 2)


def test_restic_is_of_the_next_debian_and_nothing_else_is(tmp_path, containerfile):
    scripts = []
    debs.fetch(tmp_path, containerfile, lambda _, script: scripts.append(script))

    assert "download restic/trixie" in scripts[0]
    assert "archives=/debs openssh-client\n" in scripts[0]


def test_a_fetch_that_fails_leaves_nothing_that_a_build_takes(tmp_path, containerfile):
    def fail(*_: object) -> None:
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        debs.fetch(tmp_path, containerfile, fail)

    assert not list(tmp_path.glob("debs-*"))
