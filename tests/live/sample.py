"""A sample of a 3scale installation on a test cluster, for the tutorial: `python -m tests.live.sample COMMAND`.

It has the objects and the files of an installation. Nothing of 3scale runs, and this program does the operator's part.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from tests.live import definitions
from tests.live.installation import Installation, Operator
from tests.live.kubernetes import Kubernetes


def at_cluster(act: Callable[[Kubernetes, Installation], None]) -> Callable[..., None]:
    """Give a command the cluster and the installation that its options name."""

    @click.option("--context", required=True, help="The context of the kubeconfig. It must be a test cluster.")
    @click.option("-n", "--namespace", default="api", show_default=True, help="The namespace of the installation.")
    @click.option("--image", required=True, help="The image of the phases, as the cluster can pull it.")
    @click.option("--kubeconfig", default=str(Path.home() / ".kube/config"), envvar="KUBECONFIG", show_default=True)
    @click.option("--user", default=1000, show_default=True, help="The user and the group of the sample's pods.")
    @wraps(act)
    def told(context: str, namespace: str, image: str, kubeconfig: str, user: int) -> None:
        kubernetes = Kubernetes.connect(Path(kubeconfig), context)
        security: dict[str, Any] = {
            "runAsNonRoot": True,
            "runAsUser": user,
            "fsGroup": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        act(kubernetes, Installation(kubernetes, namespace, image, security))

    return told


@click.group()
def main() -> None:
    """Make, lose and operate a sample of a 3scale installation on a test cluster."""


@main.command()
@at_cluster
def install(kubernetes: Kubernetes, installation: Installation) -> None:
    """Create the kinds of 3scale where they are missing, and the installation."""
    definitions.make(kubernetes, definitions.of_3scale())
    definitions.wait(kubernetes, definitions.of_3scale())
    installation.install()
    click.echo(f"The sample installation runs in namespace {installation.namespace}.")


@main.command()
@at_cluster
def lose(_kubernetes: Kubernetes, installation: Installation) -> None:
    """Delete the installation, and create the three Secrets of the databases, as a restore expects them."""
    installation.lose()
    installation.give_database_secrets()
    click.echo(f"The installation is gone from namespace {installation.namespace}. The database Secrets are there.")


@main.command()
@at_cluster
def operate(kubernetes: Kubernetes, installation: Installation) -> None:
    """Wait for a restored APIManager, and do the operator's part until it is available."""
    operator = Operator(kubernetes, installation)
    operator.run()
    if operator.failure:
        raise operator.failure
    click.echo("The restored installation is available.")


if __name__ == "__main__":
    main()
