"""Whether the pod's clock can be trusted with the locks of a repository.

restic judges the age of a lock by the clock of the pod. A clock that is ahead takes living locks for dead ones and
removes them. A clock that is behind writes locks that others take for dead. The API server's clock decides.
"""

from datetime import timedelta

from steps import errors
from steps.kubernetes import times
from steps.kubernetes.cluster import Cluster

_SKEW = timedelta(minutes=5)


def check(cluster: Cluster, repository: str) -> None:
    """Check that the clocks of the pod and the API server agree. A server that does not tell its time is believed.

    Raises:
        errors.ClocksDiffer, errors.NoAnswer

    """
    server = cluster.time()
    if server is None:
        return
    ahead = times.now() - server
    if abs(ahead) > _SKEW:
        minutes = round(abs(ahead) / timedelta(minutes=1))
        raise errors.ClocksDiffer(repository, minutes, "ahead of" if ahead > timedelta(0) else "behind", cluster.server)
