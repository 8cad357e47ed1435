"""The commands that print YAML: the manifests of an installation, or a Workflow for a resource of the operator."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from steps.contract import values
from steps.contract.values import NO
from steps.phases.command_line import Value, read
from workflows.commands import doubts, nights
from workflows.commands.options import FOLDER, DeclaredCommand, named_values, refuse
from workflows.rendering import document

if TYPE_CHECKING:
    from workflows.rendering.settings import Settings

Read = TypeVar("Read")
_START = 4096  # characters of a file, which hold its kind, its name and its labels
_LARGEST = 4 << 20  # characters of a file; etcd takes 1.5 MB for a resource, and a List holds several


@click.command(cls=DeclaredCommand, declared="prune_contract.RulesAsked", without=("timezone",), flags=True)
@click.option("--image", required=True, metavar="REF", help="Run the phases with this image, best named by its digest.")
@click.option(
    "--namespace",
    metavar="NS",
    help="Render the resources for this namespace of a 3scale installation. By default `kubectl apply` decides.",
)
@click.option("--schedule", metavar="CRON", help='Start a backup by this cron schedule, for instance "0 2 * * *".')
@click.option(
    "--timezone",
    metavar="ZONE",
    default="UTC",
    show_default=True,
    help="Use this time zone for all schedules and for the retention rules, for instance Europe/Madrid.",
)
@named_values(
    "--argument",
    "arguments",
    "Give each scheduled backup this argument, for instance storage-request=20Gi. Repeat the option for others.",
)
@click.option(
    "--verify", metavar="CRON", help='Start a verification of a backup by this cron schedule, for instance "0 6 * * *".'
)
@named_values(
    "--verify-argument",
    "verify_arguments",
    "Give each scheduled verification this argument, for instance sample=25%. Repeat the option for others.",
)
@click.option(
    "--drill",
    metavar="CRON",
    help='Start a trial restore of a backup by this cron schedule, for instance "0 7 * * 0". '
    "This needs --drill-namespace.",
)
@named_values(
    "--drill-argument",
    "drill_arguments",
    "Give each scheduled drill this argument, for instance storage-class=fast. Repeat the option for others.",
)
@click.option(
    "--drill-namespace",
    metavar="NS",
    help="Give the drills' account rights in this scratch namespace, where drills create objects. "
    "This needs --namespace.",
)
@click.option(
    "--fs-group",
    type=Value(values.GROUP),
    metavar="N",
    help="Let this group own the volumes. OpenShift assigns a group itself, so do not set this option there.",
)
@click.option(
    "--run-as-user",
    type=Value(values.USER),
    metavar="N",
    help="Run the phases as this user. OpenShift assigns a user itself, so do not set this option there.",
)
@click.option(
    "--from-apimanager",
    "sources",
    type=click.File(),
    multiple=True,
    metavar="FILE",
    help="Allow the accounts to use the Secrets and ConfigMaps that the APIManager in this file names. "
    "Use `-` to read from stdin.",
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME",
    help="Allow the accounts to use this Secret too. Repeat the option for others.",
)
@click.option(
    "--configmap",
    "configmaps",
    multiple=True,
    metavar="NAME",
    help="Allow the accounts to use this ConfigMap too. Repeat the option for others.",
)
@click.option(
    "--all-secrets",
    is_flag=True,
    help="Allow the accounts to read every Secret of the namespace, and restores to replace every Secret. "
    "By default the Roles list the Secrets by name.",
)
@click.option(
    "--watchdog",
    metavar="CRON",
    help='Check by this cron schedule whether the newest backup is too old, for instance "17 * * * *".',
)
@click.option(
    "--expected-every",
    default=values.MAX_AGE,
    show_default=True,
    metavar="DURATION",
    help="Report and alert when the newest complete backup began longer ago than this.",
)
@click.option(
    "--monitoring",
    is_flag=True,
    help="Render a PrometheusRule with alerts and a Grafana dashboard too. This needs --watchdog and --namespace.",
)
@click.option(
    "--verified-every",
    show_default="8d with --verify",
    metavar="DURATION",
    help="Alert when no backup was verified in full for this long. An empty value turns the alert off.",
)
@click.option(
    "--proven-every",
    show_default="35d with --drill",
    metavar="DURATION",
    help="Alert when no backup was restored for trial for this long. An empty value turns the alert off.",
)
@click.option(
    "--silent-for",
    default="3h",
    show_default=True,
    metavar="DURATION",
    help="Alert when the watchdog has reported nothing for this long.",
)
@click.option(
    "--notify-secret",
    metavar="NAME",
    help="Post the results of workflows to the URL in the key `url` of this Secret.",
)
@click.option(
    "--notify-form",
    type=click.Choice(["webhook", "slack"]),
    default="webhook",
    show_default=True,
    help="Choose the format of the posted results: `webhook` for a program, `slack` for Slack.",
)
@click.option(
    "--output",
    type=FOLDER,
    metavar="DIR",
    help="Write one file for each resource to this folder. By default one stream for `kubectl apply -f -` is printed.",
)
def manifests(output: Path | None, **told: Any) -> None:
    """Render the YAML manifests for a cluster with Argo Workflows."""
    from pydantic import ValidationError

    from steps.catalogue.retention import Rules
    from steps.contract.prune_contract import PruneArguments
    from workflows.manifests import render
    from workflows.schedule import BadScheduleError

    rules = read(PruneArguments, told | {"plan": NO})
    Rules.of(rules)  # else a phase would refuse them in each run
    nightly = nights.arguments("--argument", told["arguments"], "--schedule", told["schedule"])
    proofs = nights.proofs(told)
    thresholds = nights.thresholds(told, rules.max_shrink, {each.of for each in proofs})
    try:
        rendered = render(
            _settings(told),
            told["schedule"],
            told["timezone"],
            nightly,
            rules,
            proofs=proofs,
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
    doubts.of_clocks({f"--{of}": told[of] for of in ("schedule", "verify", "drill", "watchdog")}, told["timezone"])
    limit = thresholds.verified_every if thresholds else None
    for each in proofs:
        if each.of == "verify":
            kept = doubts.kept(rules, told["schedule"])
            doubts.of_shares(each.cron, each.arguments.get("sample", ""), limit, kept)
    if told["schedule"] is not None:
        doubts.of_rules(rules.keeps)


def _settings(told: Mapping[str, Any]) -> "Settings":
    """Return the settings of the rendering. Raises ValidationError."""
    from steps.kubernetes.kinds import CONFIGMAP, SECRET
    from steps.threescale import references
    from workflows.commands import operators_resources
    from workflows.rendering.settings import Settings

    found = [apimanager for source in told["sources"] for apimanager in _read(source, operators_resources.apimanagers)]
    named = [reference for apimanager in found for reference in references.of(apimanager)]
    given = {name: told[name] for name in Settings.model_fields if name in told}
    names = {
        "secrets": (*told["secrets"], *references.names(named, SECRET)),
        "configmaps": (*told["configmaps"], *references.names(named, CONFIGMAP)),
    }
    return Settings.model_validate(given | names)


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
            f"Files of an earlier rendering that are no longer rendered: {', '.join(left)}. Delete their resources "
            "with kubectl delete -f FILE, then delete the files.",
            err=True,
        )


def _left(folder: Path, written: Collection[str]) -> list[str]:
    """Return the files in a folder that an earlier rendering wrote and this rendering did not."""
    found = []
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in written and path.is_file():
            with path.open(encoding="utf-8", errors="replace") as stream:
                if document.is_file_of_ours(path.name, stream.read(_START)):
                    found.append(path.name)
    return found


def _option(field: object) -> str:
    """Return the option that sets a field of the settings."""
    return str(field).removesuffix("s").replace("_", "-")


@click.command()
@click.option(
    "-f",
    "--file",
    "source",
    type=click.File(),
    required=True,
    metavar="FILE",
    help="Read the APIManagerBackup or APIManagerRestore from this file. Use `-` to read from stdin.",
)
def workflow(source: TextIO) -> None:
    """Print a Workflow that does the work of an APIManagerBackup or APIManagerRestore."""
    from workflows.commands import operators_resources

    click.echo(document.to_yaml(_read(source, operators_resources.workflow)), nl=False)


def _read(source: TextIO, read: Callable[[str], Read]) -> Read:
    """Read the resources of a file, or refuse it with its name."""
    from workflows.commands import operators_resources

    try:
        text = source.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            refuse(f"{source.name}: the file is longer than {_LARGEST >> 20} MiB, so it is not a Kubernetes resource")
        return read(text)
    except OSError as error:
        refuse(f"can't read {source.name}: {error.strerror}")
    except operators_resources.BadResourceError as error:
        refuse(f"{source.name}: {error}")
    except UnicodeDecodeError:
        refuse(f"{source.name}: the file is not valid UTF-8, so it is not YAML")
