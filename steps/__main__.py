"""The image's own command: one subcommand a phase, every path, name and limit an argument.

Exit codes: 0 done, 1 refused or failed for good, 75 try again. The last sentence of a phase that fails goes to stderr
and to the termination log, the only text that Argo shows beside a failed node.
"""

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import click

from steps import (
    __version__,
    apimanager,
    backup,
    claims,
    configmaps,
    errors,
    file_storage,
    installation,
    interruption,
    manifest,
    outcome,
    prerequisites,
    routes,
    seal,
    secrets,
    volume,
)
from steps.backup import Backup
from steps.claims import Asked, Wanted, Workflow
from steps.cluster import Cluster
from steps.manifest import Report

log = logging.getLogger("steps")

_FOLDER = click.Path(path_type=Path)  # what is wrong with it, the phase says better
_UMASK = 0o007  # all for the group, nothing for others
_PROGRESS_S = 2.0  # Argo reads the file every 3 s


@dataclass(frozen=True)
class Run:
    """What every phase is told."""

    namespace: str
    workflow: Workflow
    outputs: Path | None
    request_timeout_s: float
    last_try: bool

    def cluster(self) -> Cluster:
        return Cluster.connect(self.namespace, self.request_timeout_s)

    def output(self, **values: object) -> None:
        """Leave output parameters, a small file each: names and counts only."""
        if self.outputs is None:
            return
        self.outputs.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (self.outputs / name.replace("_", "-")).write_text(str(value))

    def begin(self, backup: str) -> volume.Begin:
        return volume.Begin(backup=backup, workflow=self.workflow.name, workflow_uid=self.workflow.uid)


