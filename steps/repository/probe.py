"""Whether a repository answers and can be opened, before anything else begins.

restic tries some errors again for a quarter of an hour. A typing error must not cost a phase its whole time, so the
probe has a limit of its own.
"""

import logging

from steps import errors
from steps.kubernetes.cluster import Cluster
from steps.repository import origin
from steps.restic.program import Restic

log = logging.getLogger(__name__)

LIMIT_S = 30.0


def check(restic: Restic, cluster: Cluster, *, init: bool) -> None:
    """Check that a repository can be opened. With `init`, a repository that does not exist is made.

    Raises:
        errors.RepositoryVanished: this installation has pushed to it, and it does not exist.
        errors of `endings.of`

    """
    try:
        restic.run("cat", "config", "--no-lock", limit_s=LIMIT_S)
    except (errors.NoRepository, errors.BucketMissing) as error:
        if since := origin.has_pushed(cluster, restic.store.name):
            raise errors.RepositoryVanished(restic.store.name, restic.store.address, since) from error
        if not init:
            raise
        restic.run("init", limit_s=LIMIT_S * 4)
        log.info("repository %s: created at %s", restic.store.name, restic.store.address)
    else:
        log.info("repository %s: opened", restic.store.name)
