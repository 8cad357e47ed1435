"""What a cluster says of an installation that is to be: the values that `init` writes, and sentences beside them."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from steps import errors
from steps.kubernetes import fields, quotas
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import (
    APIMANAGER,
    CONFIGMAP,
    DEPLOYMENT,
    POD,
    SECRET,
    SECURITY_CONSTRAINTS,
    STORAGE_CLASS,
    Object,
)
from steps.kubernetes.quotas import Limit
from steps.threescale import installation, references
from workflows.commands import tables
from workflows.configuration import proposal
from workflows.doctor import controller, storage
from workflows.doctor.argo import CONTROLLER
from workflows.rendering import document

# For a quota on requests or limits: Argo's executor, which copies small outputs.
_EXECUTOR = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}}
_OF_PODS = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.")
_STORAGE = "requests.storage"
_OF_CLAIMS = (_STORAGE, "persistentvolumeclaims", "count/persistentvolumeclaims")


class Answer(NamedTuple):
    """What one question found out: values of fields, a sentence, and the field beside which the sentence stands."""

    told: str
    beside: str = ""
    values: Mapping[str, Any] = MappingProxyType({})


Question = Callable[[Cluster, Cluster], Iterator[Answer]]  # the namespace of 3scale, and that of Argo's controller


def ask(cluster: Cluster, argo: Cluster) -> Iterator[Answer]:
    """Ask all questions. Where the person may not ask, or one question gets no answer, the answer says so.

    Raises:
        errors.Unanswered: the server does not know the account, or has not answered the first question.
    """
    for number, question in enumerate((_apimanager, _storage, _quotas, _users, _controller)):
        try:
            yield from question(cluster, argo)
        except errors.Unanswered as error:
            if isinstance(error, errors.NotKnown) or number == 0:
                raise
            yield _unknown(question, error)
        except (errors.PhaseError, document.Error, document.BadTextError) as error:
            yield _unknown(question, error)


def _unknown(question: Question, error: Exception) -> Answer:
    return Answer(f"{(question.__doc__ or '').partition('.')[0]}: {error}")


def _apimanager(cluster: Cluster, _argo: Cluster) -> Iterator[Answer]:
    """The APIManager and what it names."""
    try:
        found = cluster.list(APIMANAGER)
    except errors.UnknownResource:
        found = []
    if not found:
        yield Answer(
            f"Namespace {cluster.namespace} has no APIManager, so nothing says which Secrets it names.", "access"
        )
        return
    named = [reference for each in found for reference in references.of(each)]
    kinds = {"access.secrets": SECRET, "access.configMaps": CONFIGMAP}
    values = {path: names for path, kind in kinds.items() if (names := references.names(named, kind))}
    who = ", ".join(each["metadata"]["name"] for each in found)
    told = ", ".join(f"{len(names)} {kinds[path].resource}" for path, names in values.items()) or "no objects"
    yield Answer(f"APIManager {who} names {told} of your own.", "access", values)


def _storage(cluster: Cluster, _argo: Cluster) -> Iterator[Answer]:
    """The StorageClasses."""
    found = cluster.list(STORAGE_CLASS)
    told = ", ".join(map(_class, found)) or "none"
    yield Answer(f"StorageClasses of this cluster: {told}.", "backup.arguments")
    if not any(map(storage.is_default, found)):
        yield Answer(
            "No StorageClass is the default, so a backup needs the argument storage-class.", "backup.arguments"
        )


def _class(each: Object) -> str:
    usual = ["default"] if storage.is_default(each) else []
    facts = [*usual, storage.reclaim_policy(each), storage.binding_mode(each)]
    return f"{each['metadata']['name']} ({', '.join(facts)})"


def _quotas(cluster: Cluster, _argo: Cluster) -> Iterator[Answer]:
    """The quotas."""
    limits = [limit for kind in quotas.KINDS for limit in quotas.limits(cluster, kind)]
    if limited := sorted({each.resource for each in limits if each.resource.startswith(_OF_PODS)}):
        told = f"A quota limits {', '.join(limited)}, so every container needs requests and limits."
        yield Answer(told, "pods", {**_usual("pods.resources"), "pods.executorResources": _EXECUTOR})
    if room := [each for each in limits if each.resource.startswith(_OF_CLAIMS)]:
        told = ", ".join(f"{each.resource} {_amount(each.used, each)} of {_amount(each.hard, each)}" for each in room)
        yield Answer(f"A quota limits the claims of backups: {told}.", "backup.arguments")


def _amount(number: Decimal, of: Limit) -> str:
    return tables.size(int(number)) if of.resource == _STORAGE else str(number)


def _users(cluster: Cluster, _argo: Cluster) -> Iterator[Answer]:
    """The users of pods."""
    if cluster.serves(SECURITY_CONSTRAINTS):
        yield Answer("OpenShift assigns the user and the group of the pods.", "pods")
        return
    pods = [each for each in cluster.list(POD) if fields.at(each, "spec", "securityContext", "fsGroup") is not None]
    of_system = next((each for each in pods if each["metadata"]["name"].startswith(installation.SIDEKIQ)), None)
    told = fields.at(of_system, "spec", "securityContext") or {}
    theirs = {f"pods.{name}": told[name] for name in ("fsGroup", "runAsUser") if name in told}
    values = {**_usual("pods.fsGroup", "pods.runAsUser"), **theirs}
    source = f"as pod {of_system['metadata']['name']} has them" if of_system else "free to choose"
    yield Answer(f"This is no OpenShift, so the pods need a user and a group: {source}.", "pods", values)


def _usual(*paths: str) -> dict[str, Any]:
    """Return the values of fields that the file shows where nothing is known."""
    return {path: proposal.EXAMPLES[path] for path in paths}


def _controller(_cluster: Cluster, argo: Cluster) -> Iterator[Answer]:
    """Argo's controller."""
    found = argo.get(DEPLOYMENT, CONTROLLER)
    if found is None:
        yield Answer(f"Namespace {argo.namespace} has no Deployment {CONTROLLER}. Is Argo elsewhere?", "argo")
    else:
        images = [each["image"] for each in fields.at(found, "spec", "template", "spec", "containers") or []]
        yield Answer(f"Argo's controller runs in namespace {argo.namespace}: {', '.join(images)}.", "argo")
    settings = controller.read(argo) or {}
    if instance_id := str(settings.get("instanceID") or ""):
        told = f"Argo's controller has the instanceID {instance_id}."
        yield Answer(told, "argo", {"argo.instanceID": instance_id})