class Phases(click.Group):
    """Commands whose help is shown without what every phase has to be told."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.resilient_parsing = len(args) > 1 and args[-1] == "--help"
        return super().parse_args(ctx, args)


@click.group(cls=Phases, context_settings={"max_content_width": 120})
@click.option("--namespace", required=True, help="Namespace of the 3scale installation.")
@click.option("--workflow", required=True, help="Name of the workflow.")
@click.option("--workflow-uid", required=True, help="Its uid: what it began, another one does not touch.")
@click.option("--outputs", type=_FOLDER, help="Folder for output parameters, a file each.")
@click.option("--termination-log", type=click.Path(path_type=Path), help="File for the last sentence of a failure.")
@click.option("--request-timeout-s", type=float, default=30.0, show_default=True, help="Limit of each request.")
@click.option("--try", "try_number", type=int, default=0, show_default=True, help="How often it was tried before.")
@click.option("--tries", type=int, default=0, show_default=True, help="After so many no other try follows.")
@click.pass_context
def cli(  # noqa: PLR0913  what every phase is told, in one place
    context: click.Context,
    namespace: str,
    workflow: str,
    workflow_uid: str,
    outputs: Path | None,
    termination_log: Path | None,  # noqa: ARG001  looked for by main
    request_timeout_s: float,
    try_number: int,
    tries: int,
) -> None:
    """Phases of the backup and the restore of a 3scale installation."""
    if not context.resilient_parsing:
        context.obj = Run(namespace, Workflow(workflow, workflow_uid), outputs, request_timeout_s, try_number >= tries)


@cli.group("backup")
def backup_phases() -> None:
    """Phases of a backup, in their order."""


@cli.group("restore")
def restore_phases() -> None:
    """Phases of a restore, in their order."""


_claim = click.option("--claim", required=True, help="Claim of the backup.")
_backup = click.option("--backup", "root", type=_FOLDER, required=True, help="Where it is mounted.")
_claim_wait_s = click.option("--claim-wait-s", type=float, default=30.0, show_default=True, help="For its volume.")
_wait_minutes = click.option("--wait-minutes", type=click.FloatRange(0, 120), default=60, show_default=True)


@backup_phases.command("prepare")
@click.option("--name", required=True, help="Name of the backup; empty: the workflow's.")
@click.option("--storage-request", required=True, help="Size of its claim.")
@click.option("--storage-class", default="", help="Empty: the cluster's default.")
@click.option("--volume-name", default="", help="An existing PersistentVolume.")
@_claim_wait_s
@click.pass_obj
def backup_prepare(
    run: Run, name: str, storage_request: str, storage_class: str, volume_name: str, claim_wait_s: float
) -> None:
    """Check all that can be checked before anything is written, then create the claim."""
    cluster = run.cluster()
    wanted = Wanted(name or run.workflow.name, storage_request, storage_class, volume_name)
    found, placement = prerequisites.check_backup(cluster, wanted, run.workflow)
    if claims.check_free(cluster, wanted.name, run.workflow) is None:
        claims.create_backup(cluster, wanted, found, run.workflow)
    claims.wait_for_volume(cluster, wanted.name, claim_wait_s)
    run.output(
        backupPersistentVolumeClaimName=wanted.name,
        apiManagerSourceName=found["metadata"]["name"],
        node_operator=placement.operator,
        node=placement.node,
    )
    log.info("prepared: backup %s of APIManager %s", wanted.name, found["metadata"]["name"])


@backup_phases.command("secrets")
@_claim
@_backup
@click.option("--apimanager", "name", required=True, help="Name of the APIManager.")
@click.pass_obj
def backup_secrets(run: Run, claim: str, root: Path, name: str) -> None:
    """Save the Secrets."""

    def save() -> Report:
        cluster = run.cluster()
        found = cluster.get(installation.APIMANAGER, name)
        if found is None:
            raise errors.NoApiManager(run.namespace)
        return secrets.save(cluster, root, optional=apimanager.optional_secrets(found))

    _part(run, "secrets", claim, root, save)


@backup_phases.command("configmaps")
@_claim
@_backup
@click.pass_obj
def backup_configmaps(run: Run, claim: str, root: Path) -> None:
    """Save the ConfigMaps."""
    _part(run, "configmaps", claim, root, lambda: configmaps.save(run.cluster(), root))


@backup_phases.command("apimanager")
@_claim
@_backup
@click.option("--apimanager", "name", required=True, help="Its name.")
@click.pass_obj
def backup_apimanager(run: Run, claim: str, root: Path, name: str) -> None:
    """Save the APIManager, and what is ready now."""
    _part(run, "apimanager", claim, root, lambda: apimanager.save(run.cluster(), root, name))


@backup_phases.command("file-storage")
@_claim
@_backup
@click.option("--file-storage", "source", type=_FOLDER, required=True, help="Where system-storage is mounted.")
@click.pass_obj
def backup_file_storage(run: Run, claim: str, root: Path, source: Path) -> None:
    """Copy the tree of System FileStorage, with a listing."""
    _part(run, "file-storage", claim, root, lambda: file_storage.save(source, root, _progress()))


@backup_phases.command("seal")
@_claim
@_backup
@click.pass_obj
def backup_seal(run: Run, claim: str, root: Path) -> None:
    """Compare the volume with the phases' reports, write the manifest, mark the claim complete."""
    begin = run.begin(claim)
    state = volume.begin(root, begin)
    cluster = run.cluster()
    found = claims.find(cluster, claim)
    if state is volume.State.BEGUN:
        apimanager.check_same(cluster, found)
        with volume.durable(root):
            seal.close(
                root,
                tool_version=__version__,
                begin=begin,
                started=claims.started(found),
                ended=datetime.now(UTC),
            )
    sealed = backup.open_at(root)
    if sealed.manifest is None:
        raise errors.NotABackup("its manifest vanished")
    claims.complete(cluster, found, sealed.manifest, sealed.digest)
    facts = sealed.manifest
    run.output(objects=len(facts.objects), files=facts.file_storage.files, bytes=facts.file_storage.size_bytes)
    log.info(
        "sealed: backup %s, %d objects, %d files, %d bytes",
        facts.backup,
        len(facts.objects),
        facts.file_storage.files,
        facts.file_storage.size_bytes,
    )


