"""The folders that stand for volumes: a lasting one for each claim, and an empty one for each try of a pod.

This machine does not enforce read-only mounts. So the files below such a mount are compared before and after, and a
difference is an error.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from workflows.rehearsal import errors
from workflows.rehearsal.kubelet import container
from workflows.rehearsal.kubelet.container import Mount

TERMINATION_LOG: Final = "/dev/termination-log"

Volume = Mapping[str, Any]
Secrets = Callable[[str], Mapping[str, bytes] | None]  # the data of a Secret by its name


class Volumes:
    """Finds the folder of each mount. Claims are below `folder`."""

    def __init__(self, folder: Path, secrets: Secrets) -> None:
        self._folder = folder
        self._secrets = secrets

    def claim(self, name: str) -> Path:
        """Return the folder of a claim. It is made on first use, so that group 0 can write."""
        folder = self._folder / name
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o2770)
        return folder

    def mounts(self, described: Mapping[str, Any], volumes: Sequence[Volume], folder: Path, where: str) -> list[Mount]:
        """Return the mounts of a container, with the file of its termination message.

        `folder` belongs to the try.
        """
        named = {volume["name"]: volume for volume in volumes}
        mounts = [self._mount(mount, named, folder, where) for mount in described.get("volumeMounts", [])]
        message = new_folder(folder / "message", 0o777) / "termination-log"
        message.touch()
        message.chmod(0o666)
        return [*mounts, Mount(TERMINATION_LOG, message)]

    def _mount(self, mount: Mapping[str, Any], volumes: Mapping[str, Volume], folder: Path, where: str) -> Mount:
        if mount["name"] not in volumes:
            raise errors.UnknownName("volume", mount["name"], where)
        volume = volumes[mount["name"]]
        if "secret" in volume:
            own = new_folder(folder / "volumes" / mount["name"] / Path(mount["mountPath"]).name, 0o755)
            return Mount(mount["mountPath"].rstrip("/"), self._keys(volume["secret"], own, where), True)
        claim = volume.get("persistentVolumeClaim")
        place = self.claim(claim["claimName"]) if claim else new_folder(folder / "volumes" / mount["name"], 0o777)
        read_only = bool(mount.get("readOnly") or (claim or {}).get("readOnly"))
        return Mount(mount["mountPath"].rstrip("/"), place, read_only, str(place) if claim else "")

    def _keys(self, described: Mapping[str, Any], folder: Path, where: str) -> Path:
        """Write the keys of a Secret as files.

        A missing Secret that is not optional is an error, because a pod would wait for it.
        """
        data = self._secrets(described["secretName"])
        if data is None and not described.get("optional"):
            raise errors.UnknownName("Secret", described["secretName"], where)
        for item in described.get("items") or [{"key": key, "path": key} for key in data or {}]:
            if item["key"] in (data or {}):
                (folder / item["path"]).write_bytes((data or {})[item["key"]])
            elif not described.get("optional"):
                raise errors.UnknownName("key of a Secret", item["key"], where)
        return folder


class Writers:
    """Finds out who writes below a read-only mount, while other pods may write to the same volume."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: Counter[str] = Counter()
        self._writing: Counter[str] = Counter()

    @contextmanager
    def watch(self, mounts: list[Mount], where: str) -> Iterator[None]:
        """Compare the read-only volumes before and after, if no other pod was allowed to write in between."""
        written = {mount.claim for mount in mounts if mount.claim and not mount.read_only}
        watched = [mount for mount in mounts if mount.claim and mount.read_only and mount.claim not in written]
        with self._lock:
            quiet = {mount: self._started[mount.claim] for mount in watched if not self._writing[mount.claim]}
            self._started.update(written)
            self._writing.update(written)
        before = {mount: container.snapshot(mount.folder) for mount in quiet}
        try:
            yield
        finally:
            with self._lock:
                self._writing.subtract(written)
                still = [mount for mount in quiet if self._started[mount.claim] == quiet[mount]]
        for mount in still:
            if names := container.changes(before[mount], container.snapshot(mount.folder)):
                raise errors.WrittenReadOnly(mount.path, names, where)


def claims(volumes: Sequence[Volume]) -> list[str]:
    """Name the claims of a pod. A claim that nothing mounts must exist, too."""
    return [
        str(volume["persistentVolumeClaim"]["claimName"]) for volume in volumes if "persistentVolumeClaim" in volume
    ]


def new_folder(folder: Path, mode: int) -> Path:
    """Make a folder with this mode, whatever the umask is. An existing folder stays."""
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(mode)
    return folder
