"""What a cluster is given: the manifests of an installation, or a Workflow for one of the operator's resources."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from steps.contract import values
from steps.contract.prune_contract import PruneArguments, RulesAsked
from steps.contract.values import NO
from steps.phases.command_line import Value, read, told_by
from workflows.commands import doubts, nights
from workflows.commands.options import FOLDER, named_values, refuse
from workflows.rendering import document

if TYPE_CHECKING:
    from workflows.rendering.settings import Settings

Read = TypeVar("Read")
_START = 4096  # characters of a file, in which its kind, its name and its labels are
_LARGEST = 4 << 20  # characters of a file; etcd takes 1.5 MB for a resource, and a List has some


@click.command()
@click.option("--image", required=True, metavar="REF", help="The image of the phases, best by digest.")
@click.option("--namespace", metavar="NS", help="Namespace of the 3scale installation; else that of `kubectl apply`.")
@click.option("--schedule", metavar="CRON", help='A CronWorkflow too, for instance "0 2 * * *".')
@click.option("--timezone", default="UTC", show_default=True, help="Time zone of the schedule.")
@named_values("--argument", "arguments", "Of each night's backup: storage-request=20Gi.")
@click.option("--verify", metavar="CRON", help="A CronWorkflow that verifies the backups.")
@named_values("--verify-argument", "verify_arguments", "Of each verification: sample=25%.")
@click.option("--drill", metavar="CRON", help="One that proves that backups restore.")
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
@told_by(RulesAsked, without=("timezone",), flags=True)
@click.option(
    "--output", type=FOLDER, metavar="DIR", help="One file a resource; else one stream for `kubectl apply -f -`."
)
def manifests(output: Path | None, **told: Any) -> None:
    """Render all YAML that a cluster with Argo Workflows needs."""
    from pydantic import ValidationError

    from steps.catalogue.retention import Rules
    from workflows.manifests import render
    from workflows.schedule import BadScheduleError

    rules = read(PruneArguments, told | {"plan": NO})
    Rules.of(rules)  # else a phase would refuse them night after night
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
    """What is fixed when rendering; raises ValidationError."""
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
