"""What lies below an opened folder is opened and listed without following a link."""

import errno
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from steps.files import beneath


@pytest.fixture(params=["openat2", "part by part"])
def top(request, tmp_path, monkeypatch):
    """An opened folder, and both ways to go down from it."""
    if request.param == "part by part":
        monkeypatch.setattr(beneath, "_knows_openat2", lambda: False)
    elif not beneath._knows_openat2():
        pytest.skip("this kernel, or its seccomp profile, has no openat2")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_bytes(b"outside")
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "root/a/b/file").write_bytes(b"inside")
    (tmp_path / "root/link").symlink_to(tmp_path / "outside")
    (tmp_path / "root/a/near").symlink_to("b")
    with beneath.closed(beneath.open_top(tmp_path / "root")) as opened:
        yield opened


def content(descriptor):
    with beneath.closed(descriptor):
        return os.read(descriptor, 100)


def test_a_path_of_several_parts_is_opened(top):
    assert content(beneath.open_file(top, "a/b/file")) == b"inside"
    with beneath.closed(beneath.open_folder(top, "a/b")) as folder:
        assert beneath.names(folder) == ["file"]


@pytest.mark.parametrize("path", ["link/file", "a/near/file", "link", "a/near"])
def test_no_part_of_a_path_may_be_a_link_wherever_it_leads(top, path):
    with pytest.raises(OSError, match=r"Too many levels of symbolic links|Not a directory"):
        beneath.open_folder(top, path)


@pytest.mark.parametrize("path", ["../outside/file", "a/../../outside/file", "a/b/../../../outside/file"])
def test_no_path_leads_out(top, path):
    with pytest.raises(OSError, match="Invalid cross-device link"):
        beneath.open_file(top, path)


def test_a_path_longer_than_the_system_takes_is_opened(top):
    here, parts = os.dup(top), ["n" * 200] * 30
    for part in parts:
        os.mkdir(part, dir_fd=here)
        above, here = here, os.open(part, os.O_RDONLY, dir_fd=here)
        os.close(above)
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)

    with beneath.closed(beneath.open_folder(top, "/".join(parts))) as folder:
        assert beneath.names(folder) == ["file"]


def test_a_root_that_is_a_link_is_not_opened(tmp_path):
    (tmp_path / "link").symlink_to(".")

    with pytest.raises(NotADirectoryError):
        beneath.open_top(tmp_path / "link")


def test_what_is_no_regular_file_is_not_waited_for_and_told_as_such(top, tmp_path):
    os.mkfifo(tmp_path / "root/fifo")
    (tmp_path / "root/to-a-file").symlink_to("a/b/file")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "root/s"))

    for name in ("fifo", "to-a-file", "s", "a"):
        with pytest.raises(OSError, match="not a regular file") as found:
            beneath.open_file(top, name)
        assert found.value.errno == errno.EINVAL


@pytest.mark.parametrize("names", [["a"], ["plain", "caf\udce9", "ü" * 60, "x" * 255], []])
def test_names_that_a_listing_lacked_are_found(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()

    with beneath.closed(beneath.open_top(tmp_path)) as folder:
        assert beneath.unlisted(folder, os.listdir(folder)) == []
        assert sorted(beneath.unlisted(folder, [])) == sorted(names)
        assert beneath.unlisted(folder, [*names, *names]) == []
        assert sorted(os.listdir(folder)) == sorted(names)  # which begins where it should


def test_a_folder_of_many_names_is_compared_over_several_calls(tmp_path):
    names = [f"{number:05}-{'n' * 60}" for number in range(3000)]
    for name in names:
        (tmp_path / name).touch()

    with beneath.closed(beneath.open_top(tmp_path)) as folder:
        assert beneath.unlisted(folder, names[:-1]) == names[-1:]


def test_a_folder_that_can_not_be_read_to_its_end_is_an_error(tmp_path):
    with beneath.closed(beneath.open_top(tmp_path)) as folder:
        tmp_path.rmdir()  # getdents64 answers ENOENT then, which a C library takes for the end
        assert os.listdir(folder) == []
        with pytest.raises(FileNotFoundError):
            beneath.unlisted(folder, [])


def test_threads_that_list_at_once_do_not_see_each_other_s_names(tmp_path):
    folders = [tmp_path / letter for letter in "abcd"]
    for folder in folders:
        folder.mkdir()
        for number in range(200):
            (folder / f"{folder.name * 20}-{number}").touch()

    def strange(folder):
        with beneath.closed(beneath.open_top(folder)) as opened:
            return [name for _ in range(50) for name in beneath.unlisted(opened, []) if name[0] != folder.name]

    with ThreadPoolExecutor(len(folders)) as threads:
        assert list(threads.map(strange, folders)) == [[]] * len(folders)
