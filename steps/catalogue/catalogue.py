"""The catalogue of backups: the claims of a namespace, each in the state that can be proved.

A phase writes a claim's labels once. A backup is complete when its seal has left the digest of its manifest and
the state `complete` on the claim. It is running while its workflow has not ended. Otherwise it has failed.
A claim with this tool's labels that another backup must own is listed as `unknown`. It counts for no rule and is never
deleted. A claim with an invalid value, such as a time in the year 1, is `unknown` too, and affects no other claim.

There may be thousands of claims, and a stored Workflow takes about a hundred kilobytes. So claims are read page by
page, and Workflows as metadata only. Whole Workflows are read one at a time.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from steps import errors
from steps.archive import marks
from steps.catalogue import backup_claims
from steps.catalogue.rotation import Rotation
from steps.contract import arguments, values
from steps.contract.names import EXTERNAL, KIND, TOOL
from steps.contract.values import YES
from steps.kubernetes import claims, fields, times
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import APIMANAGER_BACKUP, CLAIM, WORKFLOW, Object
from steps.threescale import installation

OURS = TOOL
OPERATORS = "3scale-operator"

# Argo's controller writes these labels in the same update as the phase; a Workflow that it has not seen has none.
_COMPLETED = "workflows.argoproj.io/completed"
_PHASE = "workflows.argoproj.io/phase"
_ENDED = f"{_COMPLETED}=true"
_LIVING = f"{_COMPLETED}!=true"  # also those without the label
_PHASES_OF_AN_END = frozenset({"Succeeded", "Failed", "Error"})
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = (marks.VERIFIED, marks.PROVEN, marks.DAMAGED, marks.PUSHED)
_COUNTS = (marks.FILES, marks.BYTES)
_SHOWN = 64  # characters of an invalid value
_COUNT = re.compile(r"[0-9]{1,18}")  # more bytes than any volume has


class BackupState(StrEnum):
    """What can be proved of a backup."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Proof:
    """When a workflow found a fact about a backup, and the name of that workflow."""

    when: datetime
    workflow: str


@dataclass(frozen=True, slots=True)
class BackupEntry:
    """One backup. Times are in UTC, sizes in bytes. None means that the value was not recorded.

    `schedule` is empty for a backup that a person asked for. `why` is the reason for an unexpected state.
    """

    name: str
    uid: str
    maker: str
    state: BackupState
    why: str
    created: datetime  # by the API server's clock
    started: datetime  # by the clock of the pod that made it; equal to `created` if that is not known
    ended: datetime | None = None
    threescale_version: str = ""
    apimanager: str = ""
    files: int | None = None
    size_bytes: int | None = None
    external: bool = False
    capacity: str = ""
    storage_class: str = ""
    volume: str = ""
    schedule: str = ""
    pinned: bool = False
    verified: Proof | None = None
    proven: Proof | None = None
    proven_counts: str = ""  # what the drill restored, and how long it took
    damaged: Proof | None = None
    damage: str = ""  # the findings
    verifying: Rotation | None = None  # how far a verification by shares has come
    verifying_by: str = ""  # the workflow that resumed it and has not finished
    pushed: datetime | None = None  # when a proved copy was in each repository
    snapshots: str = ""  # REPOSITORY/ID of each copy
    workflow: str = ""
    workflow_uid: str = ""
    manifest_sha256: str = ""
    going: bool = False  # the claim is being deleted
    labelled: bool = True  # as a backup of this tool
    version: str = ""  # resourceVersion of the claim: the API server refuses a change of another one

    @property
    def began(self) -> datetime:
        """The earlier of the two times: one of the clocks may have been ahead."""
        return min(self.started, self.created)

    def as_json(self) -> dict[str, Any]:
        """Return the entry as JSON values. Times have Kubernetes' format."""
        return {key: _plain(value) for key, value in asdict(self).items() if key != "version"}


