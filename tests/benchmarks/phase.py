"""What the phases' image weighs, how soon a phase in it has its first line in the log, and how much memory it takes.

As root, after `python tests/cluster image`: `.venv/bin/python -m tests.benchmarks phase`. The phase is `backup secrets`
with the sample installation; its container is locked as a pod's is.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tests.benchmarks import sample
from tests.cluster.node import image
from tests.cluster.node.errors import ClusterError

MEMORY = "256m"  # the limit of a small phase


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--rounds", type=int, default=15, help="(%(default)s)")
    parser.add_argument("--name", default=image.NAME, help="of the image (%(default)s)")


def run(asked: argparse.Namespace) -> int:
    """Measure and show it; 1 where there is no image."""
    try:
        built, rounds = image.look(asked.name), measure(asked.name, asked.rounds)
    except ClusterError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(
        table(built.added_bytes, [each["start_s"] for each in rounds], [each["peak_mib"] for each in rounds])
    )
    return 0


def measure(name: str, rounds: int) -> list[dict[str, float]]:
    """Run the phase so often in one container of the image."""
    with tempfile.TemporaryDirectory() as folder, sample.kubeconfig(Path(folder)) as kubeconfig:
        kubeconfig.chmod(0o644)  # for the image's user
        options = ["--memory", MEMORY, "--volume", f"{kubeconfig}:/kubeconfig:ro", "--env", "KUBECONFIG=/kubeconfig"]
        stopwatch = ("python", "-c", sample.STOPWATCH.read_text(), str(rounds))
        said = image.run(name, options, *stopwatch, "python", *sample.PHASE)
    return [json.loads(line) for line in said.splitlines()]


def table(added_bytes: int, starts_s: Sequence[float], peaks_mib: Sequence[float]) -> str:
    """Write the three figures; the middle start stands for all, because others use the machine too."""
    return (
        f"image on top of its base       {added_bytes / 2**20:6.1f} MiB\n"
        f"`secrets`, until its first line{median(starts_s):6.2f} s"
        f"    median of {len(starts_s)}, {min(starts_s):.2f} to {max(starts_s):.2f} s\n"
        f"`secrets`, most memory         {max(peaks_mib):6.1f} MiB\n"
    )
