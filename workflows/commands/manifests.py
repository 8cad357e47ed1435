"""What a cluster is given: the manifests of an installation, or a Workflow for one of the operator's resources."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, TypedDict, TypeVar, cast

import click

from steps import values
from workflows.commands import doubts
from workflows.commands.options import FOLDER, as_argument, check_rules, refuse, rules_options

if TYPE_CHECKING:
    from workflows.monitoring import Thresholds

Read = TypeVar("Read")
_START = 4096  # characters of a file, in which its kind, its name and its labels are
_LONGEST = timedelta(days=3650)  # of an alert; Prometheus counts nanoseconds in 64 bits
_LARGEST = 4 << 20  # characters of a file; etcd takes 1.5 MB for a resource, and a List has some


class _Alarm(TypedDict):
    """What is rendered for those who want to be told."""

    watchdog: str | None
    expected_every: str
    monitoring: bool
    verified_every: str | None
    proven_every: str | None
    silent_for: str
    max_shrink: float


@click.command()
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
    help="Of each verification: sample=25%.",
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
@click.option("--fs-group", type=values.GROUP, metavar="N", help="Group of the volumes; not on OpenShift.")
@click.option("--run-as-user", type=values.USER, metavar="N", help="User of the phases; not on OpenShift.")
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
    max_age, thresholds = _thresholds(namespace, alarm, {of for of, *_ in proofs})
    kept = {name: value for name, value in told.items() if name not in alarm or name == "max_shrink"}
    check_rules(kept, timezone)
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
            {"timezone": timezone, **{name: as_argument(value) for name, value in kept.items()}}
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
        refuse(str(error))
    except ValidationError as error:
        wrong = [f"--{_option(problem['loc'][0])} {problem['input']!r}" for problem in error.errors()]
        refuse(f"{' and '.join(wrong)}: an image is one word, a namespace a DNS-1123 label, an object a subdomain")
    _deliver(rendered, output)
    crons = {"--schedule": schedule, "--verify": verify_cron, "--drill": drill_cron, "--watchdog": alarm["watchdog"]}
    doubts.of_clocks(crons, timezone)
    for of, cron, given in proofs:
        if of == "verify":
            limit = thresholds.verified_every if thresholds else None
            doubts.of_shares(cron, given.get("sample", ""), limit, doubts.kept(rules, schedule))
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
        left = _left(output, {rendering.file_name(manifest) for manifest in rendered})
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
    from workflows import manifests as rendering

    found = []
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in written and path.is_file():
            with path.open(encoding="utf-8", errors="replace") as stream:
                if rendering.is_file_of_ours(path.name, stream.read(_START)):
                    found.append(path.name)
    return found


def _option(field: object) -> str:
    """The option that sets a field of the settings."""
    return str(field).removesuffix("s").replace("_", "-")


def _thresholds(namespace: str | None, alarm: _Alarm, proofs: Collection[str]) -> "tuple[str, Thresholds | None]":
    """How old a backup may be, and when alerts fire, where those are wanted; `proofs`: what runs by schedule."""
    from workflows.monitoring import Thresholds

    expected, silent = (_time("--expected-every", alarm["expected_every"]), _time("--silent-for", alarm["silent_for"]))
    asked = {
        "verified": (alarm["verified_every"], "8d" if "verify" in proofs else ""),
        "proven": (alarm["proven_every"], "35d" if "drill" in proofs else ""),
    }
    verified, proven = (
        _time(f"--{name}-every", limit) if (limit := usual if said is None else said) else None
        for name, (said, usual) in asked.items()
    )
    if not alarm["monitoring"]:
        return alarm["expected_every"], None
    if namespace is None:
        refuse("--monitoring asks for the metrics of one installation: say its --namespace too")
    if alarm["watchdog"] is None:
        refuse('--monitoring asks for what a watchdog tells: say --watchdog too, for instance "17 * * * *"')
    _check_silence(alarm["watchdog"], silent, alarm["silent_for"])
    return alarm["expected_every"], Thresholds(
        expected_every=expected,
        verified_every=verified,
        proven_every=proven,
        silent_for=silent,
        max_shrink=alarm["max_shrink"],
    )


def _check_silence(watchdog: str, silent: timedelta, text: str) -> None:
    """Refuse an alert that would fire between any two looks of the watchdog."""
    from workflows import cron

    pause = cron.pause(watchdog)
    if pause is not None and silent <= pause:
        refuse(
            f"--silent-for {text}: --watchdog {watchdog!r} looks once in {doubts.told(pause)}, so an alert would say "
            "each time that nobody looks: say more than that"
        )


def _time(option: str, text: str) -> timedelta:
    """A duration of a known length."""
    from steps import errors, retention

    try:
        found = retention.Duration.read(text, option)
    except errors.BadDuration as error:
        refuse(str(error))
    if found.months or not timedelta(0) < found.rest <= _LONGEST:
        refuse(f"{option} {text!r}: write weeks, days and hours, for instance 26h or 8d, up to {_LONGEST.days}d")
    return found.rest


def _nightly(option: str, words: Sequence[str], of: str, cron: str | None) -> dict[str, str]:
    """Read the arguments of a schedule, or refuse them."""
    read = dict(word.partition("=")[::2] for word in words)
    if len(read) < len(words):
        refuse(f"{option} is given twice for the same name")
    if wrong := [word for word in words if "=" not in word]:
        refuse(f"{option} {wrong[0]!r}: write NAME=VALUE, for instance storage-request=20Gi")
    if read and cron is None:
        refuse(f"{option} is for what a schedule starts: say {of} too")
    return read


Asked = tuple[str | None, Sequence[str]]  # a schedule and its arguments
Proof = tuple[str, str, dict[str, str]]  # of which, when, with which arguments


def _proofs(namespace: str | None, scratch: str | None, verify: Asked, drill: Asked) -> list[Proof]:
    """The schedules of what proves backups."""
    of_verify = _nightly("--verify-argument", verify[1], "--verify", verify[0])
    of_drill = _nightly("--drill-argument", drill[1], "--drill", drill[0])
    if drill[0] is not None and scratch is None:
        refuse("--drill needs a namespace that was made for drills: say --drill-namespace too")
    if "scratch-namespace" in of_drill:
        refuse("--drill-argument scratch-namespace: say it by --drill-namespace, which gives the rights there too")
    if scratch is not None and namespace is None:
        refuse("--drill-namespace gives rights there to an account of another namespace: say --namespace too")
    if scratch is not None and scratch == namespace:
        refuse(
            f"--drill-namespace {scratch} is that of the installation: make one for drills, which holds nothing else"
        )
    found = [("verify", verify[0], of_verify), ("drill", drill[0], {"scratch-namespace": scratch or "", **of_drill})]
    return [(of, cron, arguments) for of, cron, arguments in found if cron is not None]


@click.command()
@click.option(
    "-f", "--file", "source", type=click.File(), required=True, metavar="FILE", help="The resource, `-` for stdin."
)
def workflow(source: TextIO) -> None:
    """Print the Workflow that does what an APIManagerBackup or APIManagerRestore would do."""
    from workflows import manifests as rendering
    from workflows import resources

    click.echo(rendering.to_yaml(_read(source, resources.workflow)), nl=False)


def _read(source: TextIO, read: Callable[[str], Read]) -> Read:
    """Read the resources of a file, or refuse it with its name."""
    from workflows import resources

    try:
        text = source.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            refuse(f"{source.name}: it is longer than {_LARGEST >> 20} MiB, so no resource of Kubernetes")
        return read(text)
    except OSError as error:
        refuse(f"can't read {source.name}: {error.strerror}")
    except resources.BadResourceError as error:
        refuse(f"{source.name}: {error}")
    except UnicodeDecodeError:
        refuse(f"{source.name}: no text in UTF-8, so no YAML")
