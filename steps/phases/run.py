"""What every phase is told, and the output parameters that it leaves for Argo."""

import json
import logging
import math
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from steps import __version__, errors
from steps.archive.begin_marker import Begin
from steps.contract import arguments
from steps.contract.arguments import Given
from steps.contract.names import Operation
from steps.contract.values import NO, YES
from steps.evidence import result
from steps.evidence.result import Counts, Phase, Result
from steps.kubernetes import times
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.workflow import Workflow

log = logging.getLogger(__name__)

_LARGEST = 8 << 10  # characters of an error; the Workflow holds that of each phase
_SPARE_S = 30.0  # for some requests and a sync


@dataclass(frozen=True)
class Run:
    """What every phase is told."""

    namespace: str
    workflow: Workflow
    outputs: Path | None
    request_timeout_s: float
    last_try: bool
    service_account: str = ""
    began: datetime = field(default_factory=times.now)
    given: Given = field(default_factory=Given)
    gives: frozenset[str] | None = None  # names of the phase's outputs; None: no phase is known yet

    def cluster(self, namespace: str = "") -> Cluster:
        """The door to the own namespace, or to another one."""
        return Cluster.connect(namespace or self.namespace, self.request_timeout_s)

    def output(self, **values: object) -> None:
        """Leave output parameters, a small file each: names and counts only; raises KeyError for an undeclared one."""
        told = {name.replace("_", "-"): str(value) for name, value in values.items()}
        if self.gives is not None and (strangers := told.keys() - self.gives):
            raise KeyError(*strangers)
        if self.outputs is None:
            return
        self.outputs.mkdir(parents=True, exist_ok=True)
        for name, text in told.items():
            (self.outputs / name).write_text("\n".join(map(errors.printable, text.split("\n"))))

    def tell_plan(self, *, plan_only: bool) -> None:
        """Leave whether it is a mere plan as an output, for the conditions of what follows."""
        self.output(plan=arguments.ONLY if plan_only else NO)

    def tell_refused(self, operation: str) -> None:
        """Leave as an output that the arguments were refused to a person; a schedule's are a failure as any other."""
        self.tell_plan(plan_only=self.given.is_plan(operation))
        by_schedule = self.given.by_schedule or (operation == "backup" and self.given.values.get("schedule"))
        if self.given.values and not by_schedule:
            self.output(refused=YES)

    def tell_failure(self, error: errors.PhaseError) -> None:
        """Leave the error as an output for a program; one that is long without its facts."""
        told = json.dumps(error.told)
        if len(told) > _LARGEST:
            told = json.dumps({**error.told, "facts": {}})
        self.output(failure=told.replace("{{", r"{\u007b"))  # else Argo takes what a name says for a tag

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
        return result.lasted(name, self.began, times.now(), counts)

    def tell_times(self, name: str) -> None:
        """Leave when this phase began and ended as an output, for a later phase that may write it down."""
        self.output(**{name: f"{self.began.isoformat()}/{times.now().isoformat()}"})

    def begin(self, backup: str) -> Begin:
        return Begin(backup=backup, workflow=self.workflow.name, workflow_uid=self.workflow.uid)


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
