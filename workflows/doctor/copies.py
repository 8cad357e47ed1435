"""How long the store locks the newest copy, as the last verification found it.

Doctor has no credentials of the store.
"""

from collections.abc import Iterator

from steps.catalogue.durations import Duration
from steps.kubernetes import times
from steps.repository import ledger
from steps.repository.ledger import Lock
from workflows.doctor.finding import Examination, Finding, Patient, State

_REMEDY = "Extend the locks of the objects that `threescale-backup repository objects latest` prints."


def locks(patient: Patient) -> Iterator[Finding]:
    """Locks of the copies: they last longer than the warning asks."""
    if patient.installation is None:
        return
    told = patient.installation.repository
    for name in told.secrets:
        if lock := ledger.read(patient.cluster, name).lock:
            checked = f"{str(lock)[:1].upper()}{str(lock)[1:]}. This was checked at {times.utc(lock.checked)}."
            bad = _is_bad(lock, told.lock_warning)
            yield Finding(State.WARNING if bad else State.OK, f"Locks in {name}", checked, _REMEDY if bad else "")


def _is_bad(lock: Lock, warning: str) -> bool:
    """Return whether a lock has a gap, or ends soon. A store that locks nothing is not meant to."""
    if lock.until is None or not warning:
        return False
    return bool(lock.lacking) or Duration.read(warning, "lockWarning").before(lock.until) < times.now()


EXAMINATIONS: tuple[Examination, ...] = (locks,)
