"""The medium of a volume, which decides how many processes copy in parallel."""

import os
from collections.abc import Iterable
from pathlib import Path

LOCAL = 4  # best or second best on a disk with two processors, with a cold and a warm cache
NETWORK = 16  # takes half the time of 8 at a latency of 1 ms
MOST = 16  # each process takes memory, and a server has other clients
_A_PROCESSOR = 2
_NETWORK_TYPES = ("nfs", "cifs", "smb", "ceph", "fuse", "lustre", "gpfs", "afs", "9p", "virtiofs")
_MOUNTS = Path("/proc/self/mountinfo")  # proc_pid_mountinfo(5)


def workers(*roots: Path, mounts: Path = _MOUNTS) -> int:
    """How many processes suit some volumes. They mostly wait, for a network more than for a disk.

    At least two for each processor, and no more than `MOST`.
    """
    wanted = NETWORK if any(_is_network(kind) for kind in _kinds(roots, mounts)) else LOCAL
    return min(MOST, max(wanted, _A_PROCESSOR * len(os.sched_getaffinity(0))))


def _kinds(roots: Iterable[Path], mounts: Path) -> set[str]:
    """The types of the file systems of some folders. A missing folder has none."""
    try:
        devices = {root.stat().st_dev for root in roots if root.exists()}
        lines = [line.split() for line in mounts.read_text(errors="surrogateescape").splitlines()]
    except OSError:
        return set()
    wanted = {f"{os.major(device)}:{os.minor(device)}" for device in devices}
    return {words[words.index("-") + 1] for words in lines if words[2] in wanted}


def _is_network(kind: str) -> bool:
    return kind.startswith(_NETWORK_TYPES)
