"""The command of the phase that frees room in the repositories."""

import logging
from pathlib import Path

from steps import errors
from steps.contract.prune_contract import RepositoryPrune
from steps.phases import repositories
from steps.phases.command_line import PhaseGroup
from steps.phases.run import Run
from steps.repository import pruning
from steps.restic.program import Restic

log = logging.getLogger(__name__)
repository_prune_phases = PhaseGroup("repository-prune", help="Phases that free room in the repositories.")


@repository_prune_phases.phase(RepositoryPrune)
def _free(run: Run, told: RepositoryPrune) -> None:
    run.need("free")
    wanted = repositories.named(told, told.repository).name if told.repository else ""
    if not repositories.stores(told):
        raise errors.NoRepositoryConfigured("repository")
    cluster, repaired = run.cluster(), dict[str, int]()

    def free(restic: Restic) -> None:
        if wanted in {"", restic.store.name}:
            repaired[restic.store.name] = pruning.prune(restic, cluster, told.cache or Path("/cache"))

    try:
        repositories.each(told, cluster, free)
    finally:
        run.output(pruned=" ".join(name for name in repaired if not repaired[name]), repaired=sum(repaired.values()))
