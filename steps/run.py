"""What every phase is told, and what it leaves for Argo: output parameters and its progress."""

import atexit
import contextlib
import logging
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from steps import __version__, arguments, errors, medium, result, values, volume
from steps.arguments import Given
from steps.claims import Workflow
from steps.cluster import Cluster
from steps.file_storage import Amount, Progress
from steps.result import Counts, Operation, Phase, Result
from steps.values import NO, YES

log = logging.getLogger(__name__)

NOTHING = "-"  # what an output says that says nothing: an empty one is no argument to some versions of Argo
Function = TypeVar("Function", bound=Callable[..., object])
FOLDER = values.NamedPath(path_type=Path)  # what is wrong with it, the phase says better
_PROGRESS_S = 1.5  # told each second, written every other: Argo reads the file every 3 s
_LOG_S = 60.0
_SPARE_S = 30.0  # for some requests and a sync

claim_option = click.option("--claim", type=values.CLAIM, required=True, help="Claim of the backup.")
backup_option = click.option("--backup", "root", type=FOLDER, required=True, help="Where it is mounted.")


def plan_option(operation: Operation) -> Callable[[Function], Function]:
    """Whether it is only said what would be done."""
    return click.option(
        "--plan",
        "plan_only",
        type=click.Choice(arguments.words(operation)),
        default=NO,
        callback=lambda _context, _option, value: arguments.is_plan(operation, value),
        help="only: say what would be done, and change nothing.",
    )


refused_option = click.option(
    "--refused",
    default="",
    callback=lambda _context, _option, value: value == YES,
    help="yes: a person's arguments were refused, so it is no failure.",
)
claim_wait_option = click.option(
    "--claim-wait-s",
    type=values.PAUSE_S,
    default=30.0,
    show_default=True,
    help="How long a claim may take for its volume.",
)


def workers_option(*, told: bool = True) -> Callable[[Function], Function]:
    """How many processes copy; `told` False: only checked, where it can still be refused before anything is made."""
    return click.option(
        "--workers",
        default="",
        callback=_number_or_nothing,
        expose_value=told,
        metavar="NUMBER",
        help="Processes that copy side by side.  [default: as suits the media]",
    )


def _number_or_nothing(context: click.Context, option: click.Parameter, value: str) -> int | None:
    """A workflow passes on what it was not told."""
    return values.Count(1, medium.MOST)(value, option, context) if value else None


@dataclass(frozen=True)
class Run:
    """What every phase is told."""

    namespace: str
    workflow: Workflow
    outputs: Path | None
    request_timeout_s: float
    last_try: bool
    service_account: str = ""
    began: datetime = field(default_factory=result.now)
    given: Given = field(default_factory=Given)

    def cluster(self, namespace: str = "") -> Cluster:
        """The door to the own namespace, or to another one."""
        return Cluster.connect(namespace or self.namespace, self.request_timeout_s)

    def output(self, **values: object) -> None:
        """Leave output parameters, a small file each: names and counts only."""
        if self.outputs is None:
            return
        self.outputs.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            lines = map(errors.printable, str(value).split("\n"))
            (self.outputs / name.replace("_", "-")).write_text("\n".join(lines))

    def tell_plan(self, *, plan_only: bool) -> None:
        """Leave whether it is a mere plan as an output, for the conditions of what follows."""
        self.output(plan=arguments.ONLY if plan_only else NO)

    def tell_refused(self, operation: str) -> None:
        """Leave as an output that the arguments were refused to a person; a schedule's are a failure as any other."""
        self.tell_plan(plan_only=self.given.is_plan(operation))
        by_schedule = self.given.by_schedule or (operation == "backup" and self.given.values.get("schedule"))
        if self.given.values and not by_schedule:
            self.output(refused=YES)

    def need(self, phase: str, seconds: float = 0.0) -> None:
        """See that so much time is left, and some to spare, before a phase changes anything.

        Argo tells the deadline of the pod, its own or the workflow's, which may have waited for an approval.

        Raises:
            errors.TooLittleTime

        """
        left_s = _left_s(os.environ.get("ARGO_DEADLINE", ""))
        if left_s < seconds + _SPARE_S:
            raise errors.TooLittleTime(phase, round(seconds + _SPARE_S), round(left_s))

    def record(self, operation: Operation, claim: str, since: str = "") -> Result:
        """A new record of evidence that says who and when, and no more."""
        return Result(
            tool_version=__version__,
            operation=operation,
            service_account=self.service_account,
            workflow=self.workflow.name,
            workflow_uid=self.workflow.uid,
            namespace=self.namespace,
            claim=claim,
            began=_moment(since) or self.began,
        )

    def phase(self, name: str, counts: Counts | None = None) -> Phase:
        """The phase that runs, for that record and at its end."""
        return result.lasted(name, self.began, result.now(), counts)

    def tell_times(self, name: str) -> None:
        """Leave when this phase began and ended as an output, for a later phase that may write it down."""
        self.output(**{name: f"{self.began.isoformat()}/{result.now().isoformat()}"})

    def begin(self, backup: str) -> volume.Begin:
        return volume.Begin(backup=backup, workflow=self.workflow.name, workflow_uid=self.workflow.uid)


