"""The plan of a restore, and its first action.

The plan makes every check that is possible with the backup mounted, before anything is written. A restore then creates
the claim of System FileStorage first, because the next pod mounts the claim.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from steps import errors
from steps.archive.contents import Backup
from steps.archive.marks import Mark
from steps.contract.restore_contract import RestoreWishes
from steps.evidence.result import CREATED, UNTOUCHED, Line
from steps.files import volume
from steps.kubernetes import waiting
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import APIMANAGER, CLAIM, CONFIGMAP, SECRET, Kind, Object
from steps.kubernetes.workflow import NOBODY, Workflow
from steps.parts import (
    apimanager,
    configmaps,
    conflicts,
    controllers,
    objects,
    readiness,
    secrets,
    set_aside,
)
from steps.parts.conflicts import KEEP, REPLACE, ObjectState, Standing, Target
from steps.parts.objects import named
from steps.parts.secrets import Databases
from steps.parts.set_aside import SetAsideClaim
from steps.plans import admission, prerequisites, storage_plan
from steps.plans.plan import Does, Plan
from steps.plans.storage_plan import PlannedStorage
from steps.threescale import installation, references

log = logging.getLogger(__name__)


class RestorePlan(NamedTuple):
    """A plan, and the facts that the phases need to carry it out."""

    plan: Plan
    claim: Object | None = None  # to be created
    kept: Sequence[Line] = ()  # the existing claim, if it is kept
    kept_secrets: Sequence[str] = ()  # names; same content as the backup, created by somebody else
    kept_configmaps: Sequence[str] = ()
    is_done: bool = False  # except the Routes
    differing_secrets: Sequence[str] = ()  # names; other content than the backup
    differing_configmaps: Sequence[str] = ()
    saves_objects: bool = False  # the differing objects, before they are replaced
    saves_files: bool = False
    wanted: SetAsideClaim | None = None  # the claim to save to
    left_out: str = ""  # a sentence about the files that are or were left out


def of(
    cluster: Cluster, backup: Backup, wishes: RestoreWishes, *, last_try: bool, workflow: Workflow = NOBODY
) -> RestorePlan:
    """Plan a restore. Errors that prevent the restore are collected in the plan's objections.

    Raises:
        errors.BackupDamaged, errors.NotABackup: such a backup can't be planned any further.

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
    storage = storage_plan.add(plan, cluster, backup, wishes, alive, workflow)
    if not databases.restored:
        _add_databases(plan, cluster, alive, last_try=last_try)
    of_databases = plan.ask("database-overrides", lambda: databases.to_restore(cluster, backup)) or []
    plan.ask("references of the APIManager", lambda: _check_references(cluster, backup))
    found = _compare(plan, Target(cluster, alive, backup.mark), backup, of_databases)
    asked, standings = wishes.on_conflict, [*found[SECRET], *found[CONFIGMAP]]
    plan.add_objects(standings, asked)
    held = [*standings, *storage.goes]
    plan.ask("", lambda: conflicts.refuse(held, cluster.namespace, last_try=last_try, asked=asked))
    if asked == REPLACE:
        _try_replacing(plan, cluster, found, backup.mark)
    _add_what_stays(plan, backup)
    _add_apimanager(plan, backup)
    planned = _planned(plan, storage, found, asked)
    admission.add_new(plan, cluster, _created(cluster, backup, planned, found, workflow))
    _add_passed_over(plan, backup)
    kept = {str(each) for each in standings if each.state is ObjectState.DIFFERS and asked == KEEP}
    _add_domains(plan, backup, of_databases, kept)
    _add_waits(plan, backup, wishes)
    return planned


def _of_routes(plan: Plan, cluster: Cluster, backup: Backup, wishes: RestoreWishes, there: Object) -> RestorePlan:
    """Plan the remaining steps after a restore of this backup has created the APIManager."""
    plan.ask(named(there), lambda: _check_domain(there, backup))
    plan.add(Does.CREATE, named(there), objects.size(backup.apimanager), done=True)
    filled = None if backup.external else installation.SYSTEM_STORAGE
    claim = plan.ask(storage_plan.STORAGE, lambda: waiting.still_there(cluster, filled)) if filled else None
    lacking = storage_plan.add_left_out_before(plan, claim, backup) if claim else ""
    _add_waits(plan, backup, wishes)
    return RestorePlan(plan, kept=storage_plan.became(UNTOUCHED) if claim else [], is_done=True, left_out=lacking)


def _planned(plan: Plan, storage: PlannedStorage, found: Mapping[Kind, Sequence[Standing]], asked: str) -> RestorePlan:
    """Collect the facts for the phases after all lines are added."""
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
        wanted=storage.saved_to if saves_objects or storage.is_saved else None,
        left_out=storage.left_out,
    )


def prepare(cluster: Cluster, planned: RestorePlan, workflow: Workflow, approved: Iterable[str] = ()) -> list[Line]:
    """Log the plan, compare its digest with the approved digests, and create system-storage.

    If something is replaced, also create the claim to which it is saved first. Returns lines for the created claims and
    for a claim that was kept.

    Raises:
        the plan's first objection, errors.PlanDiffers or errors.ReplacedClaimTaken, before anything is written;
        errors.AlreadyExists

    """
    planned.plan.check()
    if planned.is_done:
        log.info("APIManager: created by an earlier restore of this backup, only the Routes are left to do")
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


