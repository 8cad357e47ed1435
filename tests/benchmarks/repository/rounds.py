"""The rounds: each night of a set is pushed and fetched, by the phases and by hand in turn, on like repositories."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.copying import sets
from tests.benchmarks.copying.sets import Set
from tests.benchmarks.repository import claims, programs, stores
from tests.benchmarks.repository.claims import Namespace
from tests.benchmarks.repository.stores import Place
from workflows import fetch, push

PHASE, HAND = "phase", "by hand"
PUSH, FETCH, PREPARE = "push", "fetch", "prepare"
_WORK = {PUSH: "backup", FETCH: "restore", PREPARE: ""}
_BACK = "back"


@dataclass(frozen=True)
class Round:
    """One program once. `seconds` are those of all of it, `restic_s` those of `restic backup` or `restore` in it."""

    set: str
    scale: float
    night: int
    store: str
    action: str
    program: str
    number: int
    files: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    restic_s: float = 0.0
    calls: dict[str, list[float]] = field(default_factory=dict)
    restic_mib: float = 0.0
    python_mib: float = 0.0
    together_mib: float = 0.0
    scratch_mib: float = 0.0
    requests: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    added_bytes: int = 0
    metadata_bytes: int = 0
    room_bytes: int = 0


def run(wanted: Set, kind: str, rounds: int, folder: Path, say: Callable[[str], None]) -> Iterator[Round]:
    """Measure a set's first and second night with one kind of store."""
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    sets_folder = folder / "sets"
    sets_folder.mkdir(parents=True, exist_ok=True)
    census = sets.make(wanted, sets_folder)
    source = sets_folder / wanted.folder
    with claims.namespace(work) as namespace, stores.place(kind, work / "stores") as place:
        common = {"set": wanted.name, "scale": wanted.scale, "store": kind}
        common |= {"files": census.files, "size_bytes": census.size_bytes}
        for night in (1, 2):
            if night == 2:
                claims.change(wanted, source, f"{night}")
            namespace.seal(source, f"night-{night}", night)
            say(f"{wanted.name}, {kind}, night {night}: {census.files} files are sealed")
            measure = _Night(namespace, place, work, {**common, "night": night})
            yield from measure.rounds(rounds)
            if night == 1:
                measure.keep()
    shutil.rmtree(work)


class _Night:
    """One night. The repository `first` holds the night before it."""

    def __init__(self, namespace: Namespace, place: Place, work: Path, common: dict[str, Any]) -> None:
        self._namespace, self._place, self._work, self._common = namespace, place, work, common
        self._claim = f"night-{common['night']}"
        self._root = namespace.engine.volume(self._claim)

    def rounds(self, count: int) -> Iterator[Round]:
        """Push and fetch; the program that comes first changes from round to round."""
        for number in range(count):
            order = (PHASE, HAND) if number % 2 == 0 else (HAND, PHASE)
            for program in order:
                yield from self._push(program, number)
            for program in order:
                yield from self._fetch(program, number)
            for program in set(order) - ({PHASE} if number == count - 1 else set()):
                self._place.drop(_of(program))

    def keep(self) -> None:
        """Keep the last repository of the phases for the next night."""
        (self._place.folder / _of(PHASE)).rename(self._place.folder / "first")

    def _push(self, program: str, number: int) -> Iterator[Round]:
        name = _of(program)
        store = self._place.make(name, "first" if self._common["night"] > 1 else "")
        aside = programs.opened(store, self._fresh("aside"))
        if self._common["night"] == 1:
            aside.run("init")
        before = programs.tree_bytes(aside), self._place.room(name)
        self._begin()
        if program == PHASE:
            words = ("push", "upload", "--claim", self._claim, "--backup", str(self._root))
            found = self._phase(store, push.NAME, words)
        else:
            found = programs.by_hand(store, self._fresh("hand"), programs.backup_words(self._root))
        counted = self._place.counted()
        after = programs.tree_bytes(aside), self._place.room(name)
        grown = {"metadata_bytes": after[0] - before[0], "added_bytes": after[1] - before[1], "room_bytes": after[1]}
        yield self._round(PUSH, program, number, found, counted, **grown)

    def _fetch(self, program: str, number: int) -> Iterator[Round]:
        store = self._place.store(_of(program))
        if program == PHASE:
            self._begin()
            found = self._phase(store, fetch.NAME, ("fetch", "prepare", "--name", _BACK, "--backup", self._claim))
            yield self._round(PREPARE, program, number, found, self._place.counted())
            target, snapshot = self._namespace.engine.volume(_BACK), found["outputs"]["snapshot"]
            target.mkdir(parents=True, exist_ok=True)
            self._begin()
            words = ("--claim", _BACK, "--source", store.name, "--snapshot", snapshot, "--backup", str(target))
            found = self._phase(store, fetch.NAME, ("fetch", "download", *words))
        else:
            snapshot = programs.latest(programs.opened(store, self._fresh("aside")))
            target = self._fresh("target")
            self._begin()
            found = programs.by_hand(store, self._fresh("hand"), programs.restore_words(snapshot, target))
        yield self._round(FETCH, program, number, found, self._place.counted())
        self._whole(target)
        used = self._work / "used" / f"{self._claim}-{number}-{_of(program)}"  # removed later: see the README
        used.parent.mkdir(exist_ok=True)
        target.rename(used)
        if program == PHASE:
            self._namespace.drop(_BACK)

    def _phase(self, store: Any, account: str, words: tuple[str, ...]) -> dict[str, Any]:
        folder = self._fresh("phase")
        secret = programs.mounted(store, folder / "repositories")
        return programs.phase(self._namespace.kubeconfig(account), secret, folder, words)

    def _whole(self, target: Path) -> None:
        """Check that as much came back as the set has."""
        found = sets.census(target / claims.layout.TREE)
        if (found.files, found.size_bytes) != (self._common["files"], self._common["size_bytes"]):
            raise RuntimeError(f"{target}: {found} came back")

    def _begin(self) -> None:
        os.sync()
        self._place.counted()

    def _fresh(self, name: str) -> Path:
        shutil.rmtree(self._work / name, ignore_errors=True)
        (self._work / name).mkdir(parents=True)
        return self._work / name

    def _round(
        self, action: str, program: str, number: int, found: dict[str, Any], counted: tuple[int, int, int], **more: int
    ) -> Round:
        calls = found.get("calls", {})
        restic_s = calls.get(_WORK[action], [0, 0.0])[1] if program == PHASE else found["seconds"]
        told = {name: found[name] for name in ("seconds", "restic_mib", "python_mib", "together_mib", "scratch_mib")}
        requests, sent, received = counted
        seen = {"requests": requests, "sent_bytes": sent, "received_bytes": received}
        return Round(
            **self._common, action=action, program=program, number=number, restic_s=restic_s, calls=calls,
            **told, **seen, **more,
        )  # fmt: skip


def _of(program: str) -> str:
    return f"repository-{program.replace(' ', '-')}"
