"""The people's command. Hera and Kubernetes are imported where they are used, so that `--help` answers at once.

Exit codes: 0 done (rehearse: equal, verify: whole), 1 refused, failed or not whole, 2 the command line is wrong.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TextIO, TypedDict, TypeVar, cast

import click

if TYPE_CHECKING:
    from datetime import timedelta

    from steps.cluster import Cluster
    from steps.plan import Plan
    from steps.retention import Rules
    from workflows.monitoring import Thresholds
    from workflows.rehearsal.comparison import Row

Read = TypeVar("Read")
Command = TypeVar("Command", bound=Callable[..., object])
_TIMEOUT_S = 30.0
_COUNT = click.IntRange(0)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="threescale-backup")
def main() -> None:
    """Back up and restore a 3scale installation with Argo Workflows."""


@main.command()
@click.option("--keep", type=_FOLDER, metavar="DIR", help="Leave the volumes in this new or empty folder.")
def rehearse(keep: Path | None) -> None:
    """Back up a sample installation, lose it, restore it and compare: here, without a cluster."""
    from workflows.rehearsal import rehearse as rehearsal

    if keep is not None and not rehearsal.empty(keep):
        _refuse(f"{keep} is not empty: name a new folder, what is there stays as it is")
    try:
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
        folder = keep or Path(tempfile.mkdtemp(prefix="threescale-rehearsal-"))
    except OSError as error:
        _refuse(f"can't make a folder for the volumes: {error}")
    try:
        result = rehearsal.rehearse(folder, click.echo)
    finally:
        if keep is None:
            rehearsal.remove(folder)
    if result.rows:
        _show(result.rows)
    if keep is not None:
        click.echo(f"the volumes are in {keep}")
    click.echo("equal: what was restored is what was backed up" if result.equal else "NOT equal")
    sys.exit(0 if result.equal else 1)


class _Alarm(TypedDict):
    """What is rendered for those who want to be told."""

    watchdog: str | None
    expected_every: str
    monitoring: bool
    verified_every: str
    proven_every: str
    silent_for: str
    max_shrink: float


_RULES = (
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
        "--max-shrink", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Shrunk by more, all is kept."
    ),
    click.option("--manual", is_flag=True, help="Those too that a person asked for."),
    click.option("--operators", is_flag=True, help="Those too of APIManagerBackups."),
    click.option(
        "--failed-after", default="3d", show_default=True, metavar="DURATION", help="When claims of failed runs go."
    ),
)
_DURATIONS = ("keep_within", "failed_after")


def _rules_options(function: Command) -> Command:
    """What retention keeps, told once for the manifests and for a plan."""
    for option in reversed(_RULES):
        function = option(function)
    return function


@main.command()
@click.option("--image", required=True, metavar="REF", help="The image of the phases, best by digest.")
@click.option("--namespace", metavar="NS", help="Namespace of the 3scale installation; else that of `kubectl apply`.")
@click.option("--schedule", metavar="CRON", help='A CronWorkflow too, for instance "0 2 * * *".')
@click.option("--timezone", default="UTC", show_default=True, help="Time zone of the schedule.")
@click.option(
    "--argument", "arguments", multiple=True, metavar="NAME=VALUE", help="Of each night's backup: storage-request=20Gi."
)
@click.option("--verify", "verify_cron", metavar="CRON", help="A CronWorkflow that verifies the backups.")
@click.option(
    "--verify-argument",
    "verify_arguments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Of each verification: sample=10%.",
)
@click.option("--drill", "drill_cron", metavar="CRON", help="One that proves that backups restore.")
@click.option(
    "--drill-argument",
    "drill_arguments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Of each drill: storage-class=fast.",
)
@click.option("--drill-namespace", metavar="NS", help="The scratch namespace of drills: their rights there too.")
@click.option("--fs-group", type=click.IntRange(0), metavar="N", help="Group of the volumes; not on OpenShift.")
@click.option("--run-as-user", type=click.IntRange(1), metavar="N", help="User of the phases; not on OpenShift.")
@click.option(
    "--from-apimanager",
    "sources",
    type=click.File(),
    multiple=True,
    metavar="FILE",
    help="An APIManager, `-` for stdin: the Roles name the Secrets that it names.",
)
@click.option("--secret", "secrets", multiple=True, metavar="NAME", help="A Secret more that the Roles name.")
@click.option("--configmap", "configmaps", multiple=True, metavar="NAME", help="A ConfigMap more that the Roles name.")
@click.option("--all-secrets", is_flag=True, help="Let the accounts read every Secret of the namespace instead.")
@click.option("--watchdog", metavar="CRON", help='A watchdog that sees if the newest backup is too old: "17 * * * *".')
@click.option("--expected-every", default="26h", show_default=True, metavar="DURATION", help="How old it may be.")
@click.option("--monitoring", is_flag=True, help="A PrometheusRule and a dashboard for Grafana too.")
@click.option(
    "--verified-every", default="8d", show_default=True, metavar="DURATION", help="Else an alert; empty: none."
)
@click.option(
    "--proven-every", default="35d", show_default=True, metavar="DURATION", help="Else an alert; empty: none."
)
@click.option("--silent-for", default="3h", show_default=True, metavar="DURATION", help="The watchdog may be.")
@click.option("--notify-secret", metavar="NAME", help="A Secret whose key `url` says where results are posted.")
@click.option("--notify-form", type=click.Choice(["webhook", "slack"]), default="webhook", show_default=True)
@_rules_options
@click.option(
    "--output", type=_FOLDER, metavar="DIR", help="One file a resource; else one stream for `kubectl apply -f -`."
)
def manifests(  # noqa: PLR0913  one argument an option
    image: str,
    namespace: str | None,
    schedule: str | None,
    timezone: str,
    arguments: Sequence[str],
    verify_cron: str | None,
    verify_arguments: Sequence[str],
    drill_cron: str | None,
    drill_arguments: Sequence[str],
    drill_namespace: str | None,
    fs_group: int | None,
    run_as_user: int | None,
    sources: Sequence[TextIO],
    secrets: Sequence[str],
    configmaps: Sequence[str],
    all_secrets: bool,
    notify_secret: str | None,
    notify_form: Literal["webhook", "slack"],
    output: Path | None,
    **told: Any,
) -> None:
    """Render all YAML that a cluster with Argo Workflows needs."""
    from pydantic import ValidationError

    from steps import references
    from steps.installation import CONFIGMAP, SECRET
    from workflows import manifests as rendering
    from workflows import resources
    from workflows.parameters import PruneParameters
    from workflows.phases import Settings
    from workflows.schedule import BadScheduleError, Cron

    nightly = _nightly("--argument", arguments, "--schedule", schedule)
    proofs = _proofs(namespace, drill_namespace, (verify_cron, verify_arguments), (drill_cron, drill_arguments))
    alarm = cast("_Alarm", {name: told[name] for name in _Alarm.__annotations__})
    max_age, thresholds = _thresholds(namespace, alarm)
    kept = {name: value for name, value in told.items() if name not in alarm or name == "max_shrink"}
    _check_rules(kept, timezone)
    found = [apimanager for source in sources for apimanager in _read(source, resources.apimanagers)]
    named = [reference for apimanager in found for reference in references.of(apimanager)]
    try:
        settings = Settings(
            image=image,
            namespace=namespace,
            fs_group=fs_group,
            run_as_user=run_as_user,
            secrets=(*secrets, *references.names(named, SECRET)),
            configmaps=(*configmaps, *references.names(named, CONFIGMAP)),
            all_secrets=all_secrets,
            notify_secret=notify_secret,
            notify_form=notify_form,
            drill_namespace=drill_namespace,
        )
        rules = PruneParameters.model_validate(
            {"timezone": timezone, **{name: _as_argument(value) for name, value in kept.items()}}
        )
        rendered = rendering.render(
            settings,
            schedule,
            timezone,
            nightly,
            rules,
            proofs=[Cron(*proof) for proof in proofs],
            watch_cron=alarm["watchdog"],
            max_age=max_age,
            thresholds=thresholds,
        )
    except BadScheduleError as error:
        _refuse(str(error))
    except ValidationError as error:
        wrong = [f"--{_option(problem['loc'][0])} {problem['input']!r}" for problem in error.errors()]
        _refuse(f"{' and '.join(wrong)}: an image is one word, a namespace a DNS-1123 label, an object a subdomain")
    _deliver(rendered, output)
    if schedule is not None and rules.keeps:
        click.echo(f"Each night ends with retention: {', '.join(rules.keeps)}. What goes is deleted.", err=True)
    elif schedule is not None:
        click.echo(
            "No rule says what to keep, so nothing is deleted and each night adds a claim: say --keep-daily 7, for "
            "instance. See them: threescale-backup list -n NAMESPACE; delete one: kubectl delete pvc NAME",
            err=True,
        )


def _deliver(rendered: Sequence[dict[str, Any]], output: Path | None) -> None:
    """Print the manifests, or write one file each."""
    from workflows import manifests as rendering

    if output is None:
        click.echo("---\n".join(rendering.to_yaml(manifest) for manifest in rendered), nl=False)
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
        for manifest in rendered:
            path = output / rendering.file_name(manifest)
            path.write_text(rendering.to_yaml(manifest))
            click.echo(str(path))
    except OSError as error:
        _refuse(f"can't write to {output}: {error.strerror}")


def _option(field: object) -> str:
    """The option that sets a field of the settings."""
    return str(field).removesuffix("s").replace("_", "-")


def _thresholds(namespace: str | None, alarm: _Alarm) -> "tuple[str, Thresholds | None]":
    """How old a backup may be, and when alerts fire, where those are wanted."""
    from workflows.monitoring import Thresholds

    expected, silent = (_time("--expected-every", alarm["expected_every"]), _time("--silent-for", alarm["silent_for"]))
    verified, proven = (
        _time(f"--{name}-every", text) if text else None
        for name, text in (("verified", alarm["verified_every"]), ("proven", alarm["proven_every"]))
    )
    if not alarm["monitoring"]:
        return alarm["expected_every"], None
    if namespace is None:
        _refuse("--monitoring asks for the metrics of one installation: say its --namespace too")
    if alarm["watchdog"] is None:
        _refuse('--monitoring asks for what a watchdog tells: say --watchdog too, for instance "17 * * * *"')
    return alarm["expected_every"], Thresholds(
        expected_every=expected,
        verified_every=verified,
        proven_every=proven,
        silent_for=silent,
        max_shrink=alarm["max_shrink"],
    )


def _time(option: str, text: str) -> "timedelta":
    """A duration of a known length."""
    from steps import errors, retention

    try:
        found = retention.Duration.read(text, option)
    except errors.BadDuration as error:
        _refuse(str(error))
    if found.months or not found.rest:
        _refuse(f"{option} {text!r}: write weeks, days and hours, for instance 26h or 8d")
    return found.rest


def _nightly(option: str, words: Sequence[str], of: str, cron: str | None) -> dict[str, str]:
    """Read the arguments of a schedule, or refuse them."""
    read = dict(word.partition("=")[::2] for word in words)
    if len(read) < len(words):
        _refuse(f"{option} is given twice for the same name")
    if wrong := [word for word in words if "=" not in word]:
        _refuse(f"{option} {wrong[0]!r}: write NAME=VALUE, for instance storage-request=20Gi")
    if read and cron is None:
        _refuse(f"{option} is for what a schedule starts: say {of} too")
    return read


Asked = tuple[str | None, Sequence[str]]  # a schedule and its arguments


def _proofs(
    namespace: str | None, scratch: str | None, verify: Asked, drill: Asked
) -> list[tuple[str, str, dict[str, str]]]:
    """The schedules of what proves backups: of which, when, with which arguments."""
    of_verify = _nightly("--verify-argument", verify[1], "--verify", verify[0])
    of_drill = _nightly("--drill-argument", drill[1], "--drill", drill[0])
    if drill[0] is not None and scratch is None:
        _refuse("--drill needs a namespace that was made for drills: say --drill-namespace too")
    if scratch is not None and namespace is None:
        _refuse("--drill-namespace gives rights there to an account of another namespace: say --namespace too")
    if scratch is not None and scratch == namespace:
        _refuse(
            f"--drill-namespace {scratch} is that of the installation: make one for drills, which holds nothing else"
        )
    found = [("verify", verify[0], of_verify), ("drill", drill[0], {"scratch-namespace": scratch or "", **of_drill})]
    return [(of, cron, arguments) for of, cron, arguments in found if cron is not None]


@main.command()
@click.option(
    "-f", "--file", "source", type=click.File(), required=True, metavar="FILE", help="The resource, `-` for stdin."
)
def workflow(source: TextIO) -> None:
    """Print the Workflow that does what an APIManagerBackup or APIManagerRestore would do."""
    from workflows import manifests as rendering
    from workflows import resources

    click.echo(rendering.to_yaml(_read(source, resources.workflow)), nl=False)


@main.command()
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.option("--for-operator", is_flag=True, help="Say too whether the operator's APIManagerRestore could take it.")
def verify(folder: Path, *, for_operator: bool) -> None:
    """Check a backup on a mounted or copied volume, every byte of it."""
    from steps import backup, errors, operators_restore

    try:
        opened = backup.open_at(folder)
        findings = list(opened.findings(digests=True))
        objections = list(operators_restore.objections(opened)) if for_operator else []
        left = [repr(path) for path in operators_restore.left_behind(opened)] if for_operator else []
    except errors.PhaseError as error:
        _refuse(f"{folder}: {error}")
    for finding in findings:
        click.echo(finding)
    if opened.manifest is None:
        maker = "made by the operator: no digests to check, only that all is there and can be read"
    else:
        maker = (
            f"backup {opened.name} of 3scale {opened.manifest.source.threescale_version or '(version not recorded)'}"
        )
    here = f"{opened.counts.entries} entries, {opened.size_bytes} bytes"
    files = f"file-storage: {opened.external}" if opened.external else here
    click.echo(f"{'NOT whole' if findings else 'whole'}: {maker}, {files}")
    for objection in objections:
        click.echo(f"the operator's APIManagerRestore can't take it: {objection}")
    if for_operator and not objections and not findings:
        click.echo(
            f"the operator's APIManagerRestore can take it{', but leaves behind ' if left else ''}{', '.join(left)}"
        )
    sys.exit(1 if findings or objections else 0)


_namespace_option = click.option(
    "-n", "--namespace", required=True, metavar="NS", help="Namespace of the 3scale installation, or for it."
)
_kubeconfig_option = click.option("--kubeconfig", metavar="FILE", help="Else KUBECONFIG, or ~/.kube/config.")
_context_option = click.option("--context", default="", metavar="NAME", help="Of the kubeconfig; else its current one.")
_OF_A_LIST = ["table", "json", "yaml", "name"]


@main.command("list")
@_namespace_option
@_kubeconfig_option
@_context_option
@click.option("-o", "--output", type=click.Choice(_OF_A_LIST), default="table", show_default=True)
def list_backups(namespace: str, kubeconfig: str | None, context: str, output: str) -> None:
    """List the backups of a namespace, the newest first, each in the state that can be proved."""
    from steps import catalogue, errors
    from workflows import listing

    try:
        entries = catalogue.read(_cluster(namespace, kubeconfig, context))
    except errors.PhaseError as error:
        _refuse(str(error))
    click.echo(listing.of_all([entry.as_json() for entry in entries], output, namespace), nl=False)


@main.command()
@_namespace_option
@_kubeconfig_option
@_context_option
@click.option("--max-age", default="26h", show_default=True, metavar="DURATION", help="Of the newest complete backup.")
@click.option("--schedule", default="threescale-backup-schedule", show_default=True, help="CronWorkflow to look at.")
def check(namespace: str, kubeconfig: str | None, context: str, max_age: str, schedule: str) -> None:
    """See whether the newest backup is as young as it should be; exit code 1 where it is not."""
    from datetime import UTC, datetime

    from steps import errors, retention, watchdog

    try:
        limit = retention.Duration.read(max_age, "--max-age")
        seen = watchdog.look(_cluster(namespace, kubeconfig, context), schedule, datetime.now(UTC))
        newest = seen.check(limit, max_age)
    except errors.PhaseError as error:
        _refuse(str(error))
    click.echo(seen.well(newest))


@main.command()
@click.argument("name", metavar="NAME")
@_namespace_option
@_kubeconfig_option
@_context_option
@click.option("-o", "--output", type=click.Choice(["text", "json", "yaml"]), default="text", show_default=True)
def describe(name: str, namespace: str, kubeconfig: str | None, context: str, output: str) -> None:
    """Tell all about one backup, with its result record where it lies in the namespace."""
    from steps import catalogue, errors, evidence
    from workflows import listing

    try:
        cluster = _cluster(namespace, kubeconfig, context)
        entry = catalogue.find(catalogue.read(cluster), name, namespace)
        record = evidence.find(cluster, "backup", entry.workflow_uid)
    except errors.PhaseError as error:
        _refuse(str(error))
    click.echo(listing.of_one(entry.as_json(), record.model_dump(mode="json") if record else None, output), nl=False)


@main.command()
@click.argument("name", metavar="NAME")
@_namespace_option
@_kubeconfig_option
@_context_option
def pin(name: str, namespace: str, kubeconfig: str | None, context: str) -> None:
    """Keep a backup from retention."""
    _pin(name, namespace, kubeconfig, context, pinned=True)


@main.command()
@click.argument("name", metavar="NAME")
@_namespace_option
@_kubeconfig_option
@_context_option
def unpin(name: str, namespace: str, kubeconfig: str | None, context: str) -> None:
    """Leave a backup to retention again."""
    _pin(name, namespace, kubeconfig, context, pinned=False)


def _pin(name: str, namespace: str, kubeconfig: str | None, context: str, *, pinned: bool) -> None:
    from steps import catalogue, errors

    try:
        entry = catalogue.pin(_cluster(namespace, kubeconfig, context), name, pinned=pinned)
    except errors.PhaseError as error:
        _refuse(str(error))
    click.echo(f"{entry.name}: {'pinned, retention leaves it' if entry.pinned else 'left to retention'}")


@main.group()
def plan() -> None:
    """Say what is going to be done, and change nothing."""


_output_option = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)


@plan.command("backup")
@_namespace_option
@_kubeconfig_option
@_context_option
@click.option("--name", default="", help="Name of the backup and of its claim. Empty: the workflow's.")
@click.option("--storage-request", default="10Gi", show_default=True, help="Size of the claim.")
@click.option("--storage-class", default="", help="Its class. Empty: the cluster's default.")
@click.option("--volume-name", default="", metavar="PV", help="An existing, empty PersistentVolume to use.")
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
    from steps import backup_plan, errors
    from steps.claims import NOBODY, Wanted

    wanted = Wanted(name, storage_request, storage_class, volume_name, bool(file_storage))
    try:
        cluster = _cluster(namespace, kubeconfig, context)
        planned = backup_plan.of(cluster, wanted, NOBODY).plan
    except errors.PhaseError as error:
        _refuse(str(error))
    _say(planned, output)


@plan.command("restore")
@click.argument("folder", type=_FOLDER, metavar="DIR")
@_namespace_option
@_kubeconfig_option
@_context_option
@click.option("--storage-class", default="", help="Of the new system-storage. Empty: as it was.")
@click.option("--access-mode", default="", help="Its access mode. Empty: as it was.")
@click.option("--storage-request", default="", help="Its size. Empty: as it was, or as the data need.")
@click.option("--threescale-version", default="", metavar="MAJOR.MINOR", help="Where the operator's can't be read.")
@click.option("--wildcard-domain", default="", help="Another than the backup's.")
@click.option("--database-secrets", type=click.Choice(["expect", "restore"]), default="expect", show_default=True)
@click.option("--database-overrides", default="", metavar="SECRET", help="Its keys replace the backup's.")
@click.option("--on-conflict", type=click.Choice(["refuse", "keep", "replace"]), default="refuse", show_default=True)
@click.option("--file-storage-conflict", type=click.Choice(["refuse", "replace"]), default="refuse", show_default=True)
@click.option("--ready", type=click.Choice(["as-before", "available", "deployments"]), default="as-before")
@click.option("--wait-minutes", type=click.FloatRange(0, 120), default=60, show_default=True)
@_output_option
def plan_restore(  # noqa: PLR0913  one argument an option
    folder: Path,
    namespace: str,
    kubeconfig: str | None,
    context: str,
    storage_class: str,
    access_mode: str,
    storage_request: str,
    threescale_version: str,
    wildcard_domain: str,
    database_secrets: str,
    database_overrides: str,
    on_conflict: str,
    file_storage_conflict: str,
    ready: str,
    wait_minutes: float,
    output: str,
) -> None:
    """Plan the restore of a backup on a mounted or copied volume; its digest is that of `-p plan-digest=`."""
    from steps import backup, errors, restore_plan
    from steps.restore_plan import Wishes
    from steps.secrets import Databases
    from steps.system_storage import Asked

    try:
        wishes = Wishes(
            Asked(storage_class, access_mode, storage_request),
            threescale_version,
            Databases.asked(database_secrets, database_overrides),
            ready,
            wait_minutes,
            on_conflict,
            file_storage_conflict,
        )
        opened = backup.open_at(folder, folder.resolve().name).under(wildcard_domain)
        cluster = _cluster(namespace, kubeconfig, context)
        planned = restore_plan.of(cluster, opened, wishes, last_try=True).plan
    except errors.PhaseError as error:
        _refuse(f"{folder}: {error}")
    _say(planned, output)


@plan.command("prune")
@_namespace_option
@_kubeconfig_option
@_context_option
@_rules_options
@click.option("--timezone", default="UTC", show_default=True, help="Whose hours and days.")
def plan_prune(namespace: str, kubeconfig: str | None, context: str, timezone: str, **told: Any) -> None:
    """Say which backups retention would keep and which it would delete, and why; nothing is deleted."""
    from steps import deletion, errors

    try:
        rules = _rules(told, timezone)
        cluster = _cluster(namespace, kubeconfig, context)
        decision = deletion.judge(cluster, rules)
        lines = [*decision.text(), *deletion.reclaimed(cluster, decision)]
    except errors.PhaseError as error:
        _refuse(str(error))
    click.echo("\n".join(lines))


def _rules(told: dict[str, Any], timezone: str) -> "Rules":
    """Read the rules of `_rules_options`.

    Raises:
        errors.BadDuration, errors.BadTimezone

    """
    from steps import retention

    durations = {
        name: retention.Duration.read(told[name], f"--{name.replace('_', '-')}") for name in _DURATIONS if told[name]
    }
    return retention.Rules(
        last=told["keep_last"],
        periods={name: told[f"keep_{name}"] for name in retention.PERIODS},
        within=durations.get("keep_within"),
        minimum_redundancy=told["minimum_redundancy"],
        max_shrink=told["max_shrink"],
        manual=told["manual"],
        operators=told["operators"],
        timezone=retention.zone(timezone),
        failed_after=durations.get("failed_after"),
    )


def _check_rules(told: dict[str, Any], timezone: str) -> None:
    """Refuse what a phase would refuse night after night."""
    from steps import errors

    try:
        _rules(told, timezone)
    except errors.PhaseError as error:
        _refuse(str(error))


def _as_argument(value: object) -> str:
    """Write the value of an option as an argument of a workflow."""
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"


def _say(planned: "Plan", output: str) -> None:
    """Show a plan; one that would be refused is."""
    click.echo(json.dumps(planned.as_json(), indent=2) if output == "json" else "\n".join(planned.text()))
    for objection in planned.objections[:1]:
        _refuse(str(objection))


def _cluster(namespace: str, kubeconfig: str | None, context: str) -> "Cluster":
    """Connect by what was named, else where kubectl looks too, else with a pod's own account."""
    from steps.cluster import Cluster

    usual = Path.home() / ".kube/config"
    path = kubeconfig or os.environ.get("KUBECONFIG") or (str(usual) if usual.exists() else "")
    return Cluster.connect(namespace, _TIMEOUT_S, path, context)