def _left_s(deadline: str) -> float:
    """Seconds until a deadline as Argo writes it; there is none, or a year 1, where nothing limits the pod."""
    try:
        until = datetime.fromisoformat(deadline)
    except ValueError:
        return math.inf
    return math.inf if until.year == 1 else until.timestamp() - time.time()


def told_phase(name: str, times: str) -> list[Phase]:
    """A phase of whose times another has told; none where it was not told of."""
    began, ended = map(_moment, times.partition("/")[::2])
    return [result.lasted(name, began, ended)] if began and ended else []


def _moment(text: str) -> datetime | None:
    """A time as ISO 8601 has it, None where it is none: evidence without it is evidence all the same."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):  # the latter: before the year 1 by UTC
        return None


def progress() -> Progress:
    """Write `N/M` for Argo, at most every 1.5 s and at the end, and to the log each minute; a bar on a terminal."""
    path = os.environ.get("ARGO_PROGRESS_FILE")
    told, logged = 0.0, time.monotonic()
    draw = _bar()

    def show(done: Amount, total: Amount) -> None:
        nonlocal told, logged
        now = time.monotonic()
        draw(done, total)
        if path and (done == total or now - told > _PROGRESS_S):
            told = now
            with contextlib.suppress(OSError):  # a full emptyDir ends no copy
                Path(path).write_text(f"{done.units}/{max(done.units, total.units)}")
        if now - logged > _LOG_S:
            logged = now
            log.info(
                "%d of %d entries, %d of %d MiB are done",
                done.entries,
                max(done.entries, total.entries),
                done.size_bytes >> 20,
                max(done.size_bytes, total.size_bytes) >> 20,
            )

    return show


def _bar() -> Progress:
    """Draw a bar for a person who watches; there is none in a pod."""
    if not sys.stderr.isatty():
        return lambda _done, _total: None
    bars = contextlib.ExitStack()
    atexit.register(bars.close)  # a phase that fails gives the terminal back too
    found: list[Any] = []  # the bar, once the total is known; click keeps its type to itself

    def draw(done: Amount, total: Amount) -> None:
        if done == Amount(0, 0):  # the total is still counted
            return
        if not found:
            made = click.progressbar(length=max(total.units, 1), file=sys.stderr, item_show_func=lambda words: words)
            found.append(bars.enter_context(made))
        words = f"{done.entries}/{total.entries} entries, {done.size_bytes >> 20}/{total.size_bytes >> 20} MiB"
        found[0].update(done.units - found[0].pos, words)
        if done == total:
            bars.close()

    return draw
