"""The commands that show plans. They change nothing."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steps.phases.command_line import read
from workflows.commands.options import FOLDER, DeclaredCommand, Where, at_cluster, output_option, refuse

if TYPE_CHECKING:
    from steps.plans.plan import Plan


@click.group()
def plan() -> None:
    """Show what a backup, a restore or retention would do. Nothing is changed."""


_output_option = output_option("text", "json")


@plan.command("backup", cls=DeclaredCommand, declared="backup_contract.WantedBackup")
@at_cluster
@_output_option
def plan_backup(where: Where, output: str, **told: Any) -> None:
    """Show what a backup would do. The plan is made with your own rights."""
    from steps.catalogue.backup_claims import WantedClaim
    from steps.contract.backup_contract import WantedBackup
    from steps.kubernetes.workflow import NOBODY
    from steps.plans import backup_plan

    asked = read(WantedBackup, told)
    _say(backup_plan.of(where.connect(), WantedClaim.of(asked, asked.name), NOBODY).plan, output)


@plan.command("restore", cls=DeclaredCommand, declared="restore_contract.RestoreWishes", without=("workers",))
@click.argument("folder", type=FOLDER, metavar="DIR")
@at_cluster
@_output_option
def plan_restore(folder: Path, where: Where, output: str, **told: Any) -> None:
    """Show what a restore of the backup in DIR would do. DIR is a mounted or copied volume.

    Give the digest of this plan to a restore as its argument plan-digest. The restore then follows this plan or stops.
    """
    from steps import errors
    from steps.archive import contents
    from steps.contract.restore_contract import RestoreWishes
    from steps.phases import opened_backup
    from steps.plans import restore_plan

    asked = read(RestoreWishes, told)
    try:
        opened = contents.open_at(folder, folder.resolve().name)
        opened_backup.check_asked(opened, opened.name, asked)
        opened = opened_backup.as_asked(opened, asked)
        planned = restore_plan.of(where.connect(), opened, asked, last_try=True).plan
    except errors.PhaseError as error:
        refuse(f"{folder}: {error}")
    _say(planned, output, backup=opened.name, backup_digest=opened.digest)


@plan.command("prune", cls=DeclaredCommand, declared="prune_contract.RulesAsked", flags=True)
@at_cluster
def plan_prune(where: Where, **told: Any) -> None:
    """Show which backups retention would keep or delete, and why. Nothing is deleted."""
    from steps.catalogue import deletion
    from steps.catalogue.retention import Rules
    from steps.contract.prune_contract import RulesAsked

    rules, cluster = Rules.of(read(RulesAsked, told)), where.connect()
    decision = deletion.judge(cluster, rules)
    click.echo("\n".join([*decision.text(), *deletion.reclaimed(cluster, decision)]))


def _say(planned: "Plan", output: str, **told: str) -> None:
    """Print a plan, after a line that names its backup. End with an error if the plan would be refused."""
    from steps import errors

    if output == "json":
        click.echo(json.dumps({**told, **planned.as_json()}, indent=2))
    else:
        head = [", ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items())] if told else []
        click.echo("\n".join([*map(errors.printable, head), *planned.text()]))
    for objection in planned.objections[:1]:
        refuse(str(objection))
