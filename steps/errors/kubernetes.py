"""What Kubernetes refuses, and what is no answer of it."""

from collections.abc import Sequence

from steps.errors.base import Final, TryAgain, of_server


def withheld(reason: str, refuser: str) -> str:
    """Say in the place of a server's message that it is not shown, and who wrote it where that is known."""
    told = f"{reason}: " if reason else ""
    by = f", {refuser} refused it" if refuser else ""
    return f"{told}the server's message is withheld, because it may hold a Secret's data{by}"


def _called(resource: str, name: str) -> str:
    """An object by its kind and name, or the kind alone where all of it was asked for."""
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
            f"not allowed to {self.verb} {_called(self.resource, self.name)} in namespace {self.namespace} "
            f"(HTTP 403: {self.message or 'no message'}{of_server(self.server)}): "
            "apply the Roles that `threescale-backup manifests` renders"
        )


class QuotaExceeded(Final):
    resource: str
    name: str
    namespace: str
    message: str
    server: str = ""
    says = (
        "a quota of namespace {namespace} leaves no room for {resource} {name!r} ({message}{server:server}): raise "
        "the quota, delete old backup claims, or ask for less storage"
    )


class Rejected(Final):
    verb: str
    resource: str
    name: str
    status: int
    message: str
    server: str = ""
    says = "Kubernetes rejected to {verb} {resource} {name!r} (HTTP {status}: {message}{server:server})"


class UnknownResource(Final):
    resource: str
    server: str = ""
    says = "the cluster knows no {resource}{server:server}"


class AlreadyExists(TryAgain):
    resource: str
    name: str
    server: str = ""
    says = "{resource} {name!r} appeared while it was being created (HTTP 409{server:server}); the next try looks at it"


class Unanswered(TryAgain):
    """Whether it was done is not known."""


class NoAnswer(Unanswered):
    verb: str
    resource: str
    name: str
    reason: str
    server: str = ""

    def compose(self) -> str:
        what = _called(self.resource, self.name)
        return f"no usable answer from Kubernetes to {self.verb} {what} ({self.reason}{of_server(self.server)})"


class NotKnown(Unanswered):
    """Who asks is not known, or no longer; what they may do was not even looked at."""

    server: str
    says = (
        "Kubernetes does not know who asks (HTTP 401{server:server}), also after the token was read again: the "
        "token has expired, its ServiceAccount is gone, or it belongs to another cluster"
    )


class Conflict(NoAnswer):
    """Somebody else has changed it since it was read, or writes it at this moment."""


class NoConnection(Final):
    reason: str
    says = "no way to reach Kubernetes: {reason}; run this in a pod with a service account, or set KUBECONFIG"


class ClaimGone(Final):
    name: str
    namespace: str
    says = (
        "claim {name!r} was in namespace {namespace} and is gone: find out who deletes claims there, then submit again"
    )


class ClaimGoingAway(Final):
    name: str
    namespace: str
    says = "claim {name!r} in namespace {namespace} is being deleted: wait until it is gone"


class ClaimInUse(Final):
    name: str
    access_mode: str
    pods: Sequence[str]
    says = (
        "claim {name!r} is {access_mode} and in use by pod {pods}: no second pod can mount it; stop that pod or "
        "move the data to a claim that several pods can mount"
    )


class ClaimOnTwoNodes(Final):
    name: str
    nodes: Sequence[str]
    says = (
        "claim {name!r} is ReadWriteOnce and its pods run on nodes {nodes}: no pod can be placed beside all of "
        "them; bring them to one node"
    )


class ClaimWithoutVolume(TryAgain):
    name: str
    event: str
    says = "claim {name!r} gets no volume ({event}): check its class, its volume and its size"


class ResyncUnknown(TryAgain):
    pod: str
    reason: str
    server: str = ""
    says = "no word of how zync:resync:domains ended in pod {pod} ({reason}{server:server})"
