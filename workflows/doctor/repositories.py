"""Repositories: their Secrets, the claim that may hold one, and the copy of the newest backup with its locks.

Doctor has no credentials of the store. How long it locks a copy is told as the last verification found it.
"""

import base64
from collections.abc import Iterator

from steps import errors
from steps.catalogue import catalogue
from steps.catalogue.catalogue import OURS, BackupState
from steps.catalogue.durations import Duration
from steps.kubernetes import times
from steps.kubernetes.kinds import CLAIM, SECRET
from steps.repository import ledger
from steps.repository.ledger import Lock
from steps.restic.store import REPOSITORY, Store
from workflows.configuration.installation import Repository
from workflows.doctor.finding import Examination, Finding, Patient, State

_WHAT = "Repositories"
_EXTEND = "Extend the locks of the objects that `threescale-backup repository objects latest` prints."


def secrets(patient: Patient) -> Iterator[Finding]:
    """Repositories: whether each Secret describes one. No repository is opened from here."""
    for name in _asked(patient).secrets:
        found = patient.cluster.get(SECRET, name)
        if found is None:
            told = f"Secret {name} does not exist, so no backup can be copied."
            yield Finding(
                State.ERROR, _WHAT, told, "Create the Secret. Its keys are in docs/how-to/off-the-cluster.md."
            )
            continue
        keys = {key: base64.b64decode(value).decode(errors="replace").strip() for key, value in _data(found)}
        if REPOSITORY not in keys and _asked(patient).claim:
            keys[REPOSITORY] = "/repository-claim/restic"
        yield _judged(name, keys)


def claim(patient: Patient) -> Iterator[Finding]:
    """Claim of a repository: it exists."""
    if not (name := _asked(patient).claim):
        return
    if patient.cluster.get(CLAIM, name) is None:
        yield Finding(State.ERROR, "Claim of a repository", f"Claim {name} does not exist.", "Create the claim.")
        return
    told = f"Claim {name} holds copies. They are lost with the namespace."
    yield Finding(State.WARNING, "Claim of a repository", told, "Use a store outside the cluster for a second copy.")


def newest(patient: Patient) -> Iterator[Finding]:
    """Copy of the newest backup: whether it is in the repositories."""
    if not _asked(patient).secrets:
        return
    what = "Copy of the newest backup"
    ours = (each for each in catalogue.read(patient.cluster) if each.maker == OURS)
    found = next((each for each in ours if each.state is BackupState.COMPLETE), None)
    if found is None:
        yield Finding(State.NOT_TRIED, what, "There is no complete backup yet.")
    elif found.pushed is None:
        remedy = (
            f"argo submit -n {patient.namespace} --from workflowtemplate/threescale-push -p claim-name={found.name}"
        )
        yield Finding(State.WARNING, what, f"Backup {found.name} has no copy in a repository.", remedy)
    else:
        yield Finding(State.OK, what, f"Backup {found.name} is copied: {found.snapshots}.")


def locks(patient: Patient) -> Iterator[Finding]:
    """Locks of the copies: they last longer than the warning asks."""
    asked = _asked(patient)
    for name in asked.secrets:
        if lock := ledger.read(patient.cluster, name).lock:
            checked = f"{str(lock)[:1].upper()}{str(lock)[1:]}. This was checked at {times.utc(lock.checked)}."
            bad = _is_bad(lock, asked.lock_warning)
            yield Finding(State.WARNING if bad else State.OK, f"Locks in {name}", checked, _EXTEND if bad else "")


def _asked(patient: Patient) -> Repository:
    return patient.installation.repository if patient.installation else Repository()


def _data(secret: dict[str, object]) -> list[tuple[str, str]]:
    data = secret.get("data")
    return [(str(key), str(value)) for key, value in data.items()] if isinstance(data, dict) else []


def _judged(name: str, keys: dict[str, str]) -> Finding:
    try:
        store = Store(name, keys).checked()
    except errors.BadRepository as error:
        return Finding(State.ERROR, _WHAT, f"Secret {name}: {'; '.join(error.problems)}.", "Correct the Secret.")
    told = f"Secret {name} describes a repository ({store.kind}). A backup with plan=only opens it."
    return Finding(State.OK, _WHAT, told)


def _is_bad(lock: Lock, warning: str) -> bool:
    """Return whether a lock has a gap, or ends soon. A store that locks nothing is not meant to."""
    if lock.until is None or not warning:
        return False
    return bool(lock.lacking) or Duration.read(warning, "lockWarning").before(lock.until) < times.now()


EXAMINATIONS: tuple[Examination, ...] = (secrets, claim, newest, locks)
