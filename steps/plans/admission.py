"""The server is asked about all that a restore creates or replaces, before anything is written.

A dry run of each object passes its schema, webhooks, policies and limits, but counts that object alone against a quota.
So quotas are counted for all new objects together.
"""

from collections.abc import Callable, Iterable
from functools import partial

from steps import errors
from steps.kubernetes import quotas
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import Kind, Object
from steps.parts.objects import named
from steps.plans.plan import Does, Plan


def add_new(plan: Plan, cluster: Cluster, created: Iterable[tuple[Kind, Object]]) -> None:
    """Ask about objects that will be created. Refusals, and quotas that are too small, become objections."""
    exceeded: dict[str, errors.QuotaExceeded] = {}

    def create(kind: Kind, obj: Object) -> Object:
        try:
            return _dry_run(plan, named(obj), partial(cluster.create, kind, obj, dry_run=True)) or obj
        except errors.QuotaExceeded as refusal:  # of one object; below all are counted together
            exceeded[named(obj)] = refusal
            return obj

    admitted = [(kind, plan.ask(named(obj), partial(create, kind, obj)) or obj) for kind, obj in created]
    if short := _too_small(plan, cluster, admitted):
        plan.object_to("quotas", errors.QuotaTooSmall(cluster.namespace, short))
        return
    for what, refusal in exceeded.items():
        plan.object_to(what, refusal)


def ask(plan: Plan, what: str, attempt: Callable[[], Object]) -> None:
    """Ask about one object by a dry run. A refusal becomes an objection of the plan; raises as `Plan.ask`."""
    plan.ask(what, partial(_dry_run, plan, what, attempt))


def _dry_run(plan: Plan, what: str, attempt: Callable[[], Object]) -> Object | None:
    """Return the object as the server would keep it. None, with a warning, if a webhook supports no dry run."""
    try:
        return attempt()
    except errors.NoDryRun as error:
        told = f"admission webhook {error.webhook!r} supports no dry run, so it may still refuse the object"
        plan.add(Does.WARNING, what, told, is_bound=False)
        return None


def _too_small(plan: Plan, cluster: Cluster, created: Iterable[tuple[Kind, Object]]) -> list[str]:
    """Compare what the new objects need with what quotas leave."""
    needs, short = quotas.needed(created), []
    for kind in quotas.KINDS:
        try:
            limits = quotas.limits(cluster, kind)
        except errors.NotAllowed:
            plan.add(Does.NOT_ASKED, f"{kind.name}s", f"this account may not list {kind.resource}", is_bound=False)
            continue
        for limit in limits:
            need = needs[limit.resource]
            if need and limit.used + need > limit.hard:
                told = f"{limit.used} of {limit.hard} {limit.resource} in use, {need} needed"
                short.append(f"{limit.quota}: {told}")
    return short
