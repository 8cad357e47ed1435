"""A file tree as a stream of entries in one stable order: each folder before its content, names by their bytes.

A worker takes one folder at a time with its other entries, and returns the folders in it as new tasks. Each entry is
opened from a descriptor of its folder: a path may be longer than the system allows, and a name needs one look-up. The
visitor decides what to do with an entry: list, read or copy it.

An errno proves nothing. NFS and GlusterFS may return ENOENT, ENOTDIR, ELOOP, ENXIO or ESTALE for entries that exist
(nfs-ganesha#341, glusterfs#2574 and #3436). So an entry counts as vanished only after a second look: its folder is
opened again, and neither finds nor lists the name.
"""

import errno
import functools
import os
import stat
from collections.abc import Callable, Container, Iterable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from steps.files import directory
from steps.files.ahead import More
from steps.files.beneath import closed, open_folder, open_top
from steps.files.directory import KINDS, Leaf
from steps.files.mtree import FILE, FOLDER, Entry
from steps.files.reading import Named, Stream
from steps.files.tally import Doubt, Lost, Taken, Why
from steps.process import interruption

TOGETHER = 128  # names in one task
LOOKS = 3  # at an entry that exists and could not be opened
_NO_PROOF = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.EINVAL}
)  # the system returns these for a name that is gone or has another kind now, and network volumes at other times too


class Folder(NamedTuple):
    """A task: a folder with its entries; `made`: the task above created its copy; `looks`: number of earlier looks."""

    path: str
    made: bool = False
    looks: int = 0


class Names(NamedTuple):
    """A task: further names of a folder, or one name that is `alone` because its file is large."""

    folder: str
    leaves: Sequence[Leaf]
    alone: bool = False
    looks: int = 0


class Left(NamedTuple):
    """A folder whose entries were taken later than the folder itself, and which can be settled now."""

    folder: Entry


Task = Folder | Names
Take = Callable[[str, str, str, Stream], Taken | More]  # of a path, its name and its kind


class Visitor(Protocol):
    """Handles the entries of a tree, in the workers."""

    top: int  # a descriptor of the tree's root

    def folder(self, here: int, task: Folder) -> list[Any]:
        """Take an opened folder. The path of the root is empty. Raises OSError if the folder can't be read."""

    def names(self, here: int, task: Names) -> list[Any]:
        """Take some names of an opened folder."""


def act(visitor: Visitor, task: Task) -> list[Any]:
    """Do a task of a walk. Entries that could not be taken get a second look."""
    try:
        items = _act(visitor, task)
    except OSError as error:
        if isinstance(task, Folder) and not task.path and is_no_proof(error) and task.looks < LOOKS:
            return act(visitor, task._replace(looks=task.looks + 1))
        items = _doubt_task(task, error)
    return _decided(visitor, items, looks=task.looks, alone=isinstance(task, Names) and task.alone)


def look_again(visitor: Visitor, doubts: Sequence[Doubt]) -> list[Any]:
    """Take entries of one folder that were set aside, in their present state."""
    return _decided(visitor, doubts, looks=0, alone=False)


def _act(visitor: Visitor, task: Task) -> list[Any]:
    with closed(open_folder(visitor.top, task.path if isinstance(task, Folder) else task.folder)) as here:
        return visitor.folder(here, task) if isinstance(task, Folder) else visitor.names(here, task)


def _doubt_task(task: Task, error: OSError) -> list[Any]:
    if isinstance(task, Folder):
        return [doubted(task.path, error, is_folder=True)]
    return [doubted(directory.join(task.folder, leaf.name), error) for leaf in task.leaves]


def doubted(path: str, error: OSError, *, is_folder: bool = False) -> Doubt | Lost:
    """Doubt for an entry that may have vanished, Lost for one that can't be read. The root never vanishes."""
    if path and error.errno in _NO_PROOF:
        return Doubt(path, is_folder)
    return Lost(path or ".", Why.UNREADABLE)


def is_no_proof(error: OSError) -> bool:
    """Whether an error may mean that a name is gone. On a network volume the name may still exist."""
    return error.errno in _NO_PROOF


# --- the second look ---


def _decided(visitor: Visitor, items: Sequence[Any], *, looks: int, alone: bool) -> list[Any]:
    """Replace each doubt by the result of a second look. All doubts of a task are in one folder."""
    while doubts := [item for item in items if isinstance(item, Doubt)]:
        looks += 1
        answers = iter(_second_look(visitor, doubts, looks, alone=alone))
        items = [each for item in items for each in (next(answers) if isinstance(item, Doubt) else (item,))]
    return list(items)


