"""Requests that Kubernetes refuses, and answers that are missing or unusable."""

from collections.abc import Sequence

from steps.errors.base import Final, TryAgain, of_server


def withheld(reason: str, refuser: str) -> str:
    """Replace a server's message that may hold a Secret's data, and name who refused where that is known."""
    told = f"{reason}, " if reason else ""
    by = f", {refuser} refused it" if refuser else ""
    return f"{told}the server's message is withheld because it may hold a Secret's data{by}"


def _called(resource: str, name: str) -> str:
    """An object by its kind and name, or the kind alone where all its objects were requested."""
    return f"{resource} {name!r}" if name else resource


class NotAllowed(Final):
    verb: str
    resource: str
    name: str
    namespace: str
    message: str
    server: str = ""

    def compose(self) -> str:
        return (
            f"This account is not allowed to {self.verb} {_called(self.resource, self.name)} in namespace "
            f"{self.namespace} (HTTP 403: {self.message or 'no message'}{of_server(self.server)}). "
            "Apply the Roles that `threescale-backup manifests` renders."
        )


class QuotaExceeded(Final):
    resource: str
    name: str
    namespace: str
    message: str
    server: str = ""
    says = (
        "A quota of namespace {namespace} leaves no room for {resource} {name!r} ({message}{server:server}). Raise "
        "the quota, delete old backup claims, or request less storage."
    )


class NoDryRun(Final):
    resource: str
    name: str
    webhook: str
    says = (
        "Admission webhook {webhook!r} does not support dry runs, so it can't be asked about {resource} {name!r}. "
        "Ask the webhook's owner to declare `sideEffects: None`."
    )


class Rejected(Final):
    verb: str
    resource: str
    name: str
    status: int
    message: str
    server: str = ""
    says = (
        "Kubernetes rejected the request to {verb} {resource} {name!r} (HTTP {status}: {message}{server:server}). "
        "Correct the cause, then submit again."
    )


class UnknownResource(Final):
    resource: str
    server: str = ""

    def compose(self) -> str:
        where = f"server {self.server}" if self.server else "this cluster"
        return (
            f"The API of {where} has no resource {self.resource}. "
            "Check that this is the right cluster and that the operator of this resource is installed."
        )


class AlreadyExists(TryAgain):
    resource: str
    name: str
    server: str = ""
    says = (
        "Object {resource} {name!r} appeared while it was being created (HTTP 409{server:server}). Another try checks "
        "the object."
    )


class Unanswered(TryAgain):
    """It is not known whether Kubernetes did what was requested."""


class NoAnswer(Unanswered):
    verb: str
    resource: str
    name: str
    reason: str
    server: str = ""

    def compose(self) -> str:
        return (
            f"Kubernetes gave no usable answer to the request to {self.verb} {_called(self.resource, self.name)} "
            f"({self.reason}{of_server(self.server)}). Try again, and check the API server if this repeats."
        )


class NotKnown(Unanswered):
    """The API server does not know the account, or no longer. It has not checked the account's rights."""

    server: str
    says = (
        "Kubernetes does not know this account (HTTP 401{server:server}), even after the token was read again. The "
        "token has expired, its ServiceAccount is gone, or it belongs to another cluster. Check the token and the "
        "ServiceAccount."
    )


class Conflict(NoAnswer):
    """Somebody else has changed the object since it was read, or writes it at this moment."""

    def compose(self) -> str:
        return (
            f"Another change got in the way of the request to {self.verb} {_called(self.resource, self.name)} "
            f"({self.reason}{of_server(self.server)}). Try again, and find out who changes the object if this repeats."
        )


class NoConnection(Final):
    reason: str
    says = (
        "Kubernetes can't be reached ({reason}). Name a kubeconfig and one of its contexts, or run this in a pod with "
        "a service account."
    )


class ClaimGone(Final):
    name: str
    namespace: str
    says = "Claim {name!r} is gone from namespace {namespace}. Find out who deletes claims there, then submit again."


class ClaimGoingAway(Final):
    name: str
    namespace: str
    says = "Claim {name!r} in namespace {namespace} is being deleted. Wait until the claim is gone, then submit again."


class ClaimInUse(Final):
    name: str
    access_mode: str
    pods: Sequence[str]
    says = (
        "Claim {name!r} is {access_mode} and in use by pod {pods}. No second pod can mount it. Stop that pod, or move "
        "the data to a claim that several pods can mount."
    )


class ClaimOnTwoNodes(Final):
    name: str
    nodes: Sequence[str]
    says = (
        "Claim {name!r} is ReadWriteOnce, and its pods run on several nodes: {nodes}. No pod can be placed beside all "
        "of them. Move the pods to one node."
    )


class ClaimWithoutVolume(Final):
    name: str
    event: str
    says = (
        "Claim {name!r} gets no volume ({event}). Check the claim's storage class, its volume and its size. If the "
        "storage is slow, raise claim-wait."
    )


class ResyncUnknown(TryAgain):
    pod: str
    reason: str
    server: str = ""
    says = (
        "It is not known how zync:resync:domains ended in pod {pod} ({reason}{server:server}). Another try runs the "
        "command again."
    )
