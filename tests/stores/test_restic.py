"""Which restic the tests take."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.stores import cache
from tests.stores import restic as programs


@pytest.fixture
def empty_cache(monkeypatch, tmp_path) -> Iterator[None]:
    """A machine that never fetched one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("RESTIC", raising=False)
    programs._fetched.cache_clear()
    yield
    programs._fetched.cache_clear()


def write(path, version):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho restic {version} compiled with go on linux\n")
    path.chmod(0o755)
    return path


@pytest.mark.usefixtures("empty_cache")
def test_restic_of_path_serves_where_it_is_new_enough(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"{tmp_path / 'new'}:/usr/bin:/bin")
    write(tmp_path / "new/restic", "0.20.0")

    assert programs.debian_13().path == tmp_path / "new/restic"


@pytest.mark.usefixtures("empty_cache")
def test_an_old_restic_of_path_does_not_serve(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"{tmp_path / 'old'}:/bin")
    write(tmp_path / "old/restic", "0.14.0")

    assert (programs.debian_13(), programs.newest()) == (None, None)


@pytest.mark.usefixtures("empty_cache")
def test_debian_13_s_and_the_newest_come_from_the_cache(monkeypatch):
    monkeypatch.setenv("PATH", "/bin")
    for version in ("0.18.0", "0.19.1", "0.20.3"):
        write(cache.folder() / f"restic-{version}-1/usr/bin/restic", version)

    assert (programs.debian_13().version, programs.newest().version) == ((0, 18, 0), (0, 20, 3))


@pytest.mark.usefixtures("empty_cache")
def test_the_environment_names_another(monkeypatch, tmp_path):
    monkeypatch.setenv("RESTIC", str(write(tmp_path / "mine", "0.18.1")))

    assert programs.debian_13().path == tmp_path / "mine"


def test_both_are_of_their_versions(restic):
    assert restic.version[:2] >= programs.OLDEST
    assert programs.newest().version >= restic.version


@pytest.mark.usefixtures("empty_cache")
def test_a_fetch_that_fails_leaves_no_half_program():
    def fail(_: object) -> None:
        raise subprocess.CalledProcessError(2, "dpkg-deb")

    with pytest.raises(subprocess.CalledProcessError):
        cache.keep("restic-0.18.0", fail)

    assert list(cache.folder().iterdir()) == []
