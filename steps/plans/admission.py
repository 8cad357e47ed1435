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
    """Ask about objects that are to be created; refusals, and quotas that are too small, are objections of the plan."""
    admitted: list[tuple[Kind, Object]] = []
    exceeded: dict[str, errors.QuotaExceeded] = {}
    for kind, obj in created:
        try:
            answer = ask(plan, named(obj), partial(cluster.create, kind, obj, dry_run=True))
        except errors.QuotaExceeded as refusal:
            answer, exceeded[named(obj)] = None, refusal
        admitted.append((kind, answer or obj))
    if short := _too_small(plan, cluster, admitted):
        plan.ask("quotas", partial(_refuse, errors.QuotaTooSmall(cluster.namespace, short)))
        return
    for what, error in exceeded.items():
        plan.ask(what, partial(_refuse, error))


def ask(plan: Plan, what: str, attempt: Callable[[], Object]) -> Object | None:
    """Try a dry run; return the object as the server would keep it, None where it refuses or can't say.

    Raises:
        errors.QuotaExceeded; as `Plan.ask`

    """
    try:
        return attempt()
    except errors.NoDryRun as error:
        told = f"admission webhook {error.webhook!r} answers no dry run, so the webhook may refuse it later"
        plan.add(Does.WARNING, what, told, is_bound=False)
    except errors.QuotaExceeded:
        raise
    except errors.PhaseError as error:
        plan.ask(what, partial(_refuse, error))
    return None


def _too_small(plan: Plan, cluster: Cluster, created: Iterable[tuple[Kind, Object]]) -> list[str]:
    """Compare what the new objects need with what quotas leave."""
    needs, short = quotas.needed(created), []
    for kind in quotas.KINDS if needs else ():
        try:
            limits = quotas.limits(cluster, kind)
        except errors.NotAllowed:
            plan.add(Does.NOT_ASKED, f"{kind.name}s", f"this account may not list {kind.resource}", is_bound=False)
            continue
        for limit in limits:
            if limit.used + (need := needs[limit.resource]) > limit.hard and need:
                told = f"{limit.used} of {limit.hard} {limit.resource} in use, {need} needed"
                short.append(f"{limit.quota}: {told}")
    return short


def _refuse(error: errors.PhaseError) -> None:
    raise error
