"""Labels and annotations of ours: the claims are the catalogue of backups, and what a restore made says so.

All lie under one prefix. On a backup's claim they are labels where a person selects or reads a column by them
(`kubectl get pvc -L`), annotations else; times in labels are written without the signs that a label can't hold. What a
restore creates carries the backup's name and the manifest's digest; the claim of System FileStorage also how far the
restore of its files has come. What was replaced says so, and where it was saved.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from steps.contract.names import EXTERNAL, PREFIX
from steps.kubernetes import fields

_SHA256 = re.compile(r"[0-9a-f]{64}")

BACKUP = PREFIX + "backup"
STATE = PREFIX + "state"
WORKFLOW = PREFIX + "workflow"
WORKFLOW_UID = PREFIX + "workflow-uid"
THREESCALE_VERSION = PREFIX + "threescale-version"
FILE_STORAGE = PREFIX + "file-storage"
STARTED = PREFIX + "started"
ENDED = PREFIX + "ended"

FILES = PREFIX + "files"  # of System FileStorage
BYTES = PREFIX + "bytes"  # of those
SCHEDULE = PREFIX + "schedule"  # the CronWorkflow whose backup it is; absent: a person's
PINNED = PREFIX + "pinned"
VERIFIED = PREFIX + "verified"  # when every byte was last found right, by
VERIFIED_BY = PREFIX + "verified-by"
PROVEN = PREFIX + "proven"  # when it was last restored for trial, by
PROVEN_BY = PREFIX + "proven-by"
PROVEN_COUNTS = PREFIX + "proven-counts"  # what was restored then, and how long that took
DAMAGED = PREFIX + "damaged"  # when it was found not to be whole, by
DAMAGED_BY = PREFIX + "damaged-by"
DAMAGE = PREFIX + "damage"  # what was found then, in a sentence
VERIFYING = PREFIX + "verifying"  # how far a verification by shares has come
VERIFYING_BY = PREFIX + "verifying-by"  # who set out to read on; it goes when that was read

RUNNING = "running"
COMPLETE = "complete"
FAILED = "failed"  # said at the end of a run; one that could not say so is found out otherwise

RESTORED_FROM = PREFIX + "restored-from"
MANIFEST_DIGEST = PREFIX + "manifest-sha256"
RESTORE_STATE = PREFIX + "restore"

SET_ASIDE = "set-aside"  # what a claim held is saved and may go
BEGUN = "begun"
IN_USE = "in-use"  # complete, and since then an APIManager has been there, whose 3scale writes to it
FILLED = (COMPLETE, IN_USE)

REPLACED = PREFIX + "replaced"  # of an object: the keys; a label of the claim that holds what was there
SAVED_TO = PREFIX + "saved-to"  # the name of that claim
LEFT_OUT = PREFIX + "left-out"  # of system-storage: what a restore has not brought, for it was damaged, in a sentence
NOT_SAVED = PREFIX + "not-saved"  # names at the root of a claim that were passed over then, so that they stay

DRILL = PREFIX + "drill"  # the namespace of the installation whose drill made it; it goes with the drill


def place(*, external: bool) -> str:
    """Where System's files are, as a phase tells the next."""
    return EXTERNAL if external else "claim"


class Mark(NamedTuple):
    """What a restore leaves on each object that it creates; a drill leaves labels too, by which it is told apart."""

    backup: str
    digest: str
    labels: Mapping[str, str] = {}

    def annotations(self) -> dict[str, str]:
        """The mark as an object carries it."""
        return {RESTORED_FROM: self.backup, MANIFEST_DIGEST: self.digest}

    def on(self, obj: dict[str, Any]) -> bool:
        """Whether the object was made by a restore of this very backup, whatever its claim is called today."""
        labelled = all(fields.label(obj, name) == value for name, value in self.labels.items())
        return labelled and fields.annotation(obj, MANIFEST_DIGEST) == self.digest


def sealed(claim: dict[str, Any]) -> str:
    """The digest of a backup's manifest, as its seal has left it on the claim; empty where no seal can be believed."""
    found = fields.annotation(claim, MANIFEST_DIGEST)
    return found if _SHA256.fullmatch(found) and fields.label(claim, STATE) == COMPLETE else ""
