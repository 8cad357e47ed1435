"""How a phase becomes a container: the one place for image, command, retries, limits and security."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from hera.expr import g
from hera.workflows import Container, Counter, Gauge, Parameter, RetryPolicy, RetryStrategy
from hera.workflows.models import (
    Affinity,
    Backoff,
    Capabilities,
    IntOrString,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext,
)

from steps.contract.arguments import REFUSED
from steps.contract.declaration import DeclaredPhase, Output, failure, fields_of, of_run
from steps.contract.mounts import Mount
from steps.contract.told import CLAIM_WAIT, NODE
from steps.errors import TRY_AGAIN_EXIT
from workflows.rendering import mounts as mounting
from workflows.rendering.parameters import OUTPUTS_PATH, declare, minutes, output, value
from workflows.rendering.placement import together_in_place
from workflows.rendering.settings import Settings

TERMINATION_LOG = "/dev/termination-log"  # the kubelet's own default

_TRIES = "3"  # more than the first
# An evicted or drained pod is Failed with 143 or 137, and a pod that was lost has no exit code at all (-1).
_RETRY = RetryStrategy(
    limit=_TRIES,
    retry_policy=RetryPolicy.always,
    expression=f"lastRetry.status == 'Error' || lastRetry.exitCode in ['{TRY_AGAIN_EXIT}', '137', '143', '-1']",
    # no maxDuration: it counts from the first try's start and would kill a long copy
    backoff=Backoff(duration="10s", factor=IntOrString(root="2"), cap="2m"),
)
_LOCKED = SecurityContext(
    allow_privilege_escalation=False, read_only_root_filesystem=True, capabilities=Capabilities(drop=["ALL"])
)

Metric = Counter | Gauge


@dataclass(frozen=True)
class Pod:
    """The differences between the pods of the phases.

    `secret`: a Secret whose keys the phase reads as files. If it is missing, the phase reports that. `account`: an
    account other than the workflow's. Without `retried`, the timeout also ends a pod that no node can take.
    """

    timeout: str = "15m"  # counts from the scheduling of the pod, so it ends a pod whose volume can't be mounted
    affinity: Affinity | None = None
    metrics: Sequence[Metric] = ()
    secret: str = ""
    account: str | None = None
    retried: bool = True


class Told(NamedTuple):
    """The inputs, arguments and outputs of a template."""

    inputs: Sequence[Parameter]
    arguments: Sequence[str]
    outputs: Sequence[Parameter]
    mounts: Sequence[Mount] = ()
    claim: str = ""  # the input that names the claim of the backup
    judged: Sequence[str] = ()  # options with all arguments of the workflow, for a phase that may refuse them


USUAL = Pod()


def phase(
    settings: Settings,
    declared: type[DeclaredPhase],
    pod: Pod = USUAL,
    *,
    known: Iterable[str] | None = None,
    fixed: Mapping[str, str] = MappingProxyType({}),
    inputs: Mapping[str, Parameter] = MappingProxyType({}),
) -> Container:
    """Make the container template of a phase.

    `known`: for a phase that checks the arguments of its workflow. In the first phase, these are the valid names.
    `fixed`: options that are not inputs, by field name. `inputs`: parameters to use instead of the declared ones.
    """
    fields = fields_of(declared)
    mounted = {each.option: each.mount for each in fields if each.mount and mounting.present(settings, each.mount)}
    words = {each.option: value(each.told_as) for each in fields if each.is_input and each.is_option}
    words |= {each.option: fixed[each.name] for each in fields if each.name in fixed}
    words |= {option: mounting.path(settings, mount) for option, mount in mounted.items() if mount.value.path}
    told = Told(
        [inputs.get(name, own) for name, own in declare(declared).items()],
        [part for word in words.items() for part in word],
        [output(each) for each in (*_gives(declared, judges=known is not None), failure(declared.command[-1]))],
        list(mounted.values()),
        next((each.told_as for each in fields if each.name in {"claim", "claim_name"}), ""),
        [] if known is None else _judged(known),
    )
    if CLAIM_WAIT in {each.told_as for each in fields}:
        pod = replace(pod, timeout=f"{pod.timeout}{minutes(CLAIM_WAIT)}")
    if pod.affinity is None and NODE in {each.name for each in fields}:
        pod = replace(pod, affinity=together_in_place())
    image = settings.database_image if declared.on_databases else None
    return container(settings, declared.command, told, pod, image)


def container(
    settings: Settings, command: Sequence[str], told: Told, pod: Pod = USUAL, image: str | None = None
) -> Container:
    """Make a container template that runs one subcommand of the image; its last word is the template's name."""
    needs = settings.pods.of(command, settings.memory if Mount.CACHE in told.mounts else "")
    return Container(
        name=command[-1],
        image=image or settings.image,
        image_pull_policy=needs.image_pull_policy,
        command=["python", "-m", "steps"],
        args=[*_common(retried=pod.retried), *told.judged, *command, *told.arguments, *mounting.of_secret(pod.secret)],
        inputs=list(told.inputs),
        outputs=list(told.outputs),
        volumes=mounting.volumes(settings, told.mounts, told.claim, pod.secret),
        volume_mounts=mounting.volume_mounts(settings, told.mounts, pod.secret),
        affinity=pod.affinity,
        timeout=pod.timeout,
        resources=needs.resources.as_argo(),
        security_context=_LOCKED,
        retry_strategy=_RETRY if pod.retried else None,
        service_account_name=pod.account,
        automount_service_account_token=True,  # a phase asks the API server, and defaults of a controller may say no
        node_selector=dict(needs.node_selector) or None,
        tolerations=needs.argo_tolerations(),
        priority_class_name=needs.priority_class_name,
        labels=dict(needs.labels) or None,
        annotations=dict(needs.annotations) or None,
        pod_spec_patch=needs.patch(),
        metrics=list(pod.metrics) or None,
    )


