"""The plan of a restore, and what is done first by it.

All that can be known with the backup mounted is asked for here, before anything is written. The claim of System
FileStorage is what a restore then makes first, because the next pod mounts it.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from steps import (
    apimanager,
    claims,
    configmaps,
    errors,
    gitops,
    installation,
    marks,
    objects,
    prerequisites,
    routes,
    secrets,
    system_storage,
)
from steps.backup import Backup
from steps.cluster import Cluster, Object
from steps.installation import CLAIM, CONFIGMAP, SECRET
from steps.objects import Standing, State, named
from steps.plan import Does, Plan
from steps.result import CREATED, Line
from steps.secrets import EXPECTED, Databases
from steps.system_storage import AS_IT_WAS, Asked

log = logging.getLogger(__name__)

_FILES = "System FileStorage"


class Wishes(NamedTuple):
    """What a person asks of a restore."""

    storage: Asked = AS_IT_WAS
    threescale_version: str = ""
    databases: Databases = EXPECTED
    ready: str = "as-before"
    wait_minutes: float = 60


class RestorePlan(NamedTuple):
    """A plan, and what the phases need to act by it."""

    plan: Plan
    claim: Object | None = None  # to be created
    kept_secrets: Sequence[str] = ()  # names of those that say the same and are somebody else's
    kept_configmaps: Sequence[str] = ()
    is_done: bool = False  # but for the Routes


def of(cluster: Cluster, backup: Backup, wishes: Wishes, *, last_try: bool) -> RestorePlan:
    """Plan a restore; what speaks against it is among the plan's objections.

    Raises:
        errors.BackupDamaged, errors.NotABackup: of such a backup nothing more can be said.

    """
    prerequisites.check_whole(cluster, backup)
    plan = Plan(backup.digest)
    plan.ask("3scale's version", lambda: prerequisites.check_version(cluster, backup, wishes.threescale_version))
    there = plan.ask(named(backup.apimanager), lambda: apimanager.present(cluster, backup.mark))
    if there is not None:
        plan.ask(named(there), lambda: _check_domain(there, backup))
        plan.add(Does.CREATE, named(there), done=True)
        _add_waits(plan, backup, wishes)
        return RestorePlan(plan, is_done=True)
    if not any(isinstance(each, errors.ApiManagerPresent) for each in plan.objections):
        plan.ask("3scale", lambda: prerequisites.check_nothing_left(cluster, last_try=last_try))
    alive = prerequisites.living(cluster)
    claim, claim_goes = _add_files(plan, cluster, backup, wishes.storage, alive)
    if not wishes.databases.restored:
        _add_databases(plan, cluster, alive, last_try=last_try)
    of_databases = plan.ask("database-overrides", lambda: wishes.databases.to_restore(cluster, backup)) or []
    wanted = [*secrets.to_restore(backup), *of_databases]
    plan.ask("what the APIManager names", lambda: _check_references(cluster, backup))
    found = plan.ask("", lambda: objects.compare(cluster, SECRET, wanted, alive, backup.mark)) or []
    more = configmaps.to_restore(backup)
    found_more = plan.ask("", lambda: objects.compare(cluster, CONFIGMAP, more, alive, backup.mark)) or []
    plan.add_objects([*found, *found_more])
    plan.ask("", lambda: objects.refuse([*found, *found_more, *claim_goes], cluster.namespace, last_try=last_try))
    _add_what_stays(plan, backup)
    plan.add(Does.CREATE, named(backup.apimanager))
    if controller := gitops.owner(backup.apimanager):
        plan.add_warning(named(backup.apimanager), controller)
    _add_domains(plan, backup, of_databases)
    _add_waits(plan, backup, wishes)
    return RestorePlan(plan, claim, _kept(found), _kept(found_more))


def check(planned: RestorePlan) -> None:
    """Say a plan with all its lines, and pass if nothing speaks against it; raises its first objection."""
    planned.plan.check()


def prepare(cluster: Cluster, planned: RestorePlan, approved: Iterable[str] = ()) -> list[Line]:
    """Say the plan, hold it against the digests that were approved, and create system-storage.

    Returns what was created.

    Raises:
        the plan's first objection or errors.PlanDiffers, before anything is written; errors.AlreadyExists

    """
    check(planned)
    if planned.is_done:
        log.info("this backup's restore made the APIManager already: only the Routes are left to do")
        return []
    for digest in approved:
        if digest != planned.plan.digest:
            raise errors.PlanDiffers(digest, planned.plan.digest)
    if planned.claim is None:
        return []
    cluster.create(CLAIM, planned.claim)
    log.info("%s: created", named(planned.claim))
    return [Line(kind=CLAIM.name, name=installation.SYSTEM_STORAGE, done=CREATED)]


def _check_domain(there: Object, backup: Backup) -> None:
    found, asked_for = (str(obj["spec"].get("wildcardDomain", "")) for obj in (there, backup.apimanager))
    if found != asked_for:
        raise errors.DomainDiffers(there["metadata"]["name"], found, asked_for)


def _check_references(cluster: Cluster, backup: Backup) -> None:
    if lacking := [str(each) for each in objects.absent(cluster, backup.named) if not backup.holds(each)]:
        raise errors.ReferencesMissing(lacking, cluster.namespace)


def _add_files(
    plan: Plan, cluster: Cluster, backup: Backup, asked: Asked, alive: set[str]
) -> tuple[Object | None, list[Standing]]:
    """Plan the claim and its files: the claim, where it has to be made, or as one that is about to vanish."""
    if backup.external:
        plan.add(Does.YOURS, _FILES, str(backup.external))
        return None, []
    what = f"{CLAIM.name} {installation.SYSTEM_STORAGE}"
    existing = cluster.get(CLAIM, installation.SYSTEM_STORAGE)
    new = plan.ask(what, lambda: system_storage.wanted(backup, asked))
    goes = []
    if existing is not None and (reason := objects.going(existing, alive)):
        held = claims.holders(cluster, installation.SYSTEM_STORAGE)
        by = f" (held by pod {', '.join(held)}, also one that has ended holds it)" if held else ""
        goes = [Standing(existing, State.GOING, f"{reason}{by}")]
        plan.add(Does.REFUSED, what, f"{reason}{by}")
    elif existing is not None:
        plan.ask(what, lambda: system_storage.check(existing, backup))
    is_ours = existing is not None and backup.mark.on(existing)
    if new is not None and (existing is None or is_ours):
        plan.add(Does.CREATE, what, claims.told(new), done=is_ours)
    elif not goes:
        plan.add(Does.SAME, what, "must be empty")
    counts = backup.counts
    told = f"{counts.files} files, {counts.folders} folders, {counts.links} links, {counts.size_bytes} bytes"
    is_filled = existing is not None and marks.annotation(existing, marks.RESTORE_STATE) == marks.COMPLETE
    plan.add(Does.CREATE, _FILES, told, done=is_ours and is_filled)
    return (new if existing is None else None), goes


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


def _add_domains(plan: Plan, backup: Backup, databases: Sequence[Object]) -> None:
    """Plan what another wildcard domain changes, and what it leaves."""
    if (move := backup.move) is None:
        return
    original = replace(backup, move=None)
    saved = [original.apimanager, *secrets.to_restore(original), *databases, *configmaps.to_restore(original)]
    for each in (place for obj in saved for place in move.rewrites(obj)):
        plan.add(Does.REWRITTEN, each, f"{move.old} becomes {move.new}")
    for each in (place for obj in saved for place in move.others(obj)):
        plan.add(Does.STAYS, each, f"holds {move.old}")
    plan.add(Does.YOURS, "System's database", move.left_to_do)


def _add_waits(plan: Plan, backup: Backup, wishes: Wishes) -> None:
    for host in backup.ready.routes:
        plan.add(Does.EXPECTED, f"Route {host}")
    for what in routes.waits(backup, wishes.ready):
        plan.add(Does.WAIT, what, f"at most {wishes.wait_minutes:g} minutes")


def _kept(standings: Iterable[Standing]) -> list[str]:
    return [each.obj["metadata"]["name"] for each in standings if each.state is State.SAME]