class Workflows:
    """The workflows that run and those that have ended, by uid. Each list is read once, when it is first needed."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @cached_property
    def living(self) -> set[str]:
        """The uids of the workflows that have not ended. Empty if Argo is not installed."""
        try:
            return living(self._cluster)
        except errors.UnknownResource:
            return set()

    @cached_property
    def ended(self) -> Mapping[str, str]:
        """The phases of the workflows that have ended, by uid. Empty if Argo is not installed."""
        try:
            found = self._cluster.heads(WORKFLOW, _ENDED)
            return {item["metadata"]["uid"]: fields.label(item, _PHASE) or "unknown" for item in found}
        except errors.UnknownResource:
            return {}


def read(cluster: Cluster, *, whole: bool = False) -> list[BackupEntry]:
    """Return all backups of a namespace, the newest first. `whole`: raise if an APIManagerBackup may not be read.

    Raises:
        errors.NotAllowed, errors.NoAnswer: the catalogue can't be read completely, so nothing is returned.

    """
    workflows = Workflows(cluster)
    entries = (
        _entry(cluster, claim, workflows, whole=whole)
        for claim in cluster.each(CLAIM)
        if backup_claims.is_backup(claim)
    )
    return sorted(entries, key=lambda entry: (entry.started, entry.created, entry.name), reverse=True)


def find(entries: Iterable[BackupEntry], name: str, namespace: str) -> BackupEntry:
    """Return the backup of this name.

    Raises:
        errors.ClaimMissing: it does not exist. The message lists the existing backups.

    """
    by_name = {entry.name: entry for entry in entries}
    if name not in by_name:
        raise errors.ClaimMissing(name, namespace, sorted(by_name))
    return by_name[name]


def failed_run(cluster: Cluster, entries: Iterable[BackupEntry]) -> str:
    """Return the newest ended backup workflow, if it failed and no entry began later and is complete. Otherwise "".

    A run that failed before it created a claim shows only here. Plans and runs with refused arguments do not count.

    Raises:
        errors.NotAllowed, errors.NoAnswer

    """
    newest = _newest_run(cluster)
    if newest is None or fields.phase(newest) == "Succeeded":
        return ""
    sealed = [each.began for each in entries if each.maker == OURS and each.state is BackupState.COMPLETE]
    return "" if any(began > _created(newest) for began in sealed) else str(newest["metadata"]["name"])


def _newest_run(cluster: Cluster) -> Object | None:
    """Return the newest ended backup workflow that was a run. Workflows are read one at a time, the newest first.

    The status tells whether a workflow has ended, because a label can be lost and few workflows run at once.
    """
    try:
        heads = list(cluster.heads(WORKFLOW, f"{KIND}=backup"))
    except errors.UnknownResource:
        return None
    for head in sorted(heads, key=_created, reverse=True):
        found = cluster.get(WORKFLOW, head["metadata"]["name"])
        is_same = found is not None and found["metadata"]["uid"] == head["metadata"]["uid"]  # none: deleted meanwhile
        if found and is_same and fields.phase(found) in _PHASES_OF_AN_END and is_run(found):
            return found
    return None


def living(cluster: Cluster) -> set[str]:
    """Return the uids of the workflows that have not ended.

    Raises:
        errors.NotAllowed, errors.NoAnswer; errors.UnknownResource: Argo is not installed.

    """
    return {item["metadata"]["uid"] for item in cluster.heads(WORKFLOW, _LIVING)}


def pin(cluster: Cluster, name: str, *, pinned: bool) -> BackupEntry:
    """Pin a backup, so that retention never deletes it, or unpin it.

    Raises:
        errors.ClaimMissing; errors.Rejected: the claim was recreated in the meantime.

    """
    entry = find(read(cluster), name, cluster.namespace)
    label(cluster, entry, {marks.PINNED: "true" if pinned else None})
    return find(read(cluster), name, cluster.namespace)


def label(cluster: Cluster, entry: BackupEntry, labels: Mapping[str, str | None]) -> None:
    """Set labels of its claim. None removes a label.

    Raises:
        errors.Rejected: the claim was recreated in the meantime. Otherwise as `Cluster.patch`.

    """
    cluster.patch(CLAIM, entry.name, {"metadata": {"uid": entry.uid, "labels": dict(labels)}})


def is_run(workflow: Object) -> bool:
    """Return whether a backup's Workflow was a run: not a plan, and its arguments were not refused.

    The outputs of a failed phase are on its node, and not always among the workflow's outputs. So both are searched.
    """
    given = (workflow["spec"].get("arguments") or {}).get("parameters") or []
    words = [str(each.get("value")) for each in given if each["name"] == arguments.PLAN]
    if any(arguments.is_plan("backup", word) for word in words):
        return False
    status = workflow.get("status") or {}
    places = [status, *(status.get("nodes") or {}).values()]
    told = [each for place in places for each in (place.get("outputs") or {}).get("parameters") or []]
    return not any(each["name"] == arguments.REFUSED and each.get("value") == YES for each in told)


def _created(obj: Object) -> datetime:
    return times.moment(str(obj["metadata"].get("creationTimestamp") or "")) or _BEGINNING


def _entry(cluster: Cluster, claim: Object, workflows: Workflows, *, whole: bool) -> BackupEntry:
    head = claim["metadata"]
    created = _created(claim)
    is_ours = backup_claims.is_ours(claim)
    state, why = _ours(claim, workflows) if is_ours else _operators(cluster, claim, whole=whole)
    started = times.moment(fields.annotation(claim, marks.STARTED)) if state is not BackupState.UNKNOWN else None
    return BackupEntry(
        name=head["name"],
        uid=head["uid"],
        maker=OURS if is_ours else OPERATORS,
        state=state,
        why=errors.printable(why),
        created=created,
        started=started or created,
        ended=times.moment(fields.annotation(claim, marks.ENDED)),
        threescale_version=fields.label(claim, marks.THREESCALE_VERSION),
        apimanager=fields.annotation(claim, installation.APIMANAGER_NAME),
        files=_number(fields.label(claim, marks.FILES)),
        size_bytes=_number(fields.label(claim, marks.BYTES)),
        external=fields.label(claim, marks.FILE_STORAGE) == EXTERNAL,
        capacity=claims.capacity(claim),
        storage_class=str(claim["spec"].get("storageClassName") or ""),
        volume=str(claim["spec"].get("volumeName") or ""),
        schedule=fields.label(claim, marks.SCHEDULE),
        pinned=fields.label(claim, marks.PINNED) == "true",
        verified=_proof(claim, marks.VERIFIED, marks.VERIFIED_BY),
        proven=_proof(claim, marks.PROVEN, marks.PROVEN_BY),
        proven_counts=fields.annotation(claim, marks.PROVEN_COUNTS),
        damaged=_proof(claim, marks.DAMAGED, marks.DAMAGED_BY),
        damage=fields.annotation(claim, marks.DAMAGE),
        verifying=_rotation(claim),
        verifying_by=fields.annotation(claim, marks.VERIFYING_BY),
        pushed=times.moment(fields.label(claim, marks.PUSHED)),
        snapshots=fields.annotation(claim, marks.SNAPSHOT),
        workflow=fields.label(claim, marks.WORKFLOW),
        workflow_uid=fields.label(claim, marks.WORKFLOW_UID),
        manifest_sha256=marks.sealed(claim),
        going=fields.is_going(claim),
        labelled=not is_ours or bool(fields.label(claim, marks.BACKUP)),
        version=str(head.get("resourceVersion") or ""),
    )


def _ours(claim: Object, workflows: Workflows) -> tuple[BackupState, str]:
    """Return the state, and the reason for it."""
    labelled, workflow = fields.label(claim, marks.BACKUP), fields.label(claim, marks.WORKFLOW)
    name = labelled or fields.annotation(claim, installation.BACKUP_NAME)
    if name != claim["metadata"]["name"]:
        return BackupState.UNKNOWN, f"its labels name another backup, {name}"
    if times.moment(fields.annotation(claim, marks.STARTED)) is None or not workflow:
        return (
            BackupState.UNKNOWN,
            "it has labels of this tool, but its start time or its workflow is missing or invalid",
        )
    if senseless := next(_senseless(claim), ""):
        return BackupState.UNKNOWN, senseless
    if marks.sealed(claim):
        return (
            BackupState.COMPLETE,
            "" if labelled else f"its label {marks.BACKUP} is missing, and retention restores it",
        )
    uid = fields.label(claim, marks.WORKFLOW_UID)
    if uid in workflows.living:
        return BackupState.RUNNING, ""
    phase = workflows.ended.get(uid)
    return (
        BackupState.FAILED,
        f"workflow {workflow} {f'ended as {phase}' if phase else 'is gone'} and did not complete the backup",
    )


def _senseless(claim: Object) -> Iterator[str]:
    """Yield the invalid values of a claim. If they were ignored, a pinned or a damaged backup could be deleted."""
    labels = {name: fields.label(claim, name) for name in (*_TIMES, *_COUNTS, marks.PINNED)}
    annotations = {name: fields.annotation(claim, name) for name in (marks.ENDED, marks.VERIFYING)}
    for name in (name for name in _TIMES if labels[name] and times.moment(labels[name]) is None):
        yield f"its label {name} is not a time: {labels[name]}"
    for name in (name for name in _COUNTS if labels[name] and _number(labels[name]) is None):
        yield f"its label {name} is not a count: {labels[name][:_SHOWN]}"
    if labels[marks.PINNED] not in {"", "true", "false"}:
        yield f"its label {marks.PINNED} is neither true nor false: {labels[marks.PINNED]}"
    if annotations[marks.ENDED] and times.moment(annotations[marks.ENDED]) is None:
        yield f"its annotation {marks.ENDED} is not a time: {annotations[marks.ENDED][:_SHOWN]}"
    if annotations[marks.VERIFYING] and not Rotation.is_one(annotations[marks.VERIFYING]):
        yield f"its annotation {marks.VERIFYING} is invalid: {annotations[marks.VERIFYING][:_SHOWN]}"


def _operators(cluster: Cluster, claim: Object, *, whole: bool) -> tuple[BackupState, str]:
    name = fields.annotation(claim, installation.BACKUP_NAME)
    if not values.OBJECT.fits(name):
        return BackupState.UNKNOWN, f"its annotation {installation.BACKUP_NAME} is not a valid name: {name[:_SHOWN]}"
    if senseless := next(_senseless(claim), ""):
        return BackupState.UNKNOWN, senseless
    try:
        found = cluster.get(APIMANAGER_BACKUP, name)
    except errors.NotAllowed:
        if whole:
            raise
        return BackupState.UNKNOWN, f"you have no permission to read APIManagerBackup {name}"
    if found is None or found["metadata"]["uid"] != fields.annotation(claim, installation.BACKUP_UID):
        return BackupState.UNKNOWN, f"APIManagerBackup {name} is gone"
    if fields.at(found, "status", "completed"):
        return BackupState.COMPLETE, ""
    return BackupState.RUNNING, f"APIManagerBackup {name} has not completed the backup"  # it has no failure state


def _proof(claim: Object, when: str, by: str) -> Proof | None:
    found = times.moment(fields.label(claim, when))
    return Proof(found, fields.annotation(claim, by)) if found else None


def _rotation(claim: Object) -> Rotation | None:
    found = Rotation.read(fields.annotation(claim, marks.VERIFYING))
    return found if found and found.manifest_sha256 == marks.sealed(claim) else None


def _number(text: str) -> int | None:
    return int(text) if _COUNT.fullmatch(text) else None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return times.utc(value)
    if isinstance(value, BackupState):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value