@restore_phases.command("check")
@_claim
@click.pass_obj
def restore_check(run: Run, claim: str) -> None:
    """Check what can be checked without the backup."""
    prerequisites.check_restore(run.cluster(), claim, run.workflow, last_try=run.last_try)
    log.info("checked: claim %s can be mounted, nothing of 3scale stands in the way", claim)


@restore_phases.command("prepare")
@_claim
@_backup
@click.option("--storage-class", default="", help="Class of the new system-storage; empty: as it was.")
@click.option("--access-mode", default="", help="Its access mode; empty: as it was.")
@click.option("--storage-request", default="", help="Its size; empty: as it was, or as the data need.")
@click.option("--threescale-version", default="", help="3scale's major.minor, where the operator's can't be read.")
@_claim_wait_s
@click.pass_obj
def restore_prepare(  # noqa: PLR0913  one argument a workflow parameter
    run: Run,
    claim: str,
    root: Path,
    storage_class: str,
    access_mode: str,
    storage_request: str,
    threescale_version: str,
    claim_wait_s: float,
) -> None:
    """Check the backup and all that is there already, then create system-storage."""
    opened = _open(root, claim)
    asked = Asked(storage_class, access_mode, storage_request)
    cluster = run.cluster()
    prerequisites.prepare_restore(cluster, opened, asked, threescale_version, last_try=run.last_try)
    claims.wait_for_volume(cluster, installation.SYSTEM_STORAGE, claim_wait_s)
    log.info("prepared: backup %s is whole", opened.name)


@restore_phases.command("file-storage")
@_claim
@_backup
@click.option("--file-storage", "target", type=_FOLDER, required=True, help="Where system-storage is mounted.")
@click.pass_obj
def restore_file_storage(run: Run, claim: str, root: Path, target: Path) -> None:
    """Fill system-storage, every byte checked."""
    opened = _open(root, claim)
    cluster = run.cluster()
    if _done(cluster, opened):
        return
    tally = file_storage.restore(cluster, opened, target, _progress())
    run.output(files=tally.files if tally else 0, bytes=tally.size_bytes if tally else 0)


@restore_phases.command("secrets")
@_claim
@_backup
@click.pass_obj
def restore_secrets(run: Run, claim: str, root: Path) -> None:
    """Create the Secrets; the three of the databases are the user's."""
    _restore_objects(run, _open(root, claim), secrets.restore)


@restore_phases.command("configmaps")
@_claim
@_backup
@click.pass_obj
def restore_configmaps(run: Run, claim: str, root: Path) -> None:
    """Create the ConfigMaps."""
    _restore_objects(run, _open(root, claim), configmaps.restore)


@restore_phases.command("apimanager")
@_claim
@_backup
@click.pass_obj
def restore_apimanager(run: Run, claim: str, root: Path) -> None:
    """Create the APIManager, the last of all objects."""
    created = apimanager.restore(run.cluster(), _open(root, claim))
    run.output(created=int(created))


@restore_phases.command("routes")
@_claim
@_backup
@click.option("--ready", type=click.Choice(["as-before", "available", "deployments"]), default="as-before")
@_wait_minutes
@click.option("--look-s", type=float, default=5.0, show_default=True, help="Pause between two looks.")
@click.pass_obj
def restore_routes(run: Run, claim: str, root: Path, ready: str, wait_minutes: float, look_s: float) -> None:
    """Have Zync make the Routes, and wait until 3scale is ready."""
    opened = _open(root, claim)
    cluster = run.cluster()
    patience = routes.Patience(wait_minutes, look_s)
    routes.resync(cluster, opened, patience)
    routes.wait(cluster, opened, ready, patience)