def pod_security(settings: Settings) -> PodSecurityContext:
    """Return what OpenShift's restricted-v2 and Pod Security `restricted` require.

    Users and groups are set only if the settings have them.
    """
    return PodSecurityContext(
        run_as_non_root=True,
        seccomp_profile=SeccompProfile(type="RuntimeDefault"),
        run_as_user=settings.pods.run_as_user,
        fs_group=settings.pods.fs_group,
        fs_group_change_policy="OnRootMismatch" if settings.pods.fs_group is not None else None,
    )


def _common(*, retried: bool) -> list[str]:
    """Return the options that every phase gets."""
    return [
        *("--namespace", f"{g.workflow.namespace:$}"),
        *("--workflow", f"{g.workflow.name:$}"),
        *("--workflow-uid", f"{g.workflow.uid:$}"),
        *("--service-account", f"{g.workflow.serviceAccountName:$}"),
        *("--outputs", OUTPUTS_PATH),
        *("--termination-log", TERMINATION_LOG),
        *("--request-timeout-s", "30"),
        *(["--try", f"{g.retries:$}", "--tries", _TRIES] if retried else []),
    ]


def _judged(names: Iterable[str]) -> list[str]:
    """Return the options with all arguments of the workflow, also the unknown ones."""
    known = ",".join(names)
    given = ["--arguments", f"{g.workflow.parameters:$}", "--labels", f"{g.workflow.labels.json:$}"]
    return [*given, *(["--known", known] if known else [])]


def _gives(declared: type[DeclaredPhase], *, judges: bool) -> list[Output]:
    """Return the outputs of a phase.

    A phase that checks arguments also has an output for a refusal. Its other outputs get a default, because Argo drops
    all outputs if one is missing. If such a phase runs inside another workflow, it does not check, and its outputs are
    not global.
    """
    if not judges:
        return [each._replace(of_run="" if declared.judges else each.of_run) for each in declared.gives]
    told = [each._replace(default=each.default or "") for each in declared.gives]
    return [*told, of_run(REFUSED, "`yes` if the arguments of a person were refused.")]
