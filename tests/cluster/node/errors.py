"""What can go wrong on the way to a cluster, each with what to do next."""

from collections.abc import Sequence
from pathlib import Path


class ClusterError(Exception):
    pass


class NotRoot(ClusterError):
    def __init__(self) -> None:
        super().__init__("The cluster mounts, makes a bridge and starts containers: run this as root.")


class AlreadyUp(ClusterError):
    def __init__(self, folder: Path, running: Sequence[str]) -> None:
        state = f"runs {', '.join(running)}" if running else "has left its folder"
        super().__init__(f"A cluster in {folder} {state}: take it down first (`python tests/cluster down`).")


class NotUp(ClusterError):
    def __init__(self, folder: Path) -> None:
        super().__init__(f"No cluster runs in {folder}: bring it up first (`python tests/cluster up`).")


class BridgeTaken(ClusterError):
    def __init__(self, bridge: str) -> None:
        super().__init__(f"This machine has a network device {bridge} already: another cluster? Take that down first.")


class CommandFailed(ClusterError):
    def __init__(self, command: Sequence[str], status: int, output: str) -> None:
        super().__init__(f"`{' '.join(command)}` ended with {status}:\n{output.strip()}")


class PackagesMissing(ClusterError):
    def __init__(self, packages: Sequence[str]) -> None:
        super().__init__(f"This machine lacks {', '.join(packages)}, and no apt-get to install them with.")


class PartNotReady(ClusterError):
    """A part that ended, or that did not come up in time: the end of its log says why."""

    def __init__(self, part: str, what: str, log: Path, tail: str) -> None:
        super().__init__(f"{part} {what}. The end of {log}:\n{tail}")


class StillMounted(ClusterError):
    def __init__(self, points: Sequence[str]) -> None:
        super().__init__(f"Could not unmount {', '.join(points)}: nothing was removed. What still uses them?")
