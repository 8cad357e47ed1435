"""What a cluster is given: the manifests of an installation, or a Workflow for one of the operator's resources."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO, TypeVar

import click

from steps.contract import values
from steps.process.command_line import Value
from workflows.commands import doubts, nights
from workflows.commands.options import FOLDER, as_argument, named_values, read_rules, refuse, rules_options
from workflows.rendering import document

Read = TypeVar("Read")
_START = 4096  # characters of a file, in which its kind, its name and its labels are
_LARGEST = 4 << 20  # characters of a file; etcd takes 1.5 MB for a resource, and a List has some


@click.command()
@click.option("--image", required=True, metavar="REF", help="The image of the phases, best by digest.")
@click.option("--namespace", metavar="NS", help="Namespace of the 3scale installation; else that of `kubectl apply`.")
@click.option("--schedule", metavar="CRON", help='A CronWorkflow too, for instance "0 2 * * *".')
@click.option("--timezone", default="UTC", show_default=True, help="Time zone of the schedule.")
@named_values("--argument", "arguments", "Of each night's backup: storage-request=20Gi.")
@click.option("--verify", "verify_cron", metavar="CRON", help="A CronWorkflow that verifies the backups.")
@named_values("--verify-argument", "verify_arguments", "Of each verification: sample=25%.")
@click.option("--drill", "drill_cron", metavar="CRON", help="One that proves that backups restore.")
@named_values("--drill-argument", "drill_arguments", "Of each drill: storage-class=fast.")
@click.option("--drill-namespace", metavar="NS", help="The scratch namespace of drills: their rights there too.")
@click.option("--fs-group", type=Value(values.GROUP), metavar="N", help="Group of the volumes; not on OpenShift.")
@click.option("--run-as-user", type=Value(values.USER), metavar="N", help="User of the phases; not on OpenShift.")
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
@click.option(
    "--expected-every", default=values.MAX_AGE, show_default=True, metavar="DURATION", help="How old, since it began."
)
@click.option("--monitoring", is_flag=True, help="A PrometheusRule and a dashboard for Grafana too.")
@click.option(
    "--verified-every", show_default="8d with --verify", metavar="DURATION", help="Else an alert; empty: none."
)
@click.option("--proven-every", show_default="35d with --drill", metavar="DURATION", help="Else an alert; empty: none.")
@click.option("--silent-for", default="3h", show_default=True, metavar="DURATION", help="The watchdog may be.")
@click.option("--notify-secret", metavar="NAME", help="A Secret whose key `url` says where results are posted.")
@click.option("--notify-form", type=click.Choice(["webhook", "slack"]), default="webhook", show_default=True)
@rules_options
@click.option(
    "--output", type=FOLDER, metavar="DIR", help="One file a resource; else one stream for `kubectl apply -f -`."
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

    from steps.kubernetes.kinds import CONFIGMAP, SECRET
    from steps.threescale import references
    from workflows.commands import operators_resources
    from workflows.manifests import render
    from workflows.parameters import PruneParameters
    from workflows.rendering.settings import Settings
    from workflows.schedule import BadScheduleError, Cron

    nightly = nights.arguments("--argument", arguments, "--schedule", schedule)
    proofs = nights.proofs(namespace, drill_namespace, (verify_cron, verify_arguments), (drill_cron, drill_arguments))
    thresholds = nights.thresholds(namespace, told, {of for of, *_ in proofs})
    kept = {name: value for name, value in told.items() if name in PruneParameters.model_fields}
    read_rules(kept, timezone)  # else a phase would refuse them night after night
    found = [apimanager for source in sources for apimanager in _read(source, operators_resources.apimanagers)]
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
            {"timezone": timezone, **{name: as_argument(value) for name, value in kept.items()}}
        )
        rendered = render(
            settings,
            schedule,
            timezone,
            nightly,
            rules,
            proofs=[Cron(*proof) for proof in proofs],
            watch_cron=told["watchdog"],
            max_age=told["expected_every"],
            thresholds=thresholds,
        )
    except BadScheduleError as error:
        refuse(str(error))
    except ValidationError as error:
        wrong = [f"--{_option(problem['loc'][0])} {problem['input']!r}" for problem in error.errors()]
        refuse(f"{' and '.join(wrong)}: an image is one word, a namespace a DNS-1123 label, an object a subdomain")
    _deliver(rendered, output)
    crons = {"--schedule": schedule, "--verify": verify_cron, "--drill": drill_cron, "--watchdog": told["watchdog"]}
    doubts.of_clocks(crons, timezone)
    for of, when, given in proofs:
        if of == "verify":
            limit = thresholds.verified_every if thresholds else None
            doubts.of_shares(when, given.get("sample", ""), limit, doubts.kept(rules, schedule))
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
    if output is None:
        click.echo("---\n".join(document.to_yaml(manifest) for manifest in rendered), nl=False)
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
        for manifest in rendered:
            path = output / document.file_name(manifest)
            path.write_text(document.to_yaml(manifest))
            click.echo(str(path))
        left = _left(output, {document.file_name(manifest) for manifest in rendered})
    except OSError as error:
        refuse(f"can't write to {output}: {error.strerror}")
    if left:
        click.echo(
            f"Of an earlier rendering and no longer asked for: {', '.join(left)}. Delete them, and what was applied "
            "of them: kubectl delete -f FILE",
            err=True,
        )


def _left(folder: Path, written: Collection[str]) -> list[str]:
    """The files in a folder that an earlier rendering has written, and this one has not."""
    found = []
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in written and path.is_file():
            with path.open(encoding="utf-8", errors="replace") as stream:
                if document.is_file_of_ours(path.name, stream.read(_START)):
                    found.append(path.name)
    return found


def _option(field: object) -> str:
    """The option that sets a field of the settings."""
    return str(field).removesuffix("s").replace("_", "-")


@click.command()
@click.option(
    "-f", "--file", "source", type=click.File(), required=True, metavar="FILE", help="The resource, `-` for stdin."
)
def workflow(source: TextIO) -> None:
    """Print the Workflow that does what an APIManagerBackup or APIManagerRestore would do."""
    from workflows.commands import operators_resources

    click.echo(document.to_yaml(_read(source, operators_resources.workflow)), nl=False)


def _read(source: TextIO, read: Callable[[str], Read]) -> Read:
    """Read the resources of a file, or refuse it with its name."""
    from workflows.commands import operators_resources

    try:
        text = source.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            refuse(f"{source.name}: it is longer than {_LARGEST >> 20} MiB, so no resource of Kubernetes")
        return read(text)
    except OSError as error:
        refuse(f"can't read {source.name}: {error.strerror}")
    except operators_resources.BadResourceError as error:
        refuse(f"{source.name}: {error}")
    except UnicodeDecodeError:
        refuse(f"{source.name}: no text in UTF-8, so no YAML")
