"""The plan of a restore, and what is done first by it.

All that can be known with the backup mounted is asked for here, before anything is written. The claim of System
FileStorage is what a restore then makes first, because the next pod mounts it.
"""

import functools
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from steps import errors
from steps.archive.contents import Backup, LeftOut
from steps.archive.marks import Mark
from steps.contract.restore_contract import RestoreWishes
from steps.evidence.result import CREATED, KEPT, UNTOUCHED, Done, Line
from steps.files import volume
from steps.kubernetes import claims, mounting, waiting
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, CONFIGMAP, SECRET, Kind, Object
from steps.kubernetes.workflow import NOBODY, Workflow
from steps.parts import (
    apimanager,
    configmaps,
    conflicts,
    gitops,
    objects,
    readiness,
    secrets,
    set_aside,
    system_storage,
)
from steps.parts.conflicts import KEEP, REFUSE, REPLACE, ObjectState, Standing, Target
from steps.parts.objects import named
from steps.parts.secrets import Databases
from steps.parts.set_aside import SetAsideClaim
from steps.parts.system_storage import ClaimState
from steps.plans import prerequisites
from steps.plans.plan import FILES, SAVED_FIRST, Does, Plan
from steps.threescale import installation

log = logging.getLogger(__name__)


_STORAGE = f"{CLAIM.name} {installation.SYSTEM_STORAGE}"
_PUT_THERE = "what its storage puts there is saved to claim WORKFLOW-replaced first"


class RestorePlan(NamedTuple):
    """A plan, and what the phases need to act by it."""

    plan: Plan
    claim: Object | None = None  # to be created
    kept: Sequence[Line] = ()  # the claim that is there and stays
    kept_secrets: Sequence[str] = ()  # names of those that say the same and are somebody else's
    kept_configmaps: Sequence[str] = ()
    is_done: bool = False  # but for the Routes
    differing_secrets: Sequence[str] = ()  # names of those that say something else, and may
    differing_configmaps: Sequence[str] = ()
    saves_objects: bool = False  # the differing ones, which are replaced
    saves_files: bool = False
    wanted: SetAsideClaim | None = None  # the claim to save to
    left_out: str = ""  # what of the files is not brought, or was not, in a sentence


def of(
    cluster: Cluster, backup: Backup, wishes: RestoreWishes, *, last_try: bool, workflow: Workflow = NOBODY
) -> RestorePlan:
    """Plan a restore; what speaks against it is among the plan's objections.

    Raises:
        errors.BackupDamaged, errors.NotABackup: of such a backup nothing more can be said.

    """
    databases = Databases.of(wishes)
    prerequisites.check_whole(cluster, backup)
    plan = Plan(backup.digest)
    plan.ask("3scale's version", lambda: prerequisites.check_version(cluster, backup, wishes.threescale_version))
    there = plan.ask(named(backup.apimanager), lambda: apimanager.present(cluster, backup.mark))
    if there is not None:
        return _of_routes(plan, cluster, backup, wishes, there)
    if not any(isinstance(each, errors.ApiManagerPresent) for each in plan.objections):
        plan.ask("3scale", lambda: prerequisites.check_nothing_left(cluster, last_try=last_try))
    alive = prerequisites.living(cluster)
    storage = _add_files(plan, cluster, backup, wishes, alive, workflow)
    if not databases.restored:
        _add_databases(plan, cluster, alive, last_try=last_try)
    of_databases = plan.ask("database-overrides", lambda: databases.to_restore(cluster, backup)) or []
    plan.ask("what the APIManager names", lambda: _check_references(cluster, backup))
    found = _compare(plan, Target(cluster, alive, backup.mark), backup, of_databases)
    asked, standings = wishes.on_conflict, [*found[SECRET], *found[CONFIGMAP]]
    plan.add_objects(standings, asked)
    held = [*standings, *storage.goes]
    plan.ask("", lambda: conflicts.refuse(held, cluster.namespace, last_try=last_try, asked=asked))
    if asked == REPLACE:
        _try_replacing(plan, cluster, found, backup.mark)
    _add_what_stays(plan, backup)
    _add_apimanager(plan, backup)
    _add_passed_over(plan, backup)
    kept = {str(each) for each in standings if each.state is ObjectState.DIFFERS and asked == KEEP}
    _add_domains(plan, backup, of_databases, kept)
    _add_waits(plan, backup, wishes)
    return _planned(plan, storage, found, asked)


