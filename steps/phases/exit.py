"""The exit phases: they report the end of a workflow in its log, in its result record, and to a URL of the user's.

They never fail. A pod that never started has no error message; for it, the last event of the pod is reported, or of a
claim that waits for its volume. A notification has the result record, if there is one in the namespace. The record of
a complete backup is on its volume, which is not mounted here, so the labels of its claim are used.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from steps import errors
from steps.archive import marks
from steps.catalogue import backup_claims
from steps.contract import arguments
from steps.contract.exit_contract import ExitNotify, ExitReport
from steps.contract.values import YES
from steps.evidence import records, result
from steps.evidence.result import Failure, Result
from steps.kubernetes import events, fields, mounting, times
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, POD, Object
from steps.kubernetes.workflow import WORKFLOW_LABEL
from steps.phases.command_line import PhaseCommand
from steps.phases.run import Run

log = logging.getLogger(__name__)

REFUSED_ADVICE = "Nothing was changed, and the run does not count as failed. Correct the arguments and submit again."
SEALED_ADVICE = (
    "The backup is complete on its claim. What failed came after its seal. If that was the copy to a repository, fix "
    "the reported problem and run the failed phases again with `argo retry WORKFLOW`, or submit threescale-push."
)
_OF_OTHERS = ("child ", "No more retries left", "retryStrategy.expression evaluated to false")
_FIELDS = ("templateName", "message", "podName", "finishedAt")  # of a node in workflow.failures
_COMPARED = 1000  # characters of a message; the kubelet cuts a long one
_EXIT_CODE = "(exit code "  # in the message of a container that ran
_SUCCEEDED = "Succeeded"  # a status of Argo


def _report(run: Run, told: ExitReport) -> None:
    refused, is_plan = told.refused == YES, arguments.is_plan(told.of, told.plan)
    sealed = told.of == "backup" and not refused and not is_plan and _label_failed(run, told.claim or run.workflow.name)
    advice = REFUSED_ADVICE if refused else SEALED_ADVICE if sealed else told.advice
    failed: list[FailedNode] = []
    held_back: list[str] = []
    try:
        failed = read_failures(told.failures, told.errors)
        held_back = waiting_pods(run.cluster(), run.workflow.name, failed, told.pod)
        text = explain(run.workflow.name, failed, held_back, advice)
    except Exception as error:  # noqa: BLE001  the rest is reported after any error; its message may quote data
        text = f"workflow {run.workflow.name} did not succeed, the reason is unknown ({type(error).__name__}); {advice}"
    for line in text.split("\n"):
        log.info(line)
    run.output(report=text)
    if is_plan or sealed or told.of not in records.NAMES:
        return

    def fail(found: Result) -> Result:
        return found.failed([item.failure for item in failed], held_back, advice, refused=refused)

    called = told.claim or (run.workflow.name if told.of == "backup" else "")
    records.note(run.cluster, run.record(told.of, called, since=told.began), fail)


def _label_failed(run: Run, claim: str) -> bool:
    """Label the backup's claim as failed, unless the backup is sealed. Return whether it is sealed."""
    try:
        return backup_claims.give_up(run.cluster(), claim, run.workflow)
    except errors.PhaseError as error:
        log.info("claim %s: not labelled as failed: %s", claim, error)
    return False


def _notify(run: Run, told: ExitNotify) -> None:
    from steps.evidence import notification  # imported here, so that other phases start sooner

    if arguments.is_plan(told.of, told.plan):
        log.info("notification: not sent, because the run was only a plan")
        return
    begun = run.record(told.of, told.claim or (run.workflow.name if told.of in records.NAMES else ""), since=told.began)
    try:
        url = notification.read_url(told.secret / "url")
        content = notification.body(_told(run, _ended(begun, told)), told.form)
        notification.post(url, content, authority=told.secret / "ca.crt", limit_s=told.limit_s)
        said = "sent"
    except errors.PhaseError as error:
        said = f"not sent: {error}"
    except Exception as error:  # noqa: BLE001  it must not fail a good run; its message may quote data
        said = f"not sent: {errors.Unexpected.at(error)}"
    log.info("notification: %s", said)
    run.output(notification=said)


report = PhaseCommand(ExitReport, _report)
notify = PhaseCommand(ExitNotify, _notify)


def _ended(begun: Result, told: ExitNotify) -> Result:
    """Return the result of the workflow as Argo's tags give it."""
    if told.status == _SUCCEEDED:
        return begun.model_copy(update={"outcome": result.SUCCEEDED, "ended": times.now()})
    try:
        failed = [item.failure for item in read_failures(told.failures, told.errors)]
    except ValueError:
        failed = []
    refused = told.refused == YES
    return begun.failed(failed, (), REFUSED_ADVICE if refused else told.advice, refused=refused)


def _told(run: Run, ended: Result) -> Result:
    """Return the result record or the claim's facts, if they can be read and agree with `ended`, else `ended`."""
    try:
        if ended.operation in records.NAMES:
            found = records.find(run.cluster(), ended.operation, run.workflow.uid)
            if found and found.outcome == ended.outcome:
                return found
        if ended.operation == "backup" and ended.outcome == result.SUCCEEDED:
            return _of_claim(run, ended)
    except errors.PhaseError as error:
        log.info("notification: facts from the namespace can't be read: %s", error)
    return ended


