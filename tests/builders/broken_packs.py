"""Sealed backups in a real repository in a folder, opened as a phase opens it, and damage to its files."""

from contextlib import contextmanager

from steps.archive import contents
from steps.repository import upload
from steps.restic import program
from steps.restic.store import Store

PASSWORD = "a password for the tests of repositories"  # noqa: S105  not one of a server
ORIGIN = "0123456789abcdef"


@contextmanager
def opened(folder):
    """Open restic for the repository below a folder."""
    told = {"RESTIC_REPOSITORY": str(folder / "repository"), "RESTIC_PASSWORD": PASSWORD}
    with program.opened(Store("threescale-repository", told), folder / "private", folder / "scratch") as restic:
        yield restic


def push(restic, root):
    """The proved snapshot of the backup at `root`."""
    return upload.upload(restic, contents.open_at(root), ORIGIN, "", lambda *_: None).snapshot


def packs_of(restic, kind):
    """The packs that hold trees alone, or data alone."""
    found = {}
    for index in restic.run("list", "index", "--no-lock").decode().split():
        for pack in restic.json("cat", "index", "--no-lock", index)["packs"]:
            found[pack["id"]] = {blob["type"] for blob in pack["blobs"]}
    return sorted(pack for pack, kinds in found.items() if kinds == {kind})


def path_of(folder, pack):
    return folder / "repository/data" / pack[:2] / pack


def flip(path, at=200):
    """Change four bytes of a file."""
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[at : at + 4] = bytes(byte ^ 0xFF for byte in data[at : at + 4])
    path.write_bytes(data)


def truncate(path):
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
