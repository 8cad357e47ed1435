"""The catalogue of backups: the claims of a namespace, each in the state that can be proved.

A claim's labels are what a phase wrote once. A backup is complete when its seal has left the digest of its manifest on
the claim; it is running while its workflow lives; else it has failed, whatever the label says. What carries our labels
and can't be ours is listed as `unknown`: it counts for nothing, and nobody deletes it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from steps import arguments, claims, errors, installation, marks
from steps.cluster import Cluster, Object
from steps.installation import APIMANAGER_BACKUP, CLAIM, WORKFLOW
from steps.rotation import Rotation

ENDED = frozenset({"Succeeded", "Failed", "Error"})  # phases of a workflow
OURS = "threescale-backup"
OPERATORS = "3scale-operator"


class State(StrEnum):
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


@dataclass(frozen=True)
class Entry:
    """One backup; times in UTC, sizes in bytes, None where nobody wrote it down.

    `schedule` is empty for a backup that a person asked for; `why` says what speaks against a state one would expect.
    """

    name: str
    uid: str
    maker: str
    state: State
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

    @property
    def began(self) -> datetime:
        """By the clock that says the earlier: one of the two may have been put forward."""
        return min(self.started, self.created)

    def as_json(self) -> dict[str, Any]:
        """The same for a program; times as Kubernetes writes them."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def read(cluster: Cluster, *, whole: bool = False) -> list[Entry]:
    """All backups of a namespace, the newest first; `whole`: not to be allowed to read an APIManagerBackup is an error.

    Raises:
        errors.NotAllowed, errors.NoAnswer: it can't be read whole, so nothing is said.

    """
    found = [claim for claim in cluster.list(CLAIM) if claims.is_backup(claim)]
    phases = alive(cluster) if any(_is_open(claim) for claim in found) else {}
    entries = [_entry(cluster, claim, phases, whole=whole) for claim in found]
    return sorted(entries, key=lambda entry: (entry.started, entry.created, entry.name), reverse=True)


def find(entries: Iterable[Entry], name: str, namespace: str) -> Entry:
    """The backup of a name.

    Raises:
        errors.ClaimMissing: there is none; the sentence names those that are there.

    """
    by_name = {entry.name: entry for entry in entries}
    if name not in by_name:
        raise errors.ClaimMissing(name, namespace, sorted(by_name))
    return by_name[name]


def failed_run(cluster: Cluster, entries: Iterable[Entry]) -> str:
    """The newest backup's workflow that has ended, where it failed and none of the entries was sealed since; or empty.

    One that failed before it made a claim is seen only here. A plan is no run, nor is one whose arguments were refused.

    Raises:
        errors.NotAllowed, errors.NoAnswer

    """
    try:
        found = cluster.list(WORKFLOW, f"{marks.KIND}=backup")
    except errors.UnknownResource:
        return ""
    runs = [item for item in found if _phase(item) in ENDED and is_run(item)]
    newest = max(runs, key=_created, default=None)
    if newest is None or _phase(newest) == "Succeeded":
        return ""
    sealed = [each.began for each in entries if each.maker == OURS and each.state is State.COMPLETE]
    return "" if any(began > _created(newest) for began in sealed) else str(newest["metadata"]["name"])


def living(cluster: Cluster) -> set[str]:
    """Uids of the workflows that have not ended.

    Raises:
        errors.NotAllowed, errors.NoAnswer; errors.UnknownResource: there is no Argo.

    """
    found = cluster.list(WORKFLOW)
    return {item["metadata"]["uid"] for item in found if _phase(item) not in ENDED}


def pin(cluster: Cluster, name: str, *, pinned: bool) -> Entry:
    """Keep a backup from retention, or leave it to it again.

    Raises:
        errors.ClaimMissing; errors.Rejected: the claim was made anew in between.

    """
    entry = find(read(cluster), name, cluster.namespace)
    label(cluster, entry, {marks.PINNED: "true" if pinned else None})
    return find(read(cluster), name, cluster.namespace)


def label(cluster: Cluster, entry: Entry, labels: Mapping[str, str | None]) -> None:
    """Set labels of its claim, or take them away.

    Raises:
        errors.Rejected: the claim was made anew in between. Else as `Cluster.patch`.

    """
    cluster.patch(CLAIM, entry.name, {"metadata": {"uid": entry.uid, "labels": dict(labels)}})


def alive(cluster: Cluster) -> Mapping[str, str]:
    """Phases of the workflows that are there, by uid; none where Argo itself is not."""
    try:
        found = cluster.list(WORKFLOW)
    except errors.UnknownResource:
        return {}
    return {item["metadata"]["uid"]: _phase(item) or "Pending" for item in found}


def _phase(workflow: Object) -> str:
    return str((workflow.get("status") or {}).get("phase") or "")


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
    return not any(each["name"] == arguments.REFUSED and each.get("value") == "yes" for each in told)


