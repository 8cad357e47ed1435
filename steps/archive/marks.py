"""The labels and annotations of this tool. Claims with them are the catalogue of backups.

All have one prefix. On the claim of a backup, labels hold what a person selects or shows as a column
(`kubectl get pvc -L`); annotations hold the rest. Times in labels omit characters that a label can't hold. Each object
that a restore creates has the name of the backup and the digest of its manifest. The claim of System FileStorage also
says how far the restore of its files is. A replaced object says so, and where it was saved.
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
BYTES = PREFIX + "bytes"  # of these files
SCHEDULE = PREFIX + "schedule"  # the CronWorkflow that started the backup; absent: a person did
PINNED = PREFIX + "pinned"
VERIFIED = PREFIX + "verified"  # when every byte was last verified, by
VERIFIED_BY = PREFIX + "verified-by"
PROVEN = PREFIX + "proven"  # when it was last restored in a drill, by
PROVEN_BY = PREFIX + "proven-by"
PROVEN_COUNTS = PREFIX + "proven-counts"  # what the drill restored, and how long that took
DAMAGED = PREFIX + "damaged"  # when damage was found, by
DAMAGED_BY = PREFIX + "damaged-by"
DAMAGE = PREFIX + "damage"  # the damage, in a sentence
VERIFYING = PREFIX + "verifying"  # how far a verification in parts has come
VERIFYING_BY = PREFIX + "verifying-by"  # who reads the next part; removed when that is read

PUSHED = PREFIX + "pushed"  # when a proved copy was in each repository
SNAPSHOT = PREFIX + "snapshot"  # REPOSITORY/ID of each of these copies

RUNNING = "running"
COMPLETE = "complete"
FAILED = "failed"  # set at the end of a run; a run that could not set it is detected otherwise

RESTORED_FROM = PREFIX + "restored-from"
MANIFEST_DIGEST = PREFIX + "manifest-sha256"
RESTORE_STATE = PREFIX + "restore"

SET_ASIDE = "set-aside"  # the files of the claim are saved and may be removed
BEGUN = "begun"
IN_USE = "in-use"  # complete, and since then 3scale of an APIManager writes to the claim
FILLED = (COMPLETE, IN_USE)

REPLACED = PREFIX + "replaced"  # of an object: the keys that differed; a label of the claim with the previous contents
SAVED_TO = PREFIX + "saved-to"  # the name of that claim
LEFT_OUT = PREFIX + "left-out"  # of system-storage: damaged files that a restore left out, in a sentence
NOT_SAVED = PREFIX + "not-saved"  # names at the root of a claim that were skipped then, so that they stay

DRILL = PREFIX + "drill"  # the namespace of the installation whose drill created it; deleted with the drill


def place(*, external: bool) -> str:
    """Where System's files are, as an output for the next phase."""
    return EXTERNAL if external else "claim"


class Mark(NamedTuple):
    """The annotations that a restore puts on each object that it creates; a drill adds labels of its own."""

    backup: str
    digest: str
    labels: Mapping[str, str] = {}

    def annotations(self) -> dict[str, str]:
        """The annotations of the mark."""
        return {RESTORED_FROM: self.backup, MANIFEST_DIGEST: self.digest}

    def on(self, obj: dict[str, Any]) -> bool:
        """Whether a restore of this very backup created the object, whatever the name of its claim is today."""
        labelled = all(fields.label(obj, name) == value for name, value in self.labels.items())
        return labelled and fields.annotation(obj, MANIFEST_DIGEST) == self.digest


def sealed(claim: dict[str, Any]) -> str:
    """The digest of the manifest, as the seal wrote it on the claim; empty if the claim has no valid seal."""
    found = fields.annotation(claim, MANIFEST_DIGEST)
    return found if _SHA256.fullmatch(found) and fields.label(claim, STATE) == COMPLETE else ""