def _compare(plan: Plan, target: Target, backup: Backup, databases: Sequence[Object]) -> dict[Kind, list[Standing]]:
    """Compare the Secrets and ConfigMaps of the backup with the namespace."""
    wanted = {SECRET: [*secrets.to_restore(backup), *databases], CONFIGMAP: configmaps.to_restore(backup)}
    return {kind: plan.ask("", partial(conflicts.compare, target, kind, saved)) or [] for kind, saved in wanted.items()}


def _created(
    cluster: Cluster,
    backup: Backup,
    planned: RestorePlan,
    found: Mapping[Kind, Sequence[Standing]],
    workflow: Workflow,
) -> Iterator[tuple[Kind, Object]]:
    """All that the restore will create, as it will create it."""
    if planned.claim:
        yield CLAIM, planned.claim
    if planned.wanted:
        claim = planned.plan.ask("", partial(set_aside.new, cluster, planned.wanted, workflow))
        yield from [(CLAIM, claim)] if claim else []
    for kind, standings in found.items():
        for each in standings:
            if each.state is ObjectState.ABSENT:
                yield kind, objects.marked(each.obj, backup.mark)
    yield APIMANAGER, apimanager.to_restore(backup, backup.mark)


def _try_replacing(plan: Plan, cluster: Cluster, found: Mapping[Kind, Sequence[Standing]], mark: Mark) -> None:
    for kind, standings in found.items():
        for each in standings:
            if each.state is ObjectState.DIFFERS and not each.fixed:
                admission.ask(plan, str(each), partial(conflicts.try_replacing, cluster, kind, each, mark))


def _check_domain(there: Object, backup: Backup) -> None:
    found, asked_for = (str(obj["spec"].get("wildcardDomain", "")) for obj in (there, backup.apimanager))
    if found != asked_for:
        raise errors.DomainDiffers(there["metadata"]["name"], found, asked_for)


def _check_references(cluster: Cluster, backup: Backup) -> None:
    named = references.required(backup.named)
    lacking = [each for each in named if not backup.holds(each)]  # objects in the backup are compared elsewhere
    if absent := objects.absent(cluster, lacking):
        raise errors.ReferencesMissing([str(each) for each in absent], cluster.namespace)


def _add_databases(plan: Plan, cluster: Cluster, alive: set[str], *, last_try: bool) -> None:
    for name in installation.DATABASE_SECRETS:
        plan.add(Does.YOURS, f"{SECRET.name} {name}", "must exist")
    plan.ask("the databases' Secrets", lambda: prerequisites.check_database_secrets(cluster, alive, last_try=last_try))


def _add_what_stays(plan: Plan, backup: Backup) -> None:
    """Plan the objects of the installation that a restore does not create."""
    for each in backup.named:
        if not backup.holds(each):
            who = "the operator uses it by default" if each.is_default else "the APIManager refers to it"
            plan.add(Does.YOURS, f"{each.kind.name} {each.name}", f"{who}, but the backup does not contain it")
    for name in sorted({*installation.SECRETS} - {*installation.RESTORED_SECRETS, *installation.DATABASE_SECRETS}):
        plan.add(Does.OPERATORS, f"{SECRET.name} {name}", "the operator creates a new one")


def _add_domains(plan: Plan, backup: Backup, databases: Sequence[Object], kept: Collection[str]) -> None:
    """Plan the places that a new wildcard domain changes or leaves. Objects in `kept` are not from the backup."""
    if (move := backup.move) is None:
        return
    original = replace(backup, move=None)
    every = [original.apimanager, *secrets.to_restore(original), *databases, *configmaps.to_restore(original)]
    saved = [obj for obj in every if named(obj) not in kept]
    for each in (place for obj in saved for place in move.rewrites(obj)):
        plan.add(Does.REWRITTEN, each, f"{move.old} becomes {move.new}")
    for each in (place for obj in saved for place in move.others(obj)):
        plan.add(Does.STAYS, each, f"contains {move.old}")
    plan.add(Does.YOURS, "System's database", move.left_to_do)


def _add_apimanager(plan: Plan, backup: Backup) -> None:
    plan.add(Does.CREATE, named(backup.apimanager), objects.size(backup.apimanager))
    for doubt in backup.unreconciled:
        plan.add(Does.WARNING, named(backup.apimanager), f"when it was saved: {doubt}")
    for warning in controllers.warnings(backup.apimanager):
        plan.add(Does.WARNING, named(backup.apimanager), warning)


def _add_waits(plan: Plan, backup: Backup, wishes: RestoreWishes) -> None:
    for host in backup.ready.routes:
        plan.add(Does.EXPECTED, f"Route {host}")
    for what in readiness.waits(backup, wishes.ready):
        plan.add(Does.WAIT, what, f"at most {wishes.wait_minutes:g} minutes")


def _add_passed_over(plan: Plan, backup: Backup) -> None:
    for name in volume.snapshots(volume.passed_over(backup.root)):
        log.info("folder %r at the root of the backup's volume contains %s", name, volume.shown(backup.root, name))
        how = "skipped at the root of the backup's volume, because storage systems show snapshots under this name"
        plan.add(Does.WARNING, f"folder {name}", how)  # without the count, which changes hourly, for the digest


def _names(standings: Iterable[Standing], state: ObjectState) -> list[str]:
    return [each.obj["metadata"]["name"] for each in standings if each.state is state]