def _of_routes(plan: Plan, cluster: Cluster, backup: Backup, wishes: RestoreWishes, there: Object) -> RestorePlan:
    """Plan what is left where a restore of this backup has made the APIManager."""
    plan.ask(named(there), lambda: _check_domain(there, backup))
    plan.add(Does.CREATE, named(there), objects.size(backup.apimanager), done=True)
    filled = None if backup.external else installation.SYSTEM_STORAGE
    claim = plan.ask(_STORAGE, lambda: waiting.still_there(cluster, filled)) if filled else None
    lacking = _add_left_out_before(plan, claim, backup) if claim else ""
    _add_waits(plan, backup, wishes)
    return RestorePlan(plan, kept=_became(UNTOUCHED) if claim else [], is_done=True, left_out=lacking)


def _planned(plan: Plan, storage: "_Storage", found: Mapping[Kind, Sequence[Standing]], asked: str) -> RestorePlan:
    """Put together what the phases need, once all lines are there."""
    differing = {kind: _names(standings, ObjectState.DIFFERS) for kind, standings in found.items()}
    saves_objects = asked == REPLACE and any(differing.values())
    return RestorePlan(
        plan,
        storage.new,
        storage.kept,
        _names(found[SECRET], ObjectState.SAME),
        _names(found[CONFIGMAP], ObjectState.SAME),
        differing_secrets=differing[SECRET],
        differing_configmaps=differing[CONFIGMAP],
        saves_objects=saves_objects,
        saves_files=storage.is_saved,
        wanted=_to_save_to(storage) if saves_objects or storage.is_saved else None,
        left_out=storage.left_out,
    )


def prepare(cluster: Cluster, planned: RestorePlan, workflow: Workflow, approved: Iterable[str] = ()) -> list[Line]:
    """Say the plan, hold it against the digests that were approved, and create system-storage.

    Where something is replaced, also the claim to save it to. Returns what was created, and the claim that was kept.

    Raises:
        the plan's first objection, errors.PlanDiffers or errors.ReplacedClaimTaken, before anything is written;
        errors.AlreadyExists

    """
    planned.plan.check()
    if planned.is_done:
        log.info("this backup's restore made the APIManager already: only the Routes are left to do")
        return list(planned.kept)
    for digest in approved:
        if digest != planned.plan.digest:
            raise errors.PlanDiffers(digest, planned.plan.digest)
    made = []
    if planned.wanted:
        made.append(set_aside.create(cluster, planned.wanted, workflow))
    if planned.claim:
        cluster.create(CLAIM, planned.claim)
        log.info("%s: created", named(planned.claim))
        made.append(installation.SYSTEM_STORAGE)
    return [*(Line(kind=CLAIM.name, name=name, done=CREATED) for name in made), *planned.kept]


def _to_save_to(storage: "_Storage") -> SetAsideClaim:
    """The claim for what is replaced; of a system-storage that is yet to be made it gets what the storage put there."""
    files = storage.is_saved and storage.existing is not None
    return set_aside.wanted(storage.existing or storage.new, files=files)


def _compare(plan: Plan, target: Target, backup: Backup, databases: Sequence[Object]) -> dict[Kind, list[Standing]]:
    """Hold the Secrets and ConfigMaps of the backup against the namespace."""
    wanted = {SECRET: [*secrets.to_restore(backup), *databases], CONFIGMAP: configmaps.to_restore(backup)}
    return {
        kind: plan.ask("", functools.partial(conflicts.compare, target, kind, saved)) or []
        for kind, saved in wanted.items()
    }


def _try_replacing(plan: Plan, cluster: Cluster, found: Mapping[Kind, Sequence[Standing]], mark: Mark) -> None:
    for kind, standings in found.items():
        for each in standings:
            if each.state is ObjectState.DIFFERS and not each.fixed:
                plan.ask(str(each), functools.partial(conflicts.try_replacing, cluster, kind, each, mark))


def _check_domain(there: Object, backup: Backup) -> None:
    found, asked_for = (str(obj["spec"].get("wildcardDomain", "")) for obj in (there, backup.apimanager))
    if found != asked_for:
        raise errors.DomainDiffers(there["metadata"]["name"], found, asked_for)


def _check_references(cluster: Cluster, backup: Backup) -> None:
    lacking = [each for each in backup.named if not backup.holds(each)]  # the others are compared
    if absent := objects.absent(cluster, lacking):
        raise errors.ReferencesMissing([str(each) for each in absent], cluster.namespace)


class ClaimDecision(NamedTuple):
    """What a restore does with the claim of System FileStorage in one state."""

    does: Does | None  # None: the plan has no line for the claim
    how: str = ""  # a claim that is created is described by its size, access mode and class
    done: bool = False  # before, by a restore of this backup
    saves: bool = False  # its files, before others take their place
    empties: bool = False  # without saving, because that was done
    kept: str | None = ""  # how the evidence describes a claim that stays; None: the evidence has no line for it