def _created(obj: Object) -> datetime:
    return moment(obj["metadata"]["creationTimestamp"]) or datetime.min.replace(tzinfo=UTC)


def _is_open(claim: Object) -> bool:
    """Whether it takes its workflow to know the state."""
    return claims.is_ours(claim) and not marks.sealed(claim)


def _entry(cluster: Cluster, claim: Object, alive: Mapping[str, str], *, whole: bool) -> Entry:
    metadata = claim["metadata"]
    created = _created(claim)
    is_ours = claims.is_ours(claim)
    started = moment(marks.annotation(claim, marks.STARTED))
    state, why = _ours(claim, started, alive) if is_ours else _operators(cluster, claim, whole=whole)
    return Entry(
        name=metadata["name"],
        uid=metadata["uid"],
        maker=OURS if is_ours else OPERATORS,
        state=state,
        why=why,
        created=created,
        started=started or created,
        ended=moment(marks.annotation(claim, marks.ENDED)),
        threescale_version=marks.label(claim, marks.THREESCALE_VERSION),
        apimanager=marks.annotation(claim, installation.APIMANAGER_NAME),
        files=_number(marks.label(claim, marks.FILES)),
        size_bytes=_number(marks.label(claim, marks.BYTES)),
        external=marks.label(claim, marks.FILE_STORAGE) == marks.EXTERNAL,
        capacity=str(((claim.get("status") or {}).get("capacity") or {}).get("storage", "")),
        storage_class=str(claim["spec"].get("storageClassName") or ""),
        volume=str(claim["spec"].get("volumeName") or ""),
        schedule=marks.label(claim, marks.SCHEDULE),
        pinned=marks.label(claim, marks.PINNED) == "true",
        verified=_proof(claim, marks.VERIFIED, marks.VERIFIED_BY),
        proven=_proof(claim, marks.PROVEN, marks.PROVEN_BY),
        proven_counts=marks.annotation(claim, marks.PROVEN_COUNTS),
        damaged=_proof(claim, marks.DAMAGED, marks.DAMAGED_BY),
        damage=marks.annotation(claim, marks.DAMAGE),
        verifying=_rotation(claim),
        verifying_by=marks.annotation(claim, marks.VERIFYING_BY),
        workflow=marks.label(claim, marks.WORKFLOW),
        workflow_uid=marks.label(claim, marks.WORKFLOW_UID),
        manifest_sha256=marks.sealed(claim),
        going="deletionTimestamp" in metadata,
        labelled=not is_ours or bool(marks.label(claim, marks.BACKUP)),
    )


def _ours(claim: Object, started: datetime | None, alive: Mapping[str, str]) -> tuple[State, str]:
    """Its state, and why it is not another."""
    labelled, workflow = marks.label(claim, marks.BACKUP), marks.label(claim, marks.WORKFLOW)
    name = labelled or marks.annotation(claim, installation.BACKUP_NAME)
    if name != claim["metadata"]["name"]:
        return State.UNKNOWN, f"its labels are those of backup {name}"
    if started is None or not workflow:
        return State.UNKNOWN, "it is marked as ours, and says neither when nor by which workflow it was made"
    if marks.sealed(claim):
        return State.COMPLETE, "" if labelled else f"it has lost its label {marks.BACKUP}, which retention gives back"
    phase = alive.get(marks.label(claim, marks.WORKFLOW_UID))
    if phase and phase not in ENDED:
        return State.RUNNING, ""
    return State.FAILED, f"workflow {workflow} {f'ended as {phase}' if phase else 'is gone'} and has not sealed it"


def _operators(cluster: Cluster, claim: Object, *, whole: bool) -> tuple[State, str]:
    name = marks.annotation(claim, installation.BACKUP_NAME)
    try:
        found = cluster.get(APIMANAGER_BACKUP, name)
    except errors.NotAllowed:
        if whole:
            raise
        return State.UNKNOWN, f"you may not read APIManagerBackup {name}"
    if found is None or found["metadata"]["uid"] != marks.annotation(claim, installation.BACKUP_UID):
        return State.UNKNOWN, f"APIManagerBackup {name} is gone"
    if (found.get("status") or {}).get("completed"):
        return State.COMPLETE, ""
    return State.RUNNING, f"APIManagerBackup {name} has not completed it"  # it has no failure state


def moment(text: str) -> datetime | None:
    """Read a time of a claim; None where it is absent, or none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def _proof(claim: Object, when: str, by: str) -> Proof | None:
    found = moment(marks.label(claim, when))
    return Proof(found, marks.annotation(claim, by)) if found else None


def _rotation(claim: Object) -> Rotation | None:
    found = Rotation.read(marks.annotation(claim, marks.VERIFYING))
    return found if found and found.manifest_sha256 == marks.sealed(claim) else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return claims.utc(value)
    if isinstance(value, State):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value
