"""The people's command. Hera and Kubernetes are imported where they are used, so that `--help` answers at once.

Exit codes: 0 done (rehearse: equal, verify: whole), 1 refused, failed or not whole, 2 the command line is wrong.
"""

import signal
import sys
from typing import Any, NoReturn

import click

from steps import interruption
from workflows.commands import backups, manifests, plan, rehearse
from workflows.commands.options import refuse


class _People(click.Group):
    """Commands that end in one sentence, and clean up, where a signal ends them or stdout takes nothing."""

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

    def invoke(self, ctx: click.Context) -> Any:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # else click ends without a word
            _refuse_stdout(error)
        finally:
            signal.signal(signal.SIGTERM, before)


def _refuse_stdout(error: OSError) -> NoReturn:
    """End because nothing can be written: an error of a file names it, and is none of this."""
    if error.filename is not None:
        raise error
    interruption.forget_stdout()
    refuse(f"can't write to stdout: {error.strerror}")


@click.group(cls=_People, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="threescale-backup")
def main() -> None:
    """Back up and restore a 3scale installation with Argo Workflows."""


for command in (
    rehearse.rehearse,
    manifests.manifests,
    manifests.workflow,
    plan.plan,
    backups.list_backups,
    backups.describe,
    backups.pin,
    backups.unpin,
    backups.check,
    backups.verify,
    backups.report,
):
    main.add_command(command)


if __name__ == "__main__":
    main()
