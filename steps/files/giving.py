"""Sets mode and times of new entries, as far as the volume keeps them."""

import os
import stat
from pathlib import Path

from steps import errors
from steps.files import permissions, volume
from steps.files.meter import Meter
from steps.files.permissions import Give

GROUP_READ = 0o040
GROUP_WRITE = 0o060
GROUP_EXECUTE = 0o010
EXECUTE = 0o111


class Giver:
    """Sets mode and times of new entries, and counts what the volume refuses.

    `needed` are the permissions, in the group's bits, that a file must have. A folder needs the execute bit too.
    """

    def __init__(self, target: Path, meter: Meter, needed: int) -> None:
        self.target = target
        self.meter = meter
        self._needed = needed
        self._use = "written by System" if needed & GROUP_WRITE == GROUP_WRITE else "read by its group"
        self._inherits: bool | None = None  # whether new files in the current folder get an ACL

    def enter_folder(self) -> None:
        """Forget the answer of `gives_acl` for the previous folder."""
        self._inherits = None

    def gives_acl(self, folder: int) -> bool:
        """Whether new files in the current folder need their mode set again; asked once for each folder."""
        if self._inherits is None:
            self._inherits = permissions.inherits(folder)
        return self._inherits

    def give(self, descriptor: int, path: str, mode: int, mtime_ns: int) -> None:
        """Give an entry its mode and times.

        Raises:
            OSError
            errors.ModeNotKept: the volume does not keep the mode, and the entry would be unusable.

        """
        self.give_mode(descriptor, path, mode)
        if not permissions.give_times(descriptor, mtime_ns):
            self.meter.note(times=True)

    def give_mode(self, descriptor: int, path: str, mode: int) -> None:
        """Give an entry its mode; raises what `give` does."""
        if permissions.give_mode(descriptor, mode):
            return
        self.meter.note(mode=True)
        found = os.fstat(descriptor)
        needed = self._needed | (GROUP_EXECUTE if stat.S_ISDIR(found.st_mode) else 0)
        if not permissions.serves(found, needed):
            raise errors.ModeNotKept(str(self.target / path), _octal(found.st_mode), _octal(mode), self._use)

    def give_found(self, descriptor: int, folder: int, path: str, mode: int, mtime_ns: int) -> bool:
        """Give an existing file its mode and times; False if it belongs to another user."""
        if not permissions.give_mode(descriptor, mode):
            if self._is_anothers(folder, permissions.takes_mode):
                return False
            self.give_mode(descriptor, path, mode)
        if not permissions.give_times(descriptor, mtime_ns):
            if self._is_anothers(folder, permissions.takes_times):
                return False
            self.meter.note(times=True)
        return True

    @staticmethod
    def _is_anothers(folder: int, refused: Give) -> bool:
        return permissions.is_anothers(folder, refused, volume.temporary_name())


def _octal(mode: int) -> str:
    return f"{stat.S_IMODE(mode):04o}"
