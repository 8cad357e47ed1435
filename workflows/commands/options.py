"""What the commands ask for and do alike: where the cluster is, what retention keeps, how one refuses and ends."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from steps.contract import values
from steps.process.command_line import Command, NamedPath, Value, all_of

if TYPE_CHECKING:
    from steps.catalogue.retention import Rules
    from steps.kubernetes.cluster import Cluster

FOLDER = NamedPath(file_okay=False, path_type=Path)
_TIMEOUT_S = 30.0
_FORM = "threescale-backup.output"  # in what all contexts of a command share
_COUNT = Value(values.COUNT)

_DURATIONS = ("keep_within", "failed_after")


def output_option(*forms: str, about: str = "In which form it is said.") -> Callable[[Command], Command]:
    """The form of what a command prints, of which the first is for people."""

    def note(context: click.Context, _option: click.Parameter, form: str) -> str:
        context.meta[_FORM] = form
        return form

    form = click.Choice(forms)
    return click.option("-o", "--output", type=form, default=forms[0], show_default=True, callback=note, help=about)


def named_values(option: str, name: str, about: str) -> Callable[[Command], Command]:
    """An option for arguments of what runs by night, as often as there are some."""
    return click.option(option, name, multiple=True, metavar="NAME=VALUE", help=about)


# Where the installation is: what `connect` is given.
cluster_options = all_of(
    click.option(
        "-n",
        "--namespace",
        type=Value(values.NAMESPACE),
        required=True,
        metavar="NS",
        help="Namespace of the 3scale installation, or for it.",
    ),
    click.option("--kubeconfig", metavar="FILE", help="Else KUBECONFIG, or ~/.kube/config."),
    click.option("--context", default="", metavar="NAME", help="Of the kubeconfig; else its current one."),
)
# What retention keeps: what `read_rules` is given.
rules_options = all_of(
    click.option("--keep-last", type=_COUNT, default=0, metavar="N", help="Of retention: keep the newest N."),
    click.option("--keep-hourly", type=_COUNT, default=0, metavar="N", help="The newest of each of the last N hours."),
    click.option("--keep-daily", type=_COUNT, default=0, metavar="N", help="Of each of the last N days that have one."),
    click.option("--keep-weekly", type=_COUNT, default=0, metavar="N", help="Weeks, from Monday."),
    click.option("--keep-monthly", type=_COUNT, default=0, metavar="N", help="Months."),
    click.option("--keep-yearly", type=_COUNT, default=0, metavar="N", help="Years."),
    click.option("--keep-within", default="", metavar="DURATION", help="All so far back from the newest: 1y6m, 30d."),
    click.option(
        "--minimum-redundancy", type=_COUNT, default=3, show_default=True, help="Complete ones to keep in any case."
    ),
    click.option(
        "--max-shrink",
        type=Value(values.FRACTION),
        default=values.MAX_SHRINK,
        show_default=True,
        help="Shrunk by more, all is kept.",
    ),
    click.option("--manual", is_flag=True, help="Those too that a person asked for."),
    click.option("--operators", is_flag=True, help="Those too of APIManagerBackups."),
    click.option(
        "--failed-after", default="3d", show_default=True, metavar="DURATION", help="When claims of failed runs go."
    ),
)


def refuse(sentence: str) -> NoReturn:
    """End with one sentence."""
    from steps import errors

    click.echo(errors.printable(f"Error: {sentence}"), err=True)
    sys.exit(1)


def connect(namespace: str, kubeconfig: str | None, context: str) -> "Cluster":
    """Connect by what was named, else where kubectl looks too, else with a pod's own account."""
    from steps.kubernetes.cluster import Cluster

    usual = Path.home() / ".kube/config"
    path = kubeconfig or os.environ.get("KUBECONFIG") or (str(usual) if usual.exists() else "")
    return Cluster.connect(namespace, _TIMEOUT_S, path, context)


def read_rules(told: dict[str, Any], timezone: str) -> "Rules":
    """Read the rules of `rules_options`.

    Raises:
        errors.BadDuration, errors.BadTimezone

    """
    from steps.catalogue import retention
    from steps.catalogue.durations import Duration, zone
    from steps.catalogue.retention import Rules

    durations = {name: Duration.read(told[name], f"--{name.replace('_', '-')}") for name in _DURATIONS if told[name]}
    return Rules(
        last=told["keep_last"],
        periods={name: told[f"keep_{name}"] for name in retention.PERIODS},
        within=durations.get("keep_within"),
        minimum_redundancy=told["minimum_redundancy"],
        max_shrink=told["max_shrink"],
        manual=told["manual"],
        operators=told["operators"],
        timezone=zone(timezone),
        failed_after=durations.get("failed_after"),
    )


def as_argument(value: object) -> str:
    """Write the value of an option as an argument of a workflow."""
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"


class People(click.Group):
    """Commands that end in one sentence, and clean up, where they are refused, a signal comes or stdout is full."""

    def main(self, *args: Any, **more: Any) -> Any:
        if sys.stdout is None:
            refuse("stdout is closed: send it to /dev/null if nothing is to be seen")
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
        except BrokenPipeError as error:  # else click ends without a word
            _refuse_stdout(error)
        finally:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _printable() -> Iterator[None]:
    """Have click say what is wrong on one line: some of its sentences quote an argument as it is."""
    from steps import errors

    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = errors.printable(error.message)
        raise


def _refuse_stdout(error: OSError) -> NoReturn:
    """End because nothing can be written: an error of a file names it, and is none of this."""
    if error.filename is not None:
        raise error
    from steps.process import interruption

    interruption.forget_stdout()
    refuse(f"can't write to stdout: {error.strerror}")
