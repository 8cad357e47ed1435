"""What Kubernetes refuses, and what is no answer of it."""

from collections.abc import Sequence

from steps.errors.base import BadArgument, Final, PhaseError, TryAgain, of_server, several


def withheld(reason: str, refuser: str) -> str:
    """Say in the place of a server's message that it is not shown, and who wrote it where that is known."""
    told = f"{reason}: " if reason else ""
    by = f", {refuser} refused it" if refuser else ""
    return f"{told}the server's message is withheld, because it may hold a Secret's data{by}"


class NotAllowed(Final):
    def __init__(self, verb: str, resource: str, name: str, namespace: str, message: str, server: str = "") -> None:
        super().__init__(
            f"not allowed to {verb} {resource}{f' {name!r}' if name else ''} in namespace {namespace} "
            f"(HTTP 403: {message or 'no message'}{of_server(server)}): "
            "apply the Roles that `threescale-backup manifests` renders"
        )


class QuotaExceeded(Final):
    def __init__(self, resource: str, name: str, namespace: str, message: str, server: str = "") -> None:
        super().__init__(
            f"a quota of namespace {namespace} leaves no room for {resource} {name!r} ({message}{of_server(server)}): "
            "raise the quota, delete old backup claims, or ask for less storage"
        )


class Rejected(Final):
    def __init__(self, verb: str, resource: str, name: str, status: int, message: str, server: str = "") -> None:
        super().__init__(
            f"Kubernetes rejected to {verb} {resource} {name!r} (HTTP {status}: {message}{of_server(server)})"
        )


class UnknownResource(Final):
    def __init__(self, resource: str, server: str = "") -> None:
        super().__init__(f"the cluster knows no {resource}{of_server(server)}")


class AlreadyExists(TryAgain):
    def __init__(self, resource: str, name: str, server: str = "") -> None:
        super().__init__(
            f"{resource} {name!r} appeared while it was being created (HTTP 409{of_server(server)}); "
            "the next try looks at it"
        )


class NoAnswer(TryAgain):
    def __init__(self, verb: str, resource: str, name: str, reason: str, server: str = "") -> None:
        what = f"{resource} {name!r}" if name else resource
        super().__init__(f"no usable answer from Kubernetes to {verb} {what} ({reason}{of_server(server)})")


class NotKnown(NoAnswer):
    """Who asks is not known, or no longer; what they may do was not even looked at."""

    def __init__(self, server: str) -> None:
        PhaseError.__init__(
            self,
            f"Kubernetes does not know who asks (HTTP 401{of_server(server)}), also after the token was read again: "
            "the token has expired, its ServiceAccount is gone, or it belongs to another cluster",
        )


class Conflict(NoAnswer):
    """Somebody else has changed it since it was read, or writes it at this moment."""


class NoConnection(Final):
    def __init__(self, reason: str) -> None:
        super().__init__(
            f"no way to reach Kubernetes: {reason}; run this in a pod with a service account, or set KUBECONFIG"
        )


class BadQuantity(BadArgument):
    def __init__(self, value: str, parameter: str) -> None:
        super().__init__(f"{value!r} is no size for {parameter}: write a Kubernetes quantity above zero such as 10Gi")


class ClaimGone(Final):
    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"claim {name!r} was in namespace {namespace} and is gone: find out who deletes claims there, "
            "then submit again"
        )


class ClaimGoingAway(Final):
    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(f"claim {name!r} in namespace {namespace} is being deleted: wait until it is gone")


class ClaimInUse(Final):
    def __init__(self, name: str, access_mode: str, pods: Sequence[str]) -> None:
        super().__init__(
            f"claim {name!r} is {access_mode} and in use by pod {several(pods)}: no second pod can mount it; "
            "stop that pod or move the data to a claim that several pods can mount"
        )


class ClaimOnTwoNodes(Final):
    def __init__(self, name: str, nodes: Sequence[str]) -> None:
        super().__init__(
            f"claim {name!r} is ReadWriteOnce and its pods run on nodes {several(nodes)}: "
            "no pod can be placed beside all of them; bring them to one node"
        )


class ClaimWithoutVolume(TryAgain):
    def __init__(self, name: str, event: str) -> None:
        super().__init__(f"claim {name!r} gets no volume ({event}): check its class, its volume and its size")


class ResyncUnknown(TryAgain):
    def __init__(self, pod: str, reason: str, server: str = "") -> None:
        super().__init__(f"no word of how zync:resync:domains ended in pod {pod} ({reason}{of_server(server)})")
