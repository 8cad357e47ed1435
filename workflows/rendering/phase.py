"""How a phase becomes a container: the one place for image, command, retries, limits and security."""

from collections.abc import Iterable, Sequence

from hera.expr import g
from hera.workflows import Container, Counter, Gauge, Parameter, Resources, RetryPolicy, RetryStrategy
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
from steps.errors import TRY_AGAIN_EXIT
from workflows.rendering import mounts as mounting
from workflows.rendering.handover import CLAIM_NAME, OUTPUTS_PATH, for_run, never_missing
from workflows.rendering.mounts import Mount
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
_SMALL = Resources(cpu_request="50m", memory_request="96Mi", memory_limit="256Mi")
_SHORT = "15m"  # from the moment a node has the pod: a volume that can't be mounted ends here

Metric = Counter | Gauge


def phase(  # noqa: PLR0913  what may differ between two phases, nothing else
    settings: Settings,
    command: Sequence[str],
    *,
    inputs: Sequence[Parameter],
    arguments: Sequence[str] = (),
    outputs: Sequence[Parameter] = (),
    mounts: Sequence[Mount] = (),
    claim: str = CLAIM_NAME,
    affinity: Affinity | None = None,
    timeout: str = _SHORT,
    metrics: Sequence[Metric] = (),
    secret: str = "",
    account: str | None = None,
    retried: bool = True,
    judges: Iterable[str] | None = None,
) -> Container:
    """Make a container template that runs one subcommand of the image; its last word is the template's name.

    `secret`: one whose keys the phase reads as files; it may be absent, that is for the phase to say. `account`:
    another than the workflow's. Not `retried`: its timeout ends a pod too that no node can take. `judges`: it may
    refuse the arguments of its workflow, and where it is the first, these are the names that they may have.
    """
    return Container(
        name=command[-1],
        image=settings.image,
        command=["python", "-m", "steps"],
        args=[
            *_common(retried=retried),
            *(_judged(judges) if judges is not None else []),
            *command,
            *arguments,
            *mounting.options(mounts, secret),
        ],
        inputs=list(inputs),
        outputs=list(outputs) if judges is None else [*map(never_missing, outputs), for_run(REFUSED)],
        volumes=mounting.volumes(mounts, claim, secret),
        volume_mounts=mounting.volume_mounts(mounts, secret),
        affinity=affinity,
        timeout=timeout,
        resources=_SMALL,
        security_context=_LOCKED,
        retry_strategy=_RETRY if retried else None,
        service_account_name=account,
        metrics=list(metrics) or None,
    )


def pod_security(settings: Settings) -> PodSecurityContext:
    """What OpenShift's restricted-v2 and Pod Security `restricted` ask for; users and groups only where told."""
    return PodSecurityContext(
        run_as_non_root=True,
        seccomp_profile=SeccompProfile(type="RuntimeDefault"),
        run_as_user=settings.run_as_user,
        fs_group=settings.fs_group,
        fs_group_change_policy="OnRootMismatch" if settings.fs_group is not None else None,
    )


def _common(*, retried: bool) -> list[str]:
    """What every phase is told."""
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
    """All arguments of the workflow as Argo was given them, those too that it does not know."""
    known = ",".join(names)
    given = ["--arguments", f"{g.workflow.parameters:$}", "--labels", f"{g.workflow.labels.json:$}"]
    return [*given, *(["--known", known] if known else [])]
