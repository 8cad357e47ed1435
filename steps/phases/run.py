"""The facts that every phase gets, and the output parameters that it writes for Argo."""

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

_LARGEST = 8 << 10  # characters of an error; the Workflow holds the error of each phase
_SPARE_S = 30.0  # for some requests and a sync


@dataclass(frozen=True)
class Run:
    """The facts that every phase gets."""

    namespace: str
    workflow: Workflow
    outputs: Path | None
    request_timeout_s: float
    last_try: bool
    service_account: str = ""
    began: datetime = field(default_factory=times.now)
    given: Given = field(default_factory=Given)
    gives: frozenset[str] | None = None  # names of the phase's outputs; None: the phase is not known yet

    def cluster(self, namespace: str = "") -> Cluster:
        """Connect to the API server, for the own namespace or for another one."""
        return Cluster.connect(namespace or self.namespace, self.request_timeout_s)

    def output(self, **values: object) -> None:
        """Write output parameters, each to a file. They hold names and counts only. Raises KeyError if undeclared."""
        told = {name.replace("_", "-"): str(value) for name, value in values.items()}
        if self.gives is not None and (strangers := told.keys() - self.gives):
            raise KeyError(*strangers)
        if self.outputs is None:
            return
        self.outputs.mkdir(parents=True, exist_ok=True)
        for name, text in told.items():
            (self.outputs / name).write_text("\n".join(map(errors.printable, text.split("\n"))))

    def tell_plan(self, *, plan_only: bool) -> None:
        """Output whether the run is only a plan, for the conditions of later phases."""
        self.output(plan=arguments.ONLY if plan_only else NO)

    def tell_refused(self, operation: str) -> None:
        """Output that a person's arguments were refused. Refused arguments of a schedule count as a failure."""
        self.tell_plan(plan_only=self.given.is_plan(operation))
        by_schedule = self.given.by_schedule or (operation == "backup" and self.given.values.get("schedule"))
        if self.given.values and not by_schedule:
            self.output(refused=YES)

    def tell_failure(self, error: errors.PhaseError) -> None:
        """Output the error as JSON for a program. A long error is written without its facts."""
        told = json.dumps(error.told)
        if len(told) > _LARGEST:
            told = json.dumps({**error.told, "facts": {}})
        self.output(failure=told.replace("{{", r"{\u007b"))  # else Argo would replace it as a tag

    def need(self, phase: str, seconds: float = 0.0) -> None:
        """Check before a phase changes anything that `seconds` and 30 s more are left.

        Argo gives the deadline of the pod, its own or the workflow's. The workflow may have waited for an approval.

        Raises:
            errors.TooLittleTime

        """
        left_s = _left_s(os.environ.get("ARGO_DEADLINE", ""))
        if left_s < seconds + _SPARE_S:
            raise errors.TooLittleTime(phase, round(seconds + _SPARE_S), round(left_s))

    def record(self, operation: Operation, claim: str, since: str = "") -> Result:
        """Return a new result record that holds only who runs the operation, and since when."""
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
        """Return this phase for the result record. Call this at the end of the phase."""
        return result.lasted(name, self.began, times.now(), counts)

    def tell_times(self, name: str) -> None:
        """Output when this phase began and ended, for a later phase that may write the result record."""
        self.output(**{name: f"{self.began.isoformat()}/{times.now().isoformat()}"})

    def begin(self, backup: str) -> Begin:
        return Begin(backup=backup, workflow=self.workflow.name, workflow_uid=self.workflow.uid)


def _left_s(deadline: str) -> float:
    """Return the seconds until Argo's deadline. It is missing, or in the year 1, if nothing limits the pod."""
    try:
        until = datetime.fromisoformat(deadline)
    except ValueError:
        return math.inf
    return math.inf if until.year == 1 else until.timestamp() - time.time()


def told_phase(name: str, times: str) -> list[Phase]:
    """Return an earlier phase from the times in its output. Empty if the output is."""
    began, ended = map(_moment, times.partition("/")[::2])
    return [result.lasted(name, began, ended)] if began and ended else []


def _moment(text: str) -> datetime | None:
    """Read an ISO 8601 time. None if it is invalid, because a record without this time is still of use."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):  # the latter: before the year 1 by UTC
        return None
