"""Nights of a schedule on a real Argo: one after the other, and what a person is then told."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steps.contract.backup_contract import CLAIM
from steps.contract.prune_contract import PruneArguments
from tests.live.argo.argo import NODE_S, Argo, Workflow
from tests.live.kubernetes import until
from tests.live.stage import Stage
from workflows import schedule

CLAIMS: Final = "persistentvolumeclaims"
COMPLETE: Final = "complete"
FAILED: Final = "failed"
UNKNOWN: Final = "unknown"
# The watchdog is there, and fires in no test.
NEVER: Final = schedule.Cron("watchdog", "0 0 1 1 *", {"max-age": "26h", "schedule": ""})
KEEP: Final = PruneArguments.model_validate({"keep-last": "2", "minimum-redundancy": "1", "failed-after": "0d"})


@dataclass(frozen=True)
class Nights:
    """A schedule whose backups end with retention."""

    stage: Stage
    argo: Argo
    kubeconfig: Path

    def night(self, **parameters: str) -> Workflow:
        """Have a backup made as the schedule does, and wait for its end."""
        return self.argo.wait(self.begin(**parameters))

    def begin(self, **parameters: str) -> str:
        return self.argo.backup(schedule=schedule.NAME, **parameters)

    def good(self, **parameters: str) -> str:
        """Have a night that ends well; return the backup."""
        return self.assert_good(self.night(**parameters))

    def assert_good(self, night: Workflow) -> str:
        """See that a night and its retention ended well, and its backup is listed as the newest complete one."""
        assert night.phase == "Succeeded", night.failures()
        assert night.phase_of("prune") == "Succeeded"
        name = night.outputs[CLAIM]
        assert next(each for each, state in self.states().items() if state == COMPLETE) == name
        return name

    def states(self) -> dict[str, str]:
        """Return what `threescale-backup list` tells of each backup that nobody has deleted, the newest first."""
        words = ["-m", "workflows", "list", "--namespace", self.stage.namespace, "--output", "json"]
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == 0, done.stderr
        return {entry["name"]: entry["state"] for entry in json.loads(done.stdout) if not entry["going"]}

    def wait_until_gone(self, *names: str) -> None:
        """Wait until claims are deleted; the pods that had them keep them a while longer."""
        until(f"the deletion of {', '.join(names)}", lambda: all(map(self.stage.goes, names)), NODE_S)