@cli.command("report")
@click.option("--failures", required=True, help="{{workflow.failures}} as Argo gives it.")
@click.option("--advice", required=True, help="What to do next.")
@click.pass_obj
def report(run: Run, failures: str, advice: str) -> None:
    """Say what failed and what to do next; never fails itself."""
    try:
        text = outcome.explain(run.cluster(), run.workflow.name, outcome.failures(failures), advice)
    except (errors.PhaseError, ValueError, KeyError, AttributeError, TypeError) as error:
        text = f"workflow {run.workflow.name} did not succeed ({type(error).__name__} while asking why); {advice}"
    log.info(text)
    run.output(report=text)


def _part(run: Run, phase: str, claim: str, root: Path, save: Callable[[], Report]) -> None:
    """One part of a backup: its data, a sync, its report; a volume that is sealed, or a part that is done, stays."""
    state = volume.begin(root, run.begin(claim))
    found = manifest.reported(root, phase)
    if state is volume.State.SEALED or found:
        log.info(
            "%s: nothing to do, %s", phase, "the backup is sealed" if state is volume.State.SEALED else "it is done"
        )
    else:
        with volume.durable(root):
            found = save()
        manifest.report(root, phase, found)
    found = found or Report()
    run.output(objects=len(found.objects))
    if found.file_storage:
        run.output(files=found.file_storage.files, bytes=found.file_storage.size_bytes)
    log.info("%s: done", phase)


def _restore_objects(run: Run, opened: Backup, restore_all: Callable[..., object]) -> None:
    cluster = run.cluster()
    if _done(cluster, opened):
        return
    result = restore_all(cluster, opened, prerequisites.living(cluster), opened.mark, last_try=run.last_try)
    run.output(created=len(result.absent), kept=len(result.same))  # type: ignore[attr-defined]


def _done(cluster: Cluster, opened: Backup) -> bool:
    """Whether a restore of this backup has come as far as the APIManager; what it uses is then its own."""
    done = apimanager.present(cluster, opened.mark) is not None
    if done:
        log.info("kept: this backup's restore made the APIManager already")
    return done


def _open(root: Path, claim: str) -> Backup:
    opened = backup.open_at(root, claim)
    if opened.manifest is None:
        log.info("claim %s holds a backup that the operator made", claim)
    return opened


def _progress() -> file_storage.Progress:
    """Write `N/M` for Argo, at most every 2 s and at the end."""
    path = os.environ.get("ARGO_PROGRESS_FILE")
    last = 0.0

    def show(done: int, total: int) -> None:
        nonlocal last
        if path and (done == total or time.monotonic() - last > _PROGRESS_S):
            last = time.monotonic()
            Path(path).write_text(f"{done}/{max(done, total)}")

    return show


def main() -> None:
    """Run one phase, and end with its exit code and, where it fails, its last sentence."""
    os.umask(_UMASK)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    interruption.catch()
    termination_log = _termination_log(sys.argv[1:])
    try:
        with cli.make_context("steps", sys.argv[1:]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        _fail(termination_log, error.format_message(), errors.REFUSED_EXIT)
    except errors.PhaseError as error:
        _fail(termination_log, str(error), error.exit_code)
    except Exception as error:  # noqa: BLE001  the last door: its message may quote data, so only its place is shown
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f"unexpected {type(error).__name__} at {Path(place.filename).name}:{place.lineno}: please report it"
        _fail(termination_log, text, errors.REFUSED_EXIT)


def _termination_log(arguments: list[str]) -> Path | None:
    """The file for the last sentence, looked for by hand: what is wrong may be the arguments themselves."""
    option = "--termination-log"
    for argument, following in pairwise([*arguments, ""]):
        if argument == option or argument.startswith(f"{option}="):
            return Path(following if argument == option else argument.removeprefix(f"{option}="))
    return None


def _fail(termination_log: Path | None, sentence: str, exit_code: int) -> None:
    click.echo(sentence, err=True)
    if termination_log is not None:
        try:
            termination_log.write_text(sentence, errors="backslashreplace")
        except OSError as error:
            click.echo(f"no termination log: {error.strerror}", err=True)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