_UNSAID = ClaimDecision(None)  # but that the claim goes
_NEW = ClaimDecision(Does.CREATE, kept=None)
_MUST_BE_EMPTY = ClaimDecision(Does.SAME, "must be empty, which is seen once it is mounted")
_MADE = ClaimDecision(Does.CREATE, done=True)
_FILLED = _MADE._replace(kept="its files: restored before")
_REPLACED = ClaimDecision(Does.REPLACE, SAVED_FIRST, saves=True, kept=None)
_STAYS = ClaimDecision(
    Does.KEEP,
    "a 3scale has written to it since a restore of this backup filled it",
    kept="its files: restored before, not looked at",
)

# By the state of the claim, and what a person asks for the files that are in it.
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


class _Storage(NamedTuple):
    """The claim of System FileStorage: to be made, or there; whether its files are saved, and whether it goes."""

    new: Object | None = None
    existing: Object | None = None
    is_saved: bool = False
    goes: Sequence[Standing] = ()
    kept: Sequence[Line] = ()
    left_out: str = ""


def _add_files(
    plan: Plan, cluster: Cluster, backup: Backup, wishes: RestoreWishes, alive: set[str], workflow: Workflow
) -> _Storage:
    """Plan the claim and its files."""
    if backup.external:
        plan.add(Does.YOURS, FILES, str(backup.external))
        return _Storage()
    new = plan.ask(_STORAGE, lambda: system_storage.wanted(backup, wishes))
    claim = cluster.get(CLAIM, installation.SYSTEM_STORAGE)
    asked = wishes.file_storage_conflict
    goes = _add_going(plan, cluster, backup, claim, alive, asked) if claim else []
    state = system_storage.state(cluster, claim, backup, is_going=bool(goes))
    decided = _decide(state, asked, claim, backup)
    is_saved = decided.saves and not goes and bool(claim or new)
    if claim and (is_saved or decided.empties):
        plan.ask(_STORAGE, lambda: system_storage.check_unused(cluster, workflow))
    _add_claim(plan, decided, new, claim, is_going=bool(goes))
    if claim and decided.does is Does.KEEP:
        plan.add(Does.KEEP, FILES, "not looked at")
        lacking = _add_left_out_before(plan, claim, backup)
    else:
        lacking = _add_tree(plan, backup, claim if state is ClaimState.FILLED else None)
    kept = [] if decided.kept is None else _became(KEPT, decided.kept)
    return _Storage(None if claim else new, claim, is_saved, goes, kept, lacking)


def _decide(state: ClaimState, asked: str, claim: Object | None, backup: Backup) -> ClaimDecision:
    """Look up what is done with the claim; one that was replaced before is no longer described as created."""
    decided = DECISIONS[state][asked]
    if claim and decided.does is Does.CREATE and system_storage.saved_to(claim, backup):
        return decided._replace(does=Does.REPLACE, how=SAVED_FIRST, kept=None)
    return decided


def _add_claim(plan: Plan, decided: ClaimDecision, new: Object | None, claim: Object | None, *, is_going: bool) -> None:
    """Plan the claim. The line for a new one is the same before it is made and before it is filled, for the digest."""
    if decided.does is Does.CREATE and new is None:  # that is refused already
        decided = _MUST_BE_EMPTY if claim else _UNSAID
    if decided.does is Does.CREATE and new:
        told = f"{claims.told(new)}; {_PUT_THERE}" if decided.saves else claims.told(new)
        plan.add(Does.CREATE, _STORAGE, told, done=decided.done)
    elif decided.does and not (decided.does is Does.SAME and is_going):
        plan.add(decided.does, _STORAGE, decided.how, done=decided.done)


def _add_going(
    plan: Plan, cluster: Cluster, backup: Backup, claim: Object, alive: set[str], asked: str
) -> list[Standing]:
    """See whether the claim may take the files, and who else writes it; it stands here where it is about to go."""
    if controller := gitops.owner(claim):
        plan.add_warning(_STORAGE, controller)
    if not (reason := conflicts.going(claim, alive)):
        plan.ask(_STORAGE, lambda: system_storage.check(claim, backup, replaced=asked == REPLACE))
        return []
    held = mounting.holders(cluster, installation.SYSTEM_STORAGE)
    by = f" (held by pod {', '.join(held)}, also one that has ended holds it)" if held else ""
    plan.add(Does.REFUSED, _STORAGE, f"{reason}{by}")
    return [Standing(claim, ObjectState.GOING, f"{reason}{by}")]


