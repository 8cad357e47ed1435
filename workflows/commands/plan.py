"""Plans: what is going to be done, and nothing is changed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steps.contract import values
from steps.process.command_line import Value, or_nothing
from workflows.commands.options import (
    FOLDER,
    cluster_options,
    connect,
    output_option,
    read_rules,
    refuse,
    rules_options,
)

if TYPE_CHECKING:
    from steps.plans.plan import Plan


@click.group()
def plan() -> None:
    """Say what is going to be done, and change nothing."""


_output_option = output_option("text", "json")


@plan.command("backup")
@cluster_options
@or_nothing("--name", values.BACKUP, "Name of the backup and of its claim. Empty: the workflow's.")
@click.option(
    "--storage-request", type=Value(values.SIZE), default="10Gi", show_default=True, help="Size of the claim."
)
@or_nothing("--storage-class", values.STORAGE_CLASS, "Its class. Empty: the cluster's default.")
@or_nothing("--volume-name", values.VOLUME, "An existing, empty PersistentVolume to use.", "PV")
@click.option("--file-storage", type=click.Choice(["", "external"]), default="", help="external: in S3, not saved.")
@_output_option
def plan_backup(  # noqa: PLR0913  one argument an option
    namespace: str,
    kubeconfig: str | None,
    context: str,
    name: str,
    storage_request: str,
    storage_class: str,
    volume_name: str,
    file_storage: str,
    output: str,
) -> None:
    """Plan the backup of an installation, with your rights."""
    from steps.catalogue.backup_claims import WantedClaim
    from steps.kubernetes.workflow import NOBODY
    from steps.plans import backup_plan

    wanted = WantedClaim(name, storage_request, storage_class, volume_name, bool(file_storage))
    _say(backup_plan.of(connect(namespace, kubeconfig, context), wanted, NOBODY).plan, output)


@plan.command("restore")
@click.argument("folder", type=FOLDER, metavar="DIR")
@cluster_options
@click.option("--manifest-sha256", default="", metavar="DIGEST", help="Of its manifest, which you have kept elsewhere.")
@click.option("--made-by", type=click.Choice(["", "operator"]), default="", help="operator: made by APIManagerBackup.")
@or_nothing("--storage-class", values.STORAGE_CLASS, "Of the new system-storage. Empty: as it was.")
@click.option(
    "--access-mode", type=click.Choice(values.ACCESS_MODES), default="", help="Its access mode. Empty: as it was."
)
@or_nothing("--storage-request", values.SIZE, "Its size. Empty: as it was, or as the data need.")
@or_nothing("--threescale-version", values.VERSION, "Where the operator's can't be read.", "MAJOR.MINOR")
@or_nothing("--wildcard-domain", values.DOMAIN, "Another than the backup's.")
@click.option("--database-secrets", type=click.Choice(["expect", "restore"]), default="expect", show_default=True)
@or_nothing("--database-overrides", values.SECRET, "Its keys replace the backup's.", "SECRET")
@click.option("--on-conflict", type=click.Choice(["refuse", "keep", "replace"]), default="refuse", show_default=True)
@click.option("--file-storage-conflict", type=click.Choice(["refuse", "replace"]), default="refuse", show_default=True)
@click.option("--file-storage-damage", type=click.Choice(["refuse", "skip"]), default="refuse", show_default=True)
@click.option("--ready", type=click.Choice(["as-before", "available", "deployments"]), default="as-before")
@click.option("--wait-minutes", type=Value(values.MINUTES), default=60, show_default=True)
@_output_option
def plan_restore(  # noqa: PLR0913  one argument an option
    folder: Path,
    namespace: str,
    kubeconfig: str | None,
    context: str,
    manifest_sha256: str,
    made_by: str,
    storage_class: str,
    access_mode: str,
    storage_request: str,
    threescale_version: str,
    wildcard_domain: str,
    database_secrets: str,
    database_overrides: str,
    on_conflict: str,
    file_storage_conflict: str,
    file_storage_damage: str,
    ready: str,
    wait_minutes: float,
    output: str,
) -> None:
    """Plan the restore of a backup on a mounted or copied volume; its digest is that of `-p plan-digest=`."""
    from steps import errors
    from steps.archive import contents
    from steps.parts.secrets import Databases
    from steps.parts.system_storage import AskedStorage
    from steps.phases import opened_backup
    from steps.phases.opened_backup import Told
    from steps.plans import restore_plan
    from steps.plans.restore_plan import Wishes

    try:
        wishes = Wishes(
            AskedStorage(storage_class, access_mode, storage_request),
            threescale_version,
            Databases.asked(database_secrets, database_overrides),
            ready,
            wait_minutes,
            on_conflict,
            file_storage_conflict,
        )
        told = Told(manifest_sha256.strip().lower(), bool(made_by), file_storage_damage == "skip")
        opened = contents.open_at(folder, folder.resolve().name)
        opened_backup.check_told(opened, opened.name, told)
        opened = opened_backup.as_asked(opened, told, wildcard_domain)
        cluster = connect(namespace, kubeconfig, context)
        planned = restore_plan.of(cluster, opened, wishes, last_try=True).plan
    except errors.PhaseError as error:
        refuse(f"{folder}: {error}")
    _say(planned, output, backup=opened.name, backup_digest=opened.digest)


@plan.command("prune")
@cluster_options
@rules_options
@click.option("--timezone", default="UTC", show_default=True, help="Whose hours and days.")
def plan_prune(namespace: str, kubeconfig: str | None, context: str, timezone: str, **told: Any) -> None:
    """Say which backups retention would keep and which it would delete, and why; nothing is deleted."""
    from steps.catalogue import deletion

    rules = read_rules(told, timezone)
    cluster = connect(namespace, kubeconfig, context)
    decision = deletion.judge(cluster, rules)
    click.echo("\n".join([*decision.text(), *deletion.reclaimed(cluster, decision)]))


def _say(planned: "Plan", output: str, **told: str) -> None:
    """Show a plan, and before it what it is of; one that would be refused is."""
    from steps import errors

    if output == "json":
        click.echo(json.dumps({**told, **planned.as_json()}, indent=2))
    else:
        head = [", ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items())] if told else []
        click.echo("\n".join([*map(errors.printable, head), *planned.text()]))
    for objection in planned.objections[:1]:
        refuse(str(objection))
