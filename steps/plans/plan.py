"""The plan of a workflow: all its actions, line by line. A person reads the plan, and the phases keep to it.

A plan depends on the namespace and, for a restore, on the backup. Objects that a restore of this backup has created
count as objects to create. So the digest stays the same during the restore, and a retried workflow still matches the
plan that was approved.
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
    """The action on a thing. The value is the word in the printed plan."""

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
SAVED_FIRST = "the present content is saved to claim WORKFLOW-replaced first"  # a plan is the same for each workflow


class PlanLine(NamedTuple):
    """The action on one thing, with details or a reason. A line holds names, sizes and counts only, never data."""

    does: Does
    what: str
    how: str = ""
    done: bool = False  # already, by the `maker` of the plan
    is_bound: bool = True  # part of the digest


@dataclass
class Plan:
    """The lines in the order of the actions, and the errors that prevent them."""

    of: str  # the digest of a backup's manifest, or the namespace of an installation
    lines: list[PlanLine] = field(default_factory=list)
    objections: list[errors.PhaseError] = field(default_factory=list)
    maker: str = "a restore of this backup"  # made the lines that are `done`

    def add(self, does: Does, what: str, how: str = "", *, done: bool = False, is_bound: bool = True) -> None:
        """Append a line. A line that is not bound may come and go without another digest."""
        self.lines.append(PlanLine(does, what, how, done, is_bound))

    def add_objects(self, standings: Iterable[Standing], asked: str = REFUSE) -> None:
        """Append a line for each object of a backup. `asked` is the action on objects that differ."""
        for each in standings:
            does, how = _of(each, asked)
            self.add(does, str(each), how, done=each.state is ObjectState.MADE)
            for warning in each.also:
                self.add(Does.WARNING, str(each), warning)

    def ask(self, what: str, look: Callable[[], Found]) -> Found | None:
        """Call `look`, and make its error an objection to `what`, so that a person sees all objections at once.

        Returns None after an error.

        Raises:
            errors.NoAnswer, errors.Interrupted: they are no objection, and further requests would take long.

        """
        try:
            return look()
        except (errors.Unanswered, errors.Interrupted):
            raise
        except errors.PhaseError as error:
            self.object_to(what, error)
            return None

    def object_to(self, what: str, error: errors.PhaseError) -> None:
        """Append an objection. If `what` is not empty, the objection gets a line of the plan too."""
        self.objections.append(error)
        if what:
            self.add(Does.REFUSED, what, str(error))

    def check(self) -> None:
        """Log all lines, then raise the first objection, if any."""
        for line in self.text():
            log.info(line)
        self.refuse()

    def refuse(self) -> None:
        """Raise the first objection, if any."""
        for objection in self.objections:
            raise objection

    @property
    def digest(self) -> str:
        """SHA-256 of `of` and of all bound lines, in hexadecimal digits."""
        told = [self.of, *([line.does.value, line.what, line.how] for line in self.lines if line.is_bound)]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    @property
    def summary(self) -> str:
        """Number of lines for each action, in the order of their first lines."""
        counts = Counter(line.does.value for line in self.lines)
        return ", ".join(f"{count} {word}" for word, count in counts.items())

    @property
    def names(self) -> str:
        """One line for each action, with the names of its things. The text is cut to the size of an Argo output."""
        by_word: dict[str, list[str]] = {}
        for line in self.lines:
            by_word.setdefault(line.does.value, []).append(errors.printable(line.what))
        text = "\n".join(f"{word}: {', '.join(names)}" for word, names in by_word.items())
        return text if len(text) <= _NAMES else f"{text[:_NAMES]} ... and more: see the log"

    def text(self) -> Iterator[str]:
        """Yield the lines of the table, then the digest with the summary."""
        # aligned here, because the image of the pods has no rich; names of objects are ASCII
        words = max((len(line.does.value) for line in self.lines), default=0)
        names = max((len(line.what) for line in self.lines), default=0)
        for does, what, how, done, _ in self.lines:
            said = f"{how} (already done by {self.maker})".strip() if done else how
            yield errors.printable(f"{does.value:<{words}}  {what:<{names}}  {said}".rstrip())
        yield f"plan {self.digest}: {self.summary}"

    def as_json(self) -> dict[str, object]:
        """Return the plan for a program: `digest`, `lines` and `objections`, which are `PhaseError.told`."""
        return {
            "digest": self.digest,
            "lines": [
                {"does": line.does.value, "what": line.what, "how": line.how, "done": line.done} for line in self.lines
            ],
            "objections": [each.told for each in self.objections],
        }


def told_lines(text: str) -> list[PlanLine]:
    """Return the lines that another phase has made, from its output. Sizes change, so none is bound."""
    return [PlanLine(Does(does), what, how, is_bound=False) for does, what, how in json.loads(text or "[]")]


def _of(standing: Standing, asked: str) -> tuple[Does, str]:
    """Return the action on an object, with details."""
    does, how = _of_state(standing, asked)
    return does, f"{how}, type {standing.type}".removeprefix(", ") if standing.type else how


def _of_state(standing: Standing, asked: str) -> tuple[Does, str]:
    differs = standing.state is ObjectState.DIFFERS
    if standing.is_barred(asked):
        return Does.REFUSED, "gives access to the cluster"
    if differs and asked == REPLACE and standing.fixed:
        return Does.REFUSED, f"{standing.why}: {standing.fixed}"
    if (differs and asked == REPLACE) or (standing.state is ObjectState.MADE and standing.why):
        return Does.REPLACE, f"{standing.why}: {SAVED_FIRST}"
    does = _OF_CONFLICTS[asked] if differs else _OF_STATES[standing.state]
    return does, objects.size(standing.obj) if does is Does.CREATE else standing.why