def _second_look(visitor: Visitor, doubts: Sequence[Doubt], looks: int, *, alone: bool) -> list[list[Any]]:
    """Open the folder again, and take each entry in its present state. After three looks it counts as unreadable."""
    folder = doubts[0].path.rpartition("/")[0]
    here = _reached(visitor.top, folder)
    if isinstance(here, Lost):
        return [[Lost(each.path, here.why, here.gone)] for each in doubts]
    answers: list[list[Any]] = []
    with closed(here):
        listed = functools.cache(partial(directory.names_in, here))
        for path, is_folder in doubts:
            name = path.rpartition("/")[2]
            seen = _seen(here, name, listed)
            kind = seen if isinstance(seen, Why) else KINDS.get(stat.S_IFMT(seen.st_mode), Why.SPECIAL)
            if isinstance(kind, Why):
                answers.append([Lost(path, kind, path if is_folder else "")])
            elif looks > LOOKS:
                answers.append([Lost(path, Why.UNREADABLE)])
            else:
                answers.append(_taken_as(visitor, here, Names(folder, [Leaf(name, kind)], alone, looks)))
    return answers


def _taken_as(visitor: Visitor, here: int, task: Names) -> list[Any]:
    try:
        items = visitor.names(here, task)
    except OSError as error:
        return [doubted(directory.join(task.folder, leaf.name), error) for leaf in task.leaves]
    return [
        item._replace(task=item.task._replace(looks=task.looks)) if isinstance(item, More) else item for item in items
    ]


def _seen(here: int, name: str, listed: Callable[[], Container[str]]) -> os.stat_result | Why:
    """The status of a name in a folder. If it is not found, the listing of the folder decides why."""
    try:
        return os.stat(name, dir_fd=here, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_PROOF:
            return Why.UNREADABLE
    try:
        return Why.HIDDEN if name in listed() else Why.VANISHED
    except OSError:
        return Why.UNREADABLE


def _reached(top: int, path: str) -> int | Lost:
    """Open a folder part by part, or return the part of its path that vanished or can't be opened."""
    here, at = os.dup(top), ""
    for name in path.split("/") if path else ():
        at = directory.join(at, name)
        with closed(here) as above:
            inner = _entered(above, name)
        if isinstance(inner, Why):
            return Lost(at, inner, at if inner is Why.VANISHED else "")
        here = inner
    return here


def _entered(above: int, name: str) -> int | Why:
    for _ in range(LOOKS):
        try:
            return open_folder(above, name)
        except OSError as error:
            if error.errno not in _NO_PROOF:
                return Why.UNREADABLE
        seen = _seen(above, name, partial(directory.names_in, above))
        if isinstance(seen, Why):
            return seen
        if not stat.S_ISDIR(seen.st_mode):
            return Why.VANISHED  # something else has its name
    return Why.UNREADABLE


# --- taking ---


def in_order(
    folder: str, leaves: Sequence[Leaf], take: Callable[[Sequence[Leaf]], list[Any]], made: Callable[[str], bool]
) -> list[Any]:
    """Take the names of a folder in order: up to `TOGETHER` now, the others and the folders as tasks of their own."""
    items: list[Any] = []
    room = TOGETHER
    for is_folder, run in groupby(leaves, key=lambda leaf: leaf.kind == FOLDER):
        if is_folder:
            items += [More(Folder(directory.join(folder, leaf.name), made(leaf.name))) for leaf in run]
            continue
        names = list(run)
        items += take(names[:room]) if room else []
        items += [More(Names(folder, names[at : at + TOGETHER])) for at in range(room, len(names), TOGETHER)]
        room = max(0, room - len(names))
    return items


def by_itself(path: str) -> More:
    """The task for a large file, in its place."""
    folder, _, name = path.rpartition("/")
    return More(Names(folder, [Leaf(name, FILE)], alone=True), apart=True)


def take_each(folder: str, opened: Iterable[tuple[Named, Stream]], take: Take) -> list[Any]:
    """Take names of a folder one by one. Entries that fail become Lost or Doubt."""
    items: list[Any] = []
    above = directory.join(folder, "")
    for (name, kind), stream in opened:
        interruption.point()
        path = above + name
        try:
            items.append(take(path, name, kind, stream))
        except OSError as error:
            items.append(doubted(path, error))
    return items


def open_tree(root: Path) -> int:
    """Open the root of a tree, three times at most; the caller closes it.

    Raises:
        OSError

    """
    for _ in range(LOOKS):
        try:
            return open_top(root)
        except OSError as error:
            if not is_no_proof(error):
                raise
    return open_top(root)
