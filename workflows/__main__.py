"""The command `threescale-backup`. Hera and Kubernetes are imported on use, so that `--help` answers at once.

Exit codes: 0 done (rehearse: equal, verify: whole), 1 refused, failed or not whole, 2 the command line is wrong.
"""

import click

from workflows.commands import backups, doctor, fetching, init, manifests, plan, rehearse, repository, schema, verifying
from workflows.commands.options import People


@click.group(cls=People, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="threescale-backup")
def main() -> None:
    """Back up and restore a 3scale installation with Argo Workflows."""


for command in (
    rehearse.rehearse,
    init.init,
    manifests.manifests,
    manifests.workflow,
    doctor.doctor,
    schema.schema,
    plan.plan,
    backups.list_backups,
    backups.describe,
    backups.pin,
    backups.unpin,
    backups.check,
    verifying.verify,
    fetching.fetch,
    backups.report,
    repository.repository,
):
    main.add_command(command)


if __name__ == "__main__":
    main()
