"""What is going to be done, line by line, before anything is: read by a person, and held to by the phases.

A plan is what the namespace, and for a restore the backup, say at one moment. Its digest stays the same while a restore
of this very backup goes on, since what that has made counts as what it makes: so a workflow that was retried still acts
by the plan that was approved.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeVar

from steps import errors
from steps.parts import objects
from steps.parts.conflicts import KEEP, REFUSE, REPLACE, ObjectState, Standing

log = logging.getLogger(__name__)

Found = TypeVar("Found")


class Does(Enum):
    """What happens to a thing; the word is what a person reads."""

    CREATE = "create"
    SAVE = "save"
    RECORD = "record"
    ABSENT = "absent"
    SAME = "same"
    DIFFERS = "differs"
    KEEP = "keep"
    REPLACE = "replace"
    REFUSED = "refused"
    YOURS = "left to you"
    OPERATORS = "left to the operator"
    REWRITTEN = "rewritten"
    STAYS = "stays as it is"
    LEFT_OUT = "left out"
    WAIT = "wait"
    EXPECTED = "expected"
    WARNING = "warning"
    UNSEEN = "unseen"
    NOT_ASKED = "not asked"


_OF_STATES = {
    ObjectState.ABSENT: Does.CREATE,
    ObjectState.MADE: Does.CREATE,
    ObjectState.SAME: Does.SAME,
    ObjectState.GOING: Does.REFUSED,
}
_OF_CONFLICTS = {REFUSE: Does.DIFFERS, KEEP: Does.KEEP, REPLACE: Does.REPLACE}
FILES = "System FileStorage"
_NAMES = 32 << 10  # characters; a workflow with all its nodes has to stay below 1 MiB
SAVED_FIRST = "what is there is saved to claim WORKFLOW-replaced first"  # a plan is the same for each workflow


class PlanLine(NamedTuple):
    """What happens to one thing, and in which way or why; names, sizes and counts only."""

    does: Does
    what: str
    how: str = ""
    done: bool = False  # before, by the same
    is_bound: bool = True  # part of the plan's digest


@dataclass
class Plan:
    """All lines in the order of the action, and what speaks against it."""

    of: str  # the digest of a backup's manifest, or the namespace of an installation
    lines: list[PlanLine] = field(default_factory=list)
    objections: list[errors.PhaseError] = field(default_factory=list)
    maker: str = "a restore of this backup"  # of what is done

    def add(self, does: Does, what: str, how: str = "", *, done: bool = False, is_bound: bool = True) -> None:
        """Put a line at the end; one that is not bound may come and go without another digest."""
        self.lines.append(PlanLine(does, what, how, done, is_bound))

    def add_objects(self, standings: Iterable[Standing], asked: str = REFUSE) -> None:
        """Put a line for each object of a backup at the end; what is `asked` becomes of those that differ."""
        for each in standings:
            does, how = _of(each, asked)
            self.add(does, str(each), how, done=each.state is ObjectState.MADE)
            if each.also:
                self.add_warning(str(each), each.also)

    def add_warning(self, what: str, controller: str) -> None:
        """Put a line at the end that says who else writes an object."""
        self.add(Does.WARNING, what, f"{controller} owns it and may put back what its repository says")

    def ask(self, what: str, look: Callable[[], Found]) -> Found | None:
        """Look, and note what that raises, with a line if it is about `what`: a person would rather see all at once.

        Raises:
            errors.NoAnswer, errors.Interrupted: these speak against nothing, and to go on asking takes long.

        """
        try:
            return look()
        except (errors.Unanswered, errors.Interrupted):
            raise
        except errors.PhaseError as error:
            self.objections.append(error)
            if what:
                self.add(Does.REFUSED, what, str(error))
            return None

    def check(self) -> None:
        """Say all lines, and pass if nothing speaks against it; raises the first objection."""
        for line in self.text():
            log.info(line)
        self.refuse()

    def refuse(self) -> None:
        """Pass if nothing speaks against it; raises the first objection."""
        for objection in self.objections:
            raise objection

    @property
    def digest(self) -> str:
        """SHA-256 of what it is of and of all lines, in hexadecimal digits."""
        told = [self.of, *([line.does.value, line.what, line.how] for line in self.lines if line.is_bound)]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    @property
    def summary(self) -> str:
        """How many lines there are of each kind, in the order of the first."""
        counts = Counter(line.does.value for line in self.lines)
        return ", ".join(f"{count} {word}" for word, count in counts.items())

    @property
    def names(self) -> str:
        """What happens to what, by name: a line of each kind, cut where all are more than Argo takes for an output."""
        by_word: dict[str, list[str]] = {}
        for line in self.lines:
            by_word.setdefault(line.does.value, []).append(errors.printable(line.what))
        text = "\n".join(f"{word}: {', '.join(names)}" for word, names in by_word.items())
        return text if len(text) <= _NAMES else f"{text[:_NAMES]} ... and more: see the log"

    def text(self) -> Iterator[str]:
        """The table, a line at a time, and what it comes to."""
        # aligned by hand: a pod logs it too, and its image has no rich; names of objects are ASCII
        words = max((len(line.does.value) for line in self.lines), default=0)
        names = max((len(line.what) for line in self.lines), default=0)
        for does, what, how, done, _ in self.lines:
            said = f"{how} ({self.maker} made it)".strip() if done else how
            yield errors.printable(f"{does.value:<{words}}  {what:<{names}}  {said}".rstrip())
        yield f"plan {self.digest}: {self.summary}"

    def as_json(self) -> dict[str, object]:
        """The same for a program: `digest`, `lines` and the `objections`, as `PhaseError.told`."""
        return {
            "digest": self.digest,
            "lines": [
                {"does": line.does.value, "what": line.what, "how": line.how, "done": line.done} for line in self.lines
            ],
            "objections": [each.told for each in self.objections],
        }


def _of(standing: Standing, asked: str) -> tuple[Does, str]:
    """What happens to an object, and in which way."""
    does, how = _of_state(standing, asked)
    return does, f"{how}, type {standing.type}".removeprefix(", ") if standing.type else how


def _of_state(standing: Standing, asked: str) -> tuple[Does, str]:
    differs = standing.state is ObjectState.DIFFERS
    if standing.is_barred(asked):
        return Does.REFUSED, "lets somebody sign in to the cluster"
    if differs and asked == REPLACE and standing.fixed:
        return Does.REFUSED, f"{standing.why}: {standing.fixed}"
    if (differs and asked == REPLACE) or (standing.state is ObjectState.MADE and standing.why):
        return Does.REPLACE, f"{standing.why}: {SAVED_FIRST}"
    does = _OF_CONFLICTS[asked] if differs else _OF_STATES[standing.state]
    return does, objects.size(standing.obj) if does is Does.CREATE else standing.why