def _add_tree(plan: Plan, backup: Backup, filled: Object | None = None) -> str:
    """Plan the files, and return what of them is left out; in a claim that was `filled` before, what was then."""
    counts = backup.counts
    told = f"{counts.files} files, {counts.folders} folders, {counts.links} links, {counts.size_bytes} bytes"
    plan.add(Does.CREATE, FILES, told, done=filled is not None)
    if filled and system_storage.left_out(filled, backup) != backup.lacking:
        return _add_left_out_before(plan, filled, backup)
    if backup.left_out:
        _add_left_out(plan, backup, backup.left_out)
    return backup.lacking


def _add_left_out_before(plan: Plan, claim: Object, backup: Backup) -> str:
    """Plan what a claim that was filled before lacks, and return it."""
    plan.ask(_STORAGE, lambda: system_storage.check_left_out(claim, backup))
    if lacking := system_storage.left_out(claim, backup):
        plan.add(Does.LEFT_OUT, FILES, lacking)
    return lacking


def _add_left_out(plan: Plan, backup: Backup, left_out: LeftOut) -> None:
    """Plan what of the tree is damaged, which is all in the plan's digest, and say what it costs to know that."""
    size_bytes = backup.size_bytes + left_out.counts.size_bytes
    plan.add(Does.WARNING, FILES, f"file-storage-damage=skip reads all {size_bytes} bytes for each plan, and once more")
    for finding in left_out.findings.first:
        plan.add(Does.LEFT_OUT, FILES, finding)
    told = f"{left_out.counts.files} files, {left_out.counts.folders} folders, {left_out.counts.links} links"
    plan.add(Does.LEFT_OUT, FILES, f"all in all {told}, SHA-256 of their names {left_out.digest}")


def _became(done: Done, how: str = "") -> list[Line]:
    """The line of a claim that is there, for the evidence."""
    return [Line(kind=CLAIM.name, name=installation.SYSTEM_STORAGE, done=done, how=how)]


def _add_databases(plan: Plan, cluster: Cluster, alive: set[str], *, last_try: bool) -> None:
    for name in installation.DATABASE_SECRETS:
        plan.add(Does.YOURS, f"{SECRET.name} {name}", "expected to be there")
    plan.ask("the databases' Secrets", lambda: prerequisites.check_database_secrets(cluster, alive, last_try=last_try))


def _add_what_stays(plan: Plan, backup: Backup) -> None:
    """Plan what is not made by a restore, though the installation has it."""
    for each in backup.named:
        if not backup.holds(each):
            plan.add(
                Does.YOURS, f"{each.kind.name} {each.name}", "the APIManager names it, the backup does not hold it"
            )
    for name in sorted({*installation.SECRETS} - {*installation.RESTORED_SECRETS, *installation.DATABASE_SECRETS}):
        plan.add(Does.OPERATORS, f"{SECRET.name} {name}", "made anew")


def _add_domains(plan: Plan, backup: Backup, databases: Sequence[Object], kept: Collection[str]) -> None:
    """Plan what another wildcard domain changes, and what it leaves; those that are `kept` are not the backup's."""
    if (move := backup.move) is None:
        return
    original = replace(backup, move=None)
    every = [original.apimanager, *secrets.to_restore(original), *databases, *configmaps.to_restore(original)]
    saved = [obj for obj in every if named(obj) not in kept]
    for each in (place for obj in saved for place in move.rewrites(obj)):
        plan.add(Does.REWRITTEN, each, f"{move.old} becomes {move.new}")
    for each in (place for obj in saved for place in move.others(obj)):
        plan.add(Does.STAYS, each, f"holds {move.old}")
    plan.add(Does.YOURS, "System's database", move.left_to_do)


def _add_apimanager(plan: Plan, backup: Backup) -> None:
    plan.add(Does.CREATE, named(backup.apimanager), objects.size(backup.apimanager))
    if controller := gitops.owner(backup.apimanager):
        plan.add_warning(named(backup.apimanager), controller)


def _add_waits(plan: Plan, backup: Backup, wishes: RestoreWishes) -> None:
    for host in backup.ready.routes:
        plan.add(Does.EXPECTED, f"Route {host}")
    for what in readiness.waits(backup, wishes.ready):
        plan.add(Does.WAIT, what, f"at most {wishes.wait_minutes:g} minutes")


def _add_passed_over(plan: Plan, backup: Backup) -> None:
    for name in volume.snapshots(volume.passed_over(backup.root)):
        log.info("folder %r at the root of the backup's volume shows %s", name, volume.shown(backup.root, name))
        how = "passed over at the root of the backup's volume: a storage shows its snapshots there"
        plan.add(Does.WARNING, f"folder {name}", how)  # without their number, which changes from hour to hour


def _names(standings: Iterable[Standing], state: ObjectState) -> list[str]:
    return [each.obj["metadata"]["name"] for each in standings if each.state is state]
