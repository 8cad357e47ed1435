"""The plan of a backup, and its first action.

The plan makes every check that is possible before anything is written. A backup then creates its claim first, because
the next pods mount the claim.
"""

from collections.abc import Collection, Iterable
from functools import partial
from typing import NamedTuple

from steps.archive.manifest import External
from steps.catalogue import backup_claims
from steps.catalogue.backup_claims import WantedClaim
from steps.kubernetes import claims, mounting
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import APIMANAGER, CLAIM, SECRET, Kind, Object
from steps.kubernetes.mounting import ANYWHERE, Placement
from steps.kubernetes.workflow import Workflow
from steps.parts import apimanager, configmaps, controllers, objects, readiness, reconciliation, secrets
from steps.parts.objects import named
from steps.parts.selection import Selection
from steps.plans.plan import FILES, Does, Plan, PlanLine
from steps.threescale import installation, references


class BackupPlan(NamedTuple):
    """A plan, and the facts that the phases need to carry it out."""

    plan: Plan
    apimanager: Object  # empty if none was found
    placement: Placement = ANYWHERE  # of the pods that save the parts
    claim_is_made: bool = False  # by this workflow

    @property
    def routes(self) -> int:
        """Number of Route hosts that the backup records."""
        return sum(line.does is Does.RECORD for line in self.plan.lines)

    def saves(self, kind: Kind) -> list[str]:
        """Names of the objects of this kind that the backup saves."""
        found = (line.what.partition(" ") for line in self.plan.lines if line.does is Does.SAVE)
        return [name for word, _, name in found if word == kind.name]


def of(cluster: Cluster, wanted: WantedClaim, workflow: Workflow, databases: Iterable[PlanLine] = ()) -> BackupPlan:
    """Plan a backup. Errors that prevent the backup are collected in the plan's objections.

    `databases` are the lines about databases, which another phase has asked.

    Raises:
        errors.NoAnswer, errors.Interrupted

    """
    plan = Plan(cluster.namespace, maker="this workflow")
    claim_is_made = _add_claim(plan, cluster, wanted, workflow)
    found = plan.ask(APIMANAGER.name, lambda: apimanager.find(cluster))
    if found is None:
        return BackupPlan(plan, {}, claim_is_made=claim_is_made)
    _add_objects(plan, cluster, found)
    plan.lines += databases
    placement = _add_files(plan, cluster, found, workflow, external=wanted.external)
    if ready := plan.ask("Routes", lambda: readiness.ready(cluster, found)):
        for host in ready.routes:
            plan.add(Does.RECORD, f"Route {host}")
    return BackupPlan(plan, found, placement, claim_is_made)


def prepare(cluster: Cluster, planned: BackupPlan, wanted: WantedClaim, workflow: Workflow) -> None:
    """Log the plan, and create the claim of the backup.

    Raises:
        the plan's first objection, before anything is written; errors.QuotaExceeded, errors.AlreadyExists

    """
    planned.plan.check()
    if not planned.claim_is_made:
        backup_claims.create_backup(cluster, wanted, planned.apimanager, workflow)


def _add_claim(plan: Plan, cluster: Cluster, wanted: WantedClaim, workflow: Workflow) -> bool:
    """Plan the claim of the backup. Return whether this workflow has created the claim already."""
    what = f"{CLAIM.name} {wanted.name or '(named after the workflow)'}"
    made = plan.ask(what, lambda: backup_claims.check_free(cluster, wanted.name, workflow)) if wanted.name else None
    if not plan.objections:
        plan.add(Does.CREATE, what, claims.told({"spec": wanted.spec}), done=made is not None)
    return made is not None


def _add_objects(plan: Plan, cluster: Cluster, found: Object) -> None:
    """Plan the Secrets, the ConfigMaps and the APIManager."""
    of_apimanager = references.of(found)
    unneeded = apimanager.unneeded_keys(found)
    for each in secrets.to_save(apimanager.optional_secrets(found), of_apimanager):
        _add_selection(plan, cluster, each, unneeded)
    for each in configmaps.to_save(of_apimanager):
        _add_selection(plan, cluster, each)
    plan.ask("the databases", lambda: apimanager.check_databases(found))
    plan.add(Does.SAVE, named(found), objects.size(found))
    _add_controllers(plan, found)
    operator = reconciliation.operator(cluster)
    for doubt in reconciliation.doubts(found, operator):
        plan.add(Does.WARNING, named(found), doubt, is_bound=False)
    if operator is None:
        plan.add(Does.NOT_ASKED, "the 3scale operator", reconciliation.UNKNOWN, is_bound=False)


def _add_selection(plan: Plan, cluster: Cluster, each: Selection, unneeded_keys: Collection[str] = ()) -> None:
    looked = each.look(cluster)
    plan.objections += each.objections(looked, cluster)
    for name in each.names:
        what = f"{each.kind.name} {name}"
        if name in each.defaults and name not in looked.found:
            how = "not allowed to get it" if name in looked.refused else "does not exist"
            plan.add(Does.YOURS, what, f"{how}, the operator uses it by default")
        elif name in looked.refused:
            plan.add(Does.REFUSED, what, "not allowed to get it")
        elif name not in looked.missing:
            obj = looked.found[name]
            if size := plan.ask(what, partial(_complete, obj, cluster.namespace, unneeded_keys)):
                plan.add(Does.SAVE, what, size)
                _add_controllers(plan, obj)
        elif name in each.optional:
            plan.add(Does.ABSENT, what, "optional, does not exist")
        else:
            plan.add(Does.REFUSED, what, "missing")


def _add_controllers(plan: Plan, obj: Object) -> None:
    """Warn of controllers that a restored object may lack, or may fight with. Owners are known only now."""
    for warning in controllers.warnings(obj):
        plan.add(Does.WARNING, named(obj), warning, is_bound=False)


def _complete(obj: Object, namespace: str, unneeded_keys: Collection[str]) -> str:
    """Return the size of an object after checking that no key is missing."""
    if obj["kind"] == SECRET.name:
        secrets.check_keys(obj, namespace, unneeded_keys)
    return objects.size(obj)


def _add_files(plan: Plan, cluster: Cluster, found: Object, workflow: Workflow, *, external: bool) -> Placement:
    """Plan System's files. Return where the pods that copy them must run."""
    source = plan.ask(FILES, lambda: _source(cluster, found, external=external))
    if isinstance(source, External):
        plan.add(Does.YOURS, FILES, str(source))
    elif source is not None and (placement := plan.ask(FILES, lambda: mounting.placement(cluster, source, workflow))):
        where = "" if placement == ANYWHERE else f", on node {placement.node}"
        plan.add(Does.SAVE, FILES, f"claim {installation.SYSTEM_STORAGE}, {claims.told(source)}{where}")
        return placement
    return ANYWHERE


def _source(cluster: Cluster, found: Object, *, external: bool) -> Object | External:
    apimanager.check_files(found, external=external)
    return apimanager.external(cluster, found) if external else backup_claims.find(cluster, installation.SYSTEM_STORAGE)