def _of_claim(run: Run, ended: Result) -> Result:
    """Return the result of a successful backup, with facts from the labels of its claim."""
    from steps.kubernetes.times import moment

    claim = run.cluster().get(CLAIM, ended.claim)
    if claim is None:
        return ended
    counts = {"files": fields.label(claim, marks.FILES), "bytes": fields.label(claim, marks.BYTES)}
    return ended.model_copy(
        update={
            "backup": fields.label(claim, marks.BACKUP),
            "threescale_version": fields.label(claim, marks.THREESCALE_VERSION),
            "manifest_sha256": fields.annotation(claim, marks.MANIFEST_DIGEST),
            "counts": {name: int(text) for name, text in counts.items() if text.isdigit()},
            "ended": moment(fields.annotation(claim, marks.ENDED)) or ended.ended,
            "snapshots": tuple(filter(None, fields.annotation(claim, marks.SNAPSHOT).split(","))) or None,
        }
    )


class FailedNode(NamedTuple):
    """One failed node of a workflow."""

    phase: str
    message: str
    pod: str
    code: str = ""
    facts: Mapping[str, Any] = {}

    @property
    def failure(self) -> Failure:
        """The failure, for the result record."""
        return Failure(phase=self.phase, sentence=self.sentence, code=self.code, facts=dict(self.facts))

    @property
    def sentence(self) -> str:
        """The error message of the phase."""
        return self.message or "no message"


def read_failures(text: str, told: str = "") -> list[FailedNode]:
    """Read `{{workflow.failures}}`, JSON inside a quoted string. Return the last failure of each phase.

    Failures of parent nodes are left out, and nodes of another form too. `told` has the outputs `failure` of the
    phases. A failure gets its code and facts from the error with the same message.

    Raises:
        ValueError: the text is not a JSON list.

    """
    try:
        found = json.loads(text)
        found = json.loads(found) if isinstance(found, str) else found
    except RecursionError as error:
        raise ValueError("the JSON is nested too deep") from error
    if not isinstance(found, list | None):
        raise ValueError("the JSON is not a list")  # noqa: TRY004  the text from Argo is wrong, not the caller
    nodes = [_node(each) for each in found or [] if isinstance(each, dict)]
    nodes.sort(key=lambda node: node["finishedAt"])
    own = [node for node in nodes if node["message"] and not node["message"].startswith(_OF_OTHERS)]
    last = {node["templateName"]: node for node in own or nodes if node["templateName"]}
    left = _read_errors(told)
    return [_failed(name, node["message"], node["podName"], left) for name, node in last.items()]


def _failed(phase: str, message: str, pod: str, left: Iterable[Mapping[str, Any]]) -> FailedNode:
    for error in left:
        if error["message"][:_COMPARED] in message:
            return FailedNode(phase, message, pod, error["code"], error["facts"])
    return FailedNode(phase, message, pod)


def _read_errors(text: str) -> list[Mapping[str, Any]]:
    """Read the errors of the phases, JSON objects one after the other. Reading ends at the first invalid object."""
    decoder, found, place = json.JSONDecoder(), [], 0
    while place < len(text) and (start := text.find("{", place)) >= 0:
        try:
            error, place = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            break
        if _is_error(error):
            found.append(error)
    return found


def _is_error(found: Any) -> bool:
    kinds = {"code": str, "message": str, "facts": dict}
    return isinstance(found, dict) and all(isinstance(found.get(name), kind) for name, kind in kinds.items())


def _node(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of a node, each on one line. A field that is not a text becomes empty."""
    texts = {name: found.get(name) for name in _FIELDS}
    return {name: " ".join(_lines(text)) if isinstance(text, str) else "" for name, text in texts.items()}


def _lines(text: str) -> Iterable[str]:
    return (errors.printable(line.strip()) for line in text.splitlines())


def explain(workflow: str, failed: Iterable[FailedNode], held_back: Iterable[str], advice: str) -> str:
    """Return a line for each failed phase, then the reasons why pods did not start, then the advice."""
    sentences = [*(f"{item.phase} failed: {item.sentence}" for item in failed), *held_back]
    return "\n".join([*(sentences or [f"workflow {workflow} did not succeed"]), advice])


def waiting_pods(cluster: Cluster, workflow: str, failed: Iterable[FailedNode], own_pod: str) -> list[str]:
    """Return the last events of pods that never started, and of claims without a volume that they mount.

    Objects without an event are left out. The pod of this phase is left out too, because it can be Pending for a while.
    """
    pods = {item.pod for item in failed if item.pod and _EXIT_CODE not in item.message}
    try:
        mine = cluster.list(POD, f"{WORKFLOW_LABEL}={workflow}")
        others = [pod for pod in mine if pod["metadata"]["name"] != own_pod]
        pending = [pod for pod in others if fields.phase(pod) == "Pending"]
        names = sorted({claim for pod in pending for claim in mounting.claims_of(pod)})
        started = {pod["metadata"]["name"] for pod in others if _started(pod)}
        stuck = [(POD.name, name, "") for name in sorted({pod["metadata"]["name"] for pod in pending} | pods - started)]
        stuck += [(CLAIM.name, name, _uid(claim)) for name in names if not _bound(claim := cluster.get(CLAIM, name))]
        found = [(kind, name, events.last(cluster, kind, name, uid)) for kind, name, uid in stuck]
        return [f"{kind} {name}: {event}" for kind, name, event in found if event]
    except errors.PhaseError as error:
        return [f"events can't be read: {error}"]


def _started(pod: Object) -> bool:
    """Whether the phase's container ever ran. The nodes of a stopped workflow do not show that."""
    statuses = fields.at(pod, "status", "containerStatuses") or []
    states = [item.get("state") or {} for item in statuses if item["name"] == "main"]
    return any(state.get("running") or (state.get("terminated") or {}).get("startedAt") for state in states)


def _bound(claim: Object | None) -> bool:
    return claim is not None and fields.phase(claim) == "Bound"


def _uid(claim: Object | None) -> str:
    return str(claim["metadata"]["uid"]) if claim else ""