@main.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="The page; else it is printed.")
def report(file: Path, output: Path | None) -> None:
    """Make an HTML page of the result record of a backup or a restore, `-` for stdin."""
    from steps import errors, result
    from workflows import page

    try:
        record = result.parse(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as error:
        _refuse(f"can't read {file}: {error.strerror}")
    except errors.NoResult as error:
        _refuse(f"{file}: {error}")
    text = page.render(record.model_dump())
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        _refuse(f"can't write to {output}: {error.strerror}")


def _read(source: TextIO, read: Callable[[str], Read]) -> Read:
    """Read the resources of a file, or refuse it with its name."""
    from workflows import resources

    try:
        return read(source.read())
    except resources.BadResourceError as error:
        _refuse(f"{source.name}: {error}")
    except UnicodeDecodeError:
        _refuse(f"{source.name}: no text in UTF-8, so no YAML")


def _show(rows: "Sequence[Row]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "compared", "differ")
    for row in rows:
        table.add_row(row.what, str(row.count), str(len(row.differences)))
    console = Console()
    console.print(table)
    for row in rows:
        for difference in row.differences:
            console.print(f"{row.what}: {difference}", markup=False, highlight=False)


def _refuse(sentence: str) -> NoReturn:
    click.echo(f"Error: {sentence}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
