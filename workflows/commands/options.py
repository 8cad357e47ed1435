"""Common parts of the commands: where the cluster is, the output format, and how a command refuses and ends."""

import functools
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar, cast

import click

from steps.contract import values
from steps.phases.command_line import Command, NamedPath, Value, options_of
from workflows.rendering.document import BadTextError

if TYPE_CHECKING:
    from steps.kubernetes.cluster import Cluster

Parsed = TypeVar("Parsed")
FOLDER = NamedPath(file_okay=False, path_type=Path)
_TIMEOUT_S = 30.0
_LARGEST = 4 << 20  # characters of a file; etcd takes 1.5 MB for a resource, and a List holds several
_FORM = "threescale-backup.output"  # the key in the metadata that all contexts of a command share


def output_option(*forms: str, about: str = "Print the result in this format.") -> Callable[[Command], Command]:
    """Return the option for the output format. The first format is for people and the default."""

    def note(context: click.Context, _option: click.Parameter, form: str) -> str:
        context.meta[_FORM] = form
        return form

    form = click.Choice(forms)
    return click.option("-o", "--output", type=form, default=forms[0], show_default=True, callback=note, help=about)


class Where(NamedTuple):
    """Where the installation is."""

    namespace: str
    kubeconfig: str | None = None  # None: kubectl's default
    context: str = ""  # of the kubeconfig; empty: its current one

    def at(self, namespace: str) -> "Where":
        """Return the same cluster with another namespace."""
        return self._replace(namespace=namespace)

    def connect(self) -> "Cluster":
        """Connect with the given kubeconfig, else with kubectl's default, else with the account of the pod."""
        from steps.kubernetes.cluster import Cluster

        usual = Path.home() / ".kube/config"
        path = self.kubeconfig or os.environ.get("KUBECONFIG") or (str(usual) if usual.exists() else "")
        return Cluster.connect(self.namespace, _TIMEOUT_S, path, self.context)


_NAMESPACE = click.option(
    "-n",
    "--namespace",
    type=Value(values.NAMESPACE),
    required=True,
    metavar="NS",
    help="Work in this namespace, which holds the 3scale installation or will hold it.",
)
_NAMESPACE_OF_FILE = click.option(
    "--namespace",  # first, so that it overrides the field as the other options of fields do
    "-n",
    type=Value(values.NAMESPACE),
    metavar="NS",
    help="Work in this namespace, which holds the 3scale installation or will hold it. By default the namespace of "
    "FILE is used.",
)
_NAMESPACE_IF_ANY = click.option(
    "-n",
    "--namespace",
    type=Value(values.NAMESPACE),
    metavar="NS",
    help="Ask the cluster about the 3scale installation in this namespace. By default no cluster is asked.",
)
SERVER = (
    click.option(
        "--kubeconfig",
        metavar="FILE",
        help="Use this kubeconfig. By default KUBECONFIG is used, then ~/.kube/config, then the account of the pod.",
    ),
    click.option(
        "--context",
        default="",
        metavar="NAME",
        help="Use this context of the kubeconfig. By default the current context is used.",
    ),
)


class DeclaredCommand(click.Command):
    """A command with the options of a declaration of `steps.contract`, before its own `--output`.

    The declaration is imported when this command is used, so that the list of commands appears at once.
    """

    def __init__(
        self, *arguments: Any, declared: str, without: Collection[str] = (), flags: bool = False, **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        self._declared, self._without, self._flags = declared, without, flags

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if self._declared:
            module, _, name = self._declared.partition(".")
            model = getattr(importlib.import_module(f"steps.contract.{module}"), name)
            last = [each for each in self.params if each.name == "output"]
            first = [each for each in self.params if each not in last]
            self.params = [*first, *options_of(model, without=self._without, flags=self._flags), *last]
            self._declared = ""
        return super().get_params(ctx)


def at_cluster(function: Command) -> Command:
    """Give a command the options that say where the installation is, as its argument `where`."""
    return _at(function, _NAMESPACE)


def at_cluster_of_file(function: Command) -> Command:
    """Give a command with `-f FILE` the same options. The namespace of `where` is empty if no option names one."""
    return _at(function, _NAMESPACE_OF_FILE)


def at_cluster_if_any(function: Command) -> Command:
    """Give a command the same options. The namespace of `where` is empty if no cluster is to be asked."""
    return _at(function, _NAMESPACE_IF_ANY)


def _at(function: Command, namespace_option: Callable[[Command], Command]) -> Command:
    @functools.wraps(function)
    def told(*arguments: Any, namespace: str | None, kubeconfig: str | None, context: str, **more: Any) -> object:
        return function(*arguments, where=Where(namespace or "", kubeconfig, context), **more)

    for option in reversed((namespace_option, *SERVER)):
        told = option(told)
    return cast("Command", told)


def refuse(*sentences: str) -> NoReturn:
    """Print one error message, or one for each problem, and end with exit code 1."""
    from steps import errors

    for sentence in sentences:
        click.echo(errors.printable(f"Error: {sentence}"), err=True)
    sys.exit(1)


def read_file(name: str, read: Callable[[str], Parsed]) -> Parsed:
    """Read a file of a person, or stdin for `-`. Refuse a file that can't be read or is not valid."""
    shown = "<stdin>" if name == "-" else name
    try:
        with click.open_file(name, encoding="utf-8") as stream:
            text = stream.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            refuse(f"{shown}: the file is longer than {_LARGEST >> 20} MiB. Name the right file")
        return read(text)
    except OSError as error:
        refuse(f"can't read {name}: {error.strerror}")
    except UnicodeDecodeError:
        refuse(f"{shown}: the file is not valid UTF-8, so it is not YAML")
    except BadTextError as error:
        refuse(f"{shown}: {error}")


class People(click.Group):
    """Commands that end with one message and clean up: on a refusal, on a signal, and if stdout is full."""

    def main(self, *args: Any, **more: Any) -> Any:
        if sys.stdout is None:
            refuse("stdout is closed. To discard the output, redirect it to /dev/null")
        try:
            try:
                return super().main(*args, **more)
            finally:
                sys.stdout.flush()
        except OSError as error:
            _refuse_stdout(error)

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        with _printable():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        from steps import errors

        before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does
        try:
            with _printable():
                return super().invoke(ctx)
        except errors.PhaseError as error:
            if ctx.meta.get(_FORM) == "json":
                click.echo(json.dumps({"error": error.told}, indent=2))
            refuse(str(error))
        except BrokenPipeError as error:  # click would end without a message
            _refuse_stdout(error)
        finally:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _printable() -> Iterator[None]:
    """Let click print its errors on one line. Some of its messages quote an argument as it is."""
    from steps import errors

    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = errors.printable(error.message)
        raise


def _refuse_stdout(error: OSError) -> NoReturn:
    """End because stdout can't be written. An error of a file names the file and is raised again."""
    if error.filename is not None:
        raise error
    from steps.process import interruption

    interruption.forget_stdout()
    refuse(f"can't write to stdout: {error.strerror}")
