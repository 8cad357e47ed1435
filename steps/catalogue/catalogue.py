"""The catalogue of backups: the claims of a namespace, each in the state that can be proved.

A claim's labels are what a phase wrote once. A backup is complete when its seal has left the digest of its manifest and
the state `complete` on the claim; it is running while its workflow lives; else it has failed. What carries our labels
and can't be ours is listed as `unknown`: it counts for nothing, and nobody deletes it. So is what says something that
makes no sense, a time in the year 1 for instance: one claim spoils only itself.

There may be thousands of claims, and of a Workflow a hundred kilobytes are stored. So claims are read page by page, of
Workflows only the metadata, and whole ones one at a time.
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
_TIMES = (marks.VERIFIED, marks.PROVEN, marks.DAMAGED)
_COUNTS = (marks.FILES, marks.BYTES)
_SHOWN = 64  # signs of what a claim says wrongly
_COUNT = re.compile(r"[0-9]{1,18}")  # more bytes than any volume has


class BackupState(StrEnum):
    """What can be proved of a backup."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Proof:
    """When something was shown of a backup, and by which workflow."""

    when: datetime
    workflow: str


@dataclass(frozen=True, slots=True)
class BackupEntry:
    """One backup; times in UTC, sizes in bytes, None where nobody wrote it down.

    `schedule` is empty for a backup that a person asked for; `why` says what speaks against a state one would expect.
    """

    name: str
    uid: str
    maker: str
    state: BackupState
    why: str
    created: datetime  # by the API server's clock
    started: datetime  # by the clock of the pod that made it; as `created` where that is not known
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
    proven_counts: str = ""  # what was restored then, and how long that took
    damaged: Proof | None = None
    damage: str = ""  # what was found then
    verifying: Rotation | None = None  # how far a verification by shares has come
    verifying_by: str = ""  # who set out to read on, and has not yet
    workflow: str = ""
    workflow_uid: str = ""
    manifest_sha256: str = ""
    going: bool = False  # somebody has deleted the claim
    labelled: bool = True  # as a backup of this tool
    version: str = ""  # of the claim, by which the API server tells whether it has changed since

    @property
    def began(self) -> datetime:
        """By the clock that says the earlier: one of the two may have been put forward."""
        return min(self.started, self.created)

    def as_json(self) -> dict[str, Any]:
        """The same for a program; times as Kubernetes writes them."""
        return {key: _plain(value) for key, value in asdict(self).items() if key != "version"}


class Workflows:
    """Which workflows live and which have ended, by uid; each is asked for once, when it is first needed."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @cached_property
    def living(self) -> set[str]:
        """Uids of those that have not ended; none where Argo itself is not."""
        try:
            return living(self._cluster)
        except errors.UnknownResource:
            return set()

    @cached_property
    def ended(self) -> Mapping[str, str]:
        """Phases of those that have ended, by uid; none where Argo itself is not."""
        try:
            found = self._cluster.heads(WORKFLOW, _ENDED)
            return {item["metadata"]["uid"]: fields.label(item, _PHASE) or "unknown" for item in found}
        except errors.UnknownResource:
            return {}


def read(cluster: Cluster, *, whole: bool = False) -> list[BackupEntry]:
    """All backups of a namespace, the newest first; `whole`: not to be allowed to read an APIManagerBackup is an error.

    Raises:
        errors.NotAllowed, errors.NoAnswer: it can't be read whole, so nothing is said.

    """
    workflows = Workflows(cluster)
    entries = (
        _entry(cluster, claim, workflows, whole=whole)
        for claim in cluster.each(CLAIM)
        if backup_claims.is_backup(claim)
    )
    return sorted(entries, key=lambda entry: (entry.started, entry.created, entry.name), reverse=True)


def find(entries: Iterable[BackupEntry], name: str, namespace: str) -> BackupEntry:
    """The backup of a name.

    Raises:
        errors.ClaimMissing: there is none; the sentence names those that are there.

    """
    by_name = {entry.name: entry for entry in entries}
    if name not in by_name:
        raise errors.ClaimMissing(name, namespace, sorted(by_name))
    return by_name[name]


def failed_run(cluster: Cluster, entries: Iterable[BackupEntry]) -> str:
    """The newest backup's workflow that has ended, where it failed and none of the entries was sealed since; or empty.

    One that failed before it made a claim is seen only here. A plan is no run, nor is one whose arguments were refused.

    Raises:
        errors.NotAllowed, errors.NoAnswer

    """
    newest = _newest_run(cluster)
    if newest is None or fields.phase(newest) == "Succeeded":
        return ""
    sealed = [each.began for each in entries if each.maker == OURS and each.state is BackupState.COMPLETE]
    return "" if any(began > _created(newest) for began in sealed) else str(newest["metadata"]["name"])


def _newest_run(cluster: Cluster) -> Object | None:
    """The newest backup's workflow that has ended and was a run: each is read alone, the newest first.

    Its status says whether it has ended: a label can be lost, and few live.
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
    """Uids of the workflows that have not ended.

    Raises:
        errors.NotAllowed, errors.NoAnswer; errors.UnknownResource: there is no Argo.

    """
    return {item["metadata"]["uid"] for item in cluster.heads(WORKFLOW, _LIVING)}


def pin(cluster: Cluster, name: str, *, pinned: bool) -> BackupEntry:
    """Keep a backup from retention, or leave it to it again.

    Raises:
        errors.ClaimMissing; errors.Rejected: the claim was made anew in between.

    """
    entry = find(read(cluster), name, cluster.namespace)
    label(cluster, entry, {marks.PINNED: "true" if pinned else None})
    return find(read(cluster), name, cluster.namespace)


def label(cluster: Cluster, entry: BackupEntry, labels: Mapping[str, str | None]) -> None:
    """Set labels of its claim, or take them away.

    Raises:
        errors.Rejected: the claim was made anew in between. Else as `Cluster.patch`.

    """
    cluster.patch(CLAIM, entry.name, {"metadata": {"uid": entry.uid, "labels": dict(labels)}})


def is_run(workflow: Object) -> bool:
    """Whether the Workflow of a backup was more than a plan, and its arguments were not refused to a person.

    What a phase that failed has put out lies on its node at last, and is not always one of the workflow's outputs.
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
        workflow=fields.label(claim, marks.WORKFLOW),
        workflow_uid=fields.label(claim, marks.WORKFLOW_UID),
        manifest_sha256=marks.sealed(claim),
        going=fields.is_going(claim),
        labelled=not is_ours or bool(fields.label(claim, marks.BACKUP)),
        version=str(head.get("resourceVersion") or ""),
    )


def _ours(claim: Object, workflows: Workflows) -> tuple[BackupState, str]:
    """Its state, and why it is not another."""
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
    """Say what a claim says that can't be so: to overlook it could cost a backup that somebody pinned or found bad."""
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
