"""The part of a restore's plan for system-storage, the claim of System FileStorage, and for its files."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from steps.archive.contents import Backup, LeftOut
from steps.contract.restore_contract import RestoreWishes
from steps.evidence.result import KEPT, Done, Line
from steps.kubernetes import claims, mounting
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, Object
from steps.kubernetes.workflow import Workflow
from steps.parts import conflicts, gitops, set_aside, system_storage
from steps.parts.conflicts import REFUSE, REPLACE, ObjectState, Standing
from steps.parts.set_aside import SetAsideClaim
from steps.parts.system_storage import ClaimState
from steps.plans.plan import FILES, SAVED_FIRST, Does, Plan
from steps.threescale import installation

STORAGE = f"{CLAIM.name} {installation.SYSTEM_STORAGE}"
_PUT_THERE = "files that its storage creates are saved to claim WORKFLOW-replaced first"


class ClaimDecision(NamedTuple):
    """What a restore does with the claim of System FileStorage in one state."""

    does: Does | None  # None: the plan has no line for the claim
    how: str = ""  # a claim that is created is described by its size, access mode and class
    done: bool = False  # already, by a restore of this backup
    saves: bool = False  # the files of the claim, before they are replaced
    empties: bool = False  # the claim, whose files are saved already
    kept: str | None = ""  # how the evidence describes a claim that stays; None: the evidence has no line for it


_STOPS = "; files that are there stop the restore"
_UNSAID = ClaimDecision(None)  # another line has the reason already
_NEW = ClaimDecision(Does.CREATE, kept=None)
_MUST_BE_EMPTY = ClaimDecision(Does.SAME)
_MADE = ClaimDecision(Does.CREATE, done=True)
_FILLED = _MADE._replace(kept="its files were restored before")
_REPLACED = ClaimDecision(Does.REPLACE, SAVED_FIRST, saves=True, kept=None)
_STAYS = ClaimDecision(
    Does.KEEP,
    "3scale has written to it since a restore of this backup filled it",
    kept="its files were restored before and are not checked",
)

# By the state of the claim, and by the argument `file-storage-conflict`.
DECISIONS: Mapping[ClaimState, Mapping[str, ClaimDecision]] = {
    ClaimState.ABSENT: {REFUSE: _NEW, REPLACE: _NEW._replace(saves=True)},
    ClaimState.THEIRS: {REFUSE: _MUST_BE_EMPTY, REPLACE: _REPLACED},
    ClaimState.THEIRS_GOING: {REFUSE: _UNSAID, REPLACE: _UNSAID},
    ClaimState.FRESH: {REFUSE: _MADE, REPLACE: _MADE._replace(saves=True)},
    ClaimState.SET_ASIDE: {REFUSE: _MUST_BE_EMPTY, REPLACE: _REPLACED._replace(done=True, saves=False, empties=True)},
    ClaimState.SAVE_LOST: {REFUSE: _MUST_BE_EMPTY, REPLACE: _REPLACED},
    ClaimState.BEGUN: {REFUSE: _MADE, REPLACE: _MADE},
    ClaimState.FILLED: {REFUSE: _FILLED, REPLACE: _FILLED},
    ClaimState.IN_USE: {REFUSE: _STAYS, REPLACE: _REPLACED},
    ClaimState.IN_USE_GOING: {REFUSE: _STAYS, REPLACE: _MADE},
}


class PlannedStorage(NamedTuple):
    """The claim of System FileStorage, `new` or `existing`. `goes` has an entry if it is about to be deleted."""

    new: Object | None = None
    existing: Object | None = None
    is_saved: bool = False
    goes: Sequence[Standing] = ()
    kept: Sequence[Line] = ()
    left_out: str = ""

    @property
    def saved_to(self) -> SetAsideClaim:
        """The claim for replaced objects and files, also for files that the storage creates in a new system-storage."""
        return set_aside.wanted(self.existing or self.new, files=self.is_saved and self.existing is not None)


def add(
    plan: Plan, cluster: Cluster, backup: Backup, wishes: RestoreWishes, alive: set[str], workflow: Workflow
) -> PlannedStorage:
    """Plan the claim and its files."""
    if backup.external:
        plan.add(Does.YOURS, FILES, str(backup.external))
        return PlannedStorage()
    new = plan.ask(STORAGE, lambda: system_storage.wanted(backup, wishes))
    claim = cluster.get(CLAIM, installation.SYSTEM_STORAGE)
    asked = wishes.file_storage_conflict
    goes = _add_going(plan, cluster, backup, claim, alive, asked) if claim else []
    state = system_storage.state(cluster, claim, backup, is_going=bool(goes))
    decided = _decide(state, asked, claim, backup)
    is_saved = decided.saves and not goes and bool(claim or new)
    if claim and (is_saved or decided.empties):
        plan.ask(STORAGE, lambda: system_storage.check_unused(cluster, workflow))
    _add_claim(plan, decided, new, claim, is_going=bool(goes))
    if claim and decided.does is Does.KEEP:
        plan.add(Does.KEEP, FILES, "not checked")
        lacking = add_left_out_before(plan, claim, backup)
    else:
        does = Does.UNSEEN if decided is _MUST_BE_EMPTY else Does.CREATE
        lacking = _add_tree(plan, backup, claim if state is ClaimState.FILLED else None, does)
    for each in system_storage.not_restored(backup, wishes, claim):
        plan.add(Does.LEFT_OUT, STORAGE, each, is_bound=False)  # it changes when the claim exists
    kept = [] if decided.kept is None else became(KEPT, decided.kept)
    return PlannedStorage(None if claim else new, claim, is_saved, goes, kept, lacking)


def _decide(state: ClaimState, asked: str, claim: Object | None, backup: Backup) -> ClaimDecision:
    """Look up the decision. A claim whose files were replaced before is described as replaced, not as created."""
    decided = DECISIONS[state][asked]
    if claim and decided.does is Does.CREATE and system_storage.saved_to(claim, backup):
        return decided._replace(does=Does.REPLACE, how=SAVED_FIRST, kept=None)
    return decided


def _add_claim(plan: Plan, decided: ClaimDecision, new: Object | None, claim: Object | None, *, is_going: bool) -> None:
    """Plan the claim. A new claim keeps its line while it is created and filled, so that the digest stays."""
    if decided.does is Does.CREATE and new is None:  # already refused
        decided = _MUST_BE_EMPTY if claim else _UNSAID
    if decided.does is Does.CREATE and new:
        told = f"{claims.told(new)}; {_PUT_THERE}" if decided.saves else claims.told(new)
        plan.add(Does.CREATE, STORAGE, told, done=decided.done)
    elif decided.does and not (decided.does is Does.SAME and is_going):
        plan.add(decided.does, STORAGE, decided.how, done=decided.done)


def _add_going(
    plan: Plan, cluster: Cluster, backup: Backup, claim: Object, alive: set[str], asked: str
) -> list[Standing]:
    """Check that the claim can take the files, and warn of another writer. Return it if it is about to be deleted."""
    if controller := gitops.owner(claim):
        plan.add(Does.WARNING, STORAGE, gitops.warning(controller))
    if not (reason := conflicts.going(claim, alive)):
        plan.ask(STORAGE, lambda: system_storage.check(claim, backup, replaced=asked == REPLACE))
        return []
    held = mounting.holders(cluster, installation.SYSTEM_STORAGE)
    by = f" (in use by pod {', '.join(held)}; a finished pod counts until it is deleted)" if held else ""
    plan.add(Does.REFUSED, STORAGE, f"{reason}{by}")
    return [Standing(claim, ObjectState.GOING, f"{reason}{by}")]


def _add_tree(plan: Plan, backup: Backup, filled: Object | None, does: Does) -> str:
    """Plan the files, and return a sentence about files left out; for a `filled` claim, those left out before."""
    counts = backup.counts
    told = f"{counts.files} files, {counts.folders} folders, {counts.links} links, {counts.size_bytes} bytes"
    plan.add(does, FILES, f"{told}{_STOPS if does is Does.UNSEEN else ''}", done=filled is not None)
    if filled and system_storage.left_out(filled, backup) != backup.lacking:
        return add_left_out_before(plan, filled, backup)
    if backup.left_out:
        _add_left_out(plan, backup, backup.left_out)
    return backup.lacking


def add_left_out_before(plan: Plan, claim: Object, backup: Backup) -> str:
    """Plan the files that were left out when the claim was filled, and return the sentence about them."""
    plan.ask(STORAGE, lambda: system_storage.check_left_out(claim, backup))
    if lacking := system_storage.left_out(claim, backup):
        plan.add(Does.LEFT_OUT, FILES, lacking)
    return lacking


def _add_left_out(plan: Plan, backup: Backup, left_out: LeftOut) -> None:
    """Plan the damaged files, which all count for the plan's digest, and warn how many bytes each plan reads."""
    size_bytes = backup.size_bytes + left_out.counts.size_bytes
    how = f"file-storage-damage=skip reads all {size_bytes} bytes for each plan, and again before the copy"
    plan.add(Does.WARNING, FILES, how)
    for finding in left_out.findings.first:
        plan.add(Does.LEFT_OUT, FILES, finding)
    told = f"{left_out.counts.files} files, {left_out.counts.folders} folders, {left_out.counts.links} links"
    plan.add(Does.LEFT_OUT, FILES, f"in total {told}, SHA-256 of their names: {left_out.digest}")


def became(done: Done, how: str = "") -> list[Line]:
    """The line of an existing claim, for the result record."""
    return [Line(kind=CLAIM.name, name=installation.SYSTEM_STORAGE, done=done, how=how)]
