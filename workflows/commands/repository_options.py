"""The options that say where a repository is and how it is opened, the same in each command that reads one.

A person has no Secret and no cluster. The credentials stand in the environment, under the names of the Secret's keys.
Private files and restic's cache lie in a temporary folder that no other user may open, and go with it.
"""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from steps.contract import values
from steps.phases.command_line import Command, NamedPath, Value
from workflows.commands.options import SERVER, Where

if TYPE_CHECKING:
    from steps.restic.program import Restic
    from steps.restic.store import Store

_CREDENTIALS = "Credentials of the store are read from the environment, by the names of the Secret's keys."
_SOURCE = click.option(
    "--repository",
    default="",
    metavar="ADDRESS",
    help=f"Fetch from this restic repository. By default RESTIC_REPOSITORY is used. {_CREDENTIALS}",
)
_INSTEAD = click.option(
    "--repository",
    is_flag=False,
    flag_value="",
    metavar="[ADDRESS]",
    help=f"Read this restic repository, and ask no cluster. Without ADDRESS, RESTIC_REPOSITORY is used. {_CREDENTIALS}",
)
_PASSWORD_FILE = click.option(
    "--password-file",
    type=NamedPath(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read the password of the repository from this file. By default RESTIC_PASSWORD_FILE or RESTIC_PASSWORD is "
    "used.",
)
_NAMESPACE = click.option(
    "-n",
    "--namespace",
    type=Value(values.NAMESPACE),
    metavar="NS",
    help="Work in this namespace, which holds the 3scale installation. It is required without `--repository`.",
)


class Opened(NamedTuple):
    """A repository that has answered, and a private folder for the time of a command."""

    restic: "Restic"
    scratch: Path


class PersonsRepository(NamedTuple):
    """Where a person's repository is. An empty address: as the environment says."""

    address: str
    password_file: Path | None

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        """Open the repository, and give up soon if it does not answer.

        Raises:
            errors.BadEnvironment, errors.NoRestic, errors.OldRestic; errors of `endings.of`

        """
        from steps.repository import probe
        from steps.restic.store import Store

        with privately_opened(Store.of_environment(os.environ, self.address, self.password_file)) as opened:
            probe.look(opened.restic)
            yield opened


@contextmanager
def privately_opened(store: "Store") -> Iterator[Opened]:
    """Open a repository with a private folder of its own, and do not ask yet whether it answers.

    Raises:
        errors.NoRestic, errors.OldRestic

    """
    from steps.restic import program

    with TemporaryDirectory(prefix="threescale-backup-") as folder:
        own = Path(folder)
        with program.opened(store, own / "private", own / "scratch") as restic:
            yield Opened(restic, own)


def at_repository(function: Command) -> Command:
    """Give a command the options of a repository, as its argument `repository`."""

    @functools.wraps(function)
    def told(*arguments: Any, repository: str, password_file: Path | None, **more: Any) -> object:
        return function(*arguments, repository=PersonsRepository(repository, password_file), **more)

    return cast("Command", _SOURCE(_PASSWORD_FILE(told)))


def at_cluster_or_repository(function: Command) -> Command:
    """Give a command `where` and `repository`. `repository` is None if the cluster is to be asked."""

    @functools.wraps(function)
    def told(*arguments: Any, repository: str | None, password_file: Path | None, **more: Any) -> object:
        namespace, server = more.pop("namespace"), (more.pop("kubeconfig"), more.pop("context"))
        _check(namespace, repository, password_file)
        found = None if repository is None else PersonsRepository(repository, password_file)
        return function(*arguments, where=Where(namespace or "", *server), repository=found, **more)

    for option in reversed((_NAMESPACE, *SERVER, _INSTEAD, _PASSWORD_FILE)):
        told = option(told)
    return cast("Command", told)


def instead_of_folder(function: Command) -> Command:
    """Give a command `repository`, which is None if the command is about a folder."""

    @functools.wraps(function)
    def told(*arguments: Any, repository: str | None, password_file: Path | None, **more: Any) -> object:
        _check_password_file(repository, password_file)
        found = None if repository is None else PersonsRepository(repository, password_file)
        return function(*arguments, repository=found, **more)

    return cast("Command", _INSTEAD(_PASSWORD_FILE(told)))


def _check_password_file(repository: str | None, password_file: Path | None) -> None:
    if repository is None and password_file:
        raise click.UsageError("--password-file needs --repository.")


def _check(namespace: str | None, repository: str | None, password_file: Path | None) -> None:
    """Refuse a command line that names no place, or two."""
    _check_password_file(repository, password_file)
    if repository is None and not namespace:
        option = next(each for each in click.get_current_context().command.params if each.name == "namespace")
        raise click.MissingParameter("Or name a repository by --repository.", param=option)
    if repository is not None and namespace:
        raise click.UsageError("Give either --namespace or --repository, not both.")
