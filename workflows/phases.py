"""How a phase becomes a container: the one place for image, volumes, retries, limits and security.

Volumes are Hera's plain models, because a source that must not be touched is read-only in the pod's volume
(`persistentVolumeClaim.readOnly`, then the kubelet changes no ownership either), and a backup that the kubelet shall
hand to the namespace's group is read-only in the mount alone. Hera's own volume classes always set both.
"""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Annotated, Literal

from hera.expr import g
from hera.workflows import Container, Counter, Gauge, Parameter, Resources, RetryPolicy, RetryStrategy
from hera.workflows.models import (
    Affinity,
    Backoff,
    Capabilities,
    EmptyDirVolumeSource,
    IntOrString,
    KeyToPath,
    LabelSelector,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PersistentVolumeClaimVolumeSource,
    PodAffinity,
    PodAffinityTerm,
    PodSecurityContext,
    SeccompProfile,
    SecretVolumeSource,
    SecurityContext,
    ValueFrom,
    Volume,
    VolumeMount,
)
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from steps import values
from workflows import conditions

CLAIM = "backupPersistentVolumeClaimName"  # the operator's spelling, in its status
APIMANAGER = "apiManagerSourceName"
CLAIM_NAME = "claim-name"
SYSTEM_STORAGE = "system-storage"
FILE_STORAGE = "file-storage"
EXTERNAL = "external"  # a value of it: in S3, not in a claim
PLAN = conditions.PLAN

BACKUP_PATH = "/backup"
FILE_STORAGE_PATH = "/system-filestorage"
REPLACED_CLAIM = "replaced-claim"
REPLACED_PATH = "/replaced"
SECRET_PATH = "/secret"  # noqa: S105  a folder: where a Secret of the user's is mounted, in one phase alone
SECRET_KEYS = ("url", "ca.crt")
SCRATCH_CLAIM = "scratch-claim"
SCRATCH_PATH = "/scratch"
OUTPUTS_PATH = "/tmp/outputs"  # noqa: S108  an emptyDir, the only place that a phase may write besides its volumes
TERMINATION_LOG = "/dev/termination-log"  # the kubelet's own default

TRIES = 3  # more than the first

# An evicted or drained pod is Failed with 143 or 137, and a pod that was lost has no exit code at all (-1).
_RETRY = RetryStrategy(
    limit=str(TRIES),
    retry_policy=RetryPolicy.always,
    expression="lastRetry.status == 'Error' || lastRetry.exitCode in ['75', '137', '143', '-1']",
    # no maxDuration: it counts from the first try's start and would kill a long copy
    backoff=Backoff(duration="10s", factor=IntOrString(root="2"), cap="2m"),
)
_LOCKED = SecurityContext(
    allow_privilege_escalation=False, read_only_root_filesystem=True, capabilities=Capabilities(drop=["ALL"])
)
_SMALL = Resources(cpu_request="50m", memory_request="96Mi", memory_limit="256Mi")
_SHORT = "15m"  # from the moment a node has the pod: a volume that can't be mounted ends here


# Where pods may run, as a phase tells those after it: the claim that they mount may be on one node.
PLACE = [
    Parameter(name="node-operator", value="NotIn", description="In: only that node; NotIn: any but that one."),
    Parameter(name="node", value="no-node", description="The node that has a ReadWriteOnce claim mounted."),
]

Namespace = Annotated[str, AfterValidator(values.NAMESPACE.check)]
ObjectName = Annotated[str, AfterValidator(values.OBJECT.check)]


class Settings(BaseModel):
    """What is fixed when rendering, so that whoever submits a workflow can't choose what runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str = Field(pattern=r"^[!-~]+$")
    namespace: Namespace | None = None
    fs_group: int | None = Field(default=None, ge=0, lt=1 << 31)
    run_as_user: int | None = Field(default=None, ge=1, lt=1 << 31)
    secrets: tuple[ObjectName, ...] = ()  # that an APIManager names, for the Roles
    configmaps: tuple[ObjectName, ...] = ()
    all_secrets: bool = False  # instead of any name
    drill_namespace: Namespace | None = None  # for its Role
    look_s: float = Field(default=5.0, ge=0, le=3600)  # between two looks at the operator; its own rhythm
    notify_secret: ObjectName | None = None  # whose key `url` says where results go
    notify_form: Literal["webhook", "slack"] = "webhook"


class Mount(Enum):
    """A volume of a phase."""

    BACKUP = "backup"  # written
    BACKUP_READ_ONLY = "backup-read-only"
    SOURCE = "source"  # system-storage of a live installation, never touched
    SOURCE_LISTED = "source-listed"  # not mounted, but the scheduler shall see it
    TARGET = "target"  # system-storage to be filled
    REPLACED = "replaced"  # where a restore saves what it replaces
    SCRATCH = "scratch"  # where a drill restores the tree for trial


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
    resources: Resources = _SMALL,
    metrics: Sequence[Counter | Gauge] = (),
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
            *_paths(mounts),
            *(["--secret", SECRET_PATH] if secret else []),
        ],
        inputs=list(inputs),
        outputs=list(outputs) if judges is None else [*map(_never_missing, outputs), for_run(conditions.REFUSED)],
        volumes=[
            _volume("tmp", None),
            *(_mounted_volume(mount, claim) for mount in mounts),
            *([_secret_volume(secret)] if secret else []),
        ],
        volume_mounts=[
            VolumeMount(name="tmp", mount_path="/tmp"),  # noqa: S108  an emptyDir
            *(_mount(mount) for mount in mounts if mount is not Mount.SOURCE_LISTED),
            *([VolumeMount(name="secret", mount_path=SECRET_PATH, read_only=True)] if secret else []),
        ],
        affinity=affinity,
        timeout=timeout,
        resources=resources,
        security_context=_LOCKED,
        retry_strategy=_RETRY if retried else None,
        service_account_name=account,
        metrics=list(metrics) or None,
    )


def value(name: str) -> str:
    """Write the tag of a template's own input parameter."""
    return f"{getattr(g.inputs.parameters, name):$}"


def words(names: Iterable[str]) -> list[str]:
    """Write input parameters as options of the same names."""
    return [word for name in names for word in (f"--{name}", value(name))]


def output(name: str, *, default: str | None = None, global_name: str | None = None) -> Parameter:
    """Declare a small file under the outputs folder as an output parameter."""
    return Parameter(
        name=name, value_from=ValueFrom(path=f"{OUTPUTS_PATH}/{name}", default=default), global_name=global_name
    )


def _never_missing(told: Parameter) -> Parameter:
    """The same, empty where a phase that was refused has left none: for one that is missing Argo takes none at all."""
    has_default = told.value_from is None or told.value_from.default is not None
    return told if has_default else output(str(told.name), default="", global_name=told.global_name)


def for_run(name: str) -> Parameter:
    """An output of the whole workflow, for conditions and metrics; empty where the phase has nothing to say."""
    return output(name, default="", global_name=name)


def count(name: str) -> Parameter:
    """Declare an output that only tells a number; a phase that fails has none."""
    return output(name, default="")


def pod_security(settings: Settings) -> PodSecurityContext:
    """What OpenShift's restricted-v2 and Pod Security `restricted` ask for; users and groups only where told."""
    return PodSecurityContext(
        run_as_non_root=True,
        seccomp_profile=SeccompProfile(type="RuntimeDefault"),
        run_as_user=settings.run_as_user,
        fs_group=settings.fs_group,
        fs_group_change_policy="OnRootMismatch" if settings.fs_group is not None else None,
    )


def anywhere() -> Affinity:
    """Any node for the pods of a template, whatever its workflow asks for."""
    return Affinity()


def together() -> Affinity:
    """One node for all pods of a workflow, because the claim of a backup is ReadWriteOnce."""
    return Affinity(pod_affinity=_beside_own_pods())


def together_on(operator: str, node: str) -> Affinity:
    """The same, on the node (operator In) where a ReadWriteOnce system-storage is mounted, or on any (NotIn)."""
    there = NodeSelectorRequirement(key="metadata.name", operator=operator, values=[node])
    required = NodeSelector(node_selector_terms=[NodeSelectorTerm(match_fields=[there])])
    return Affinity(
        pod_affinity=_beside_own_pods(),
        node_affinity=NodeAffinity(required_during_scheduling_ignored_during_execution=required),
    )


def _beside_own_pods() -> PodAffinity:
    mine = LabelSelector(match_labels={"workflows.argoproj.io/workflow": f"{g.workflow.name:$}"})
    term = PodAffinityTerm(label_selector=mine, topology_key="kubernetes.io/hostname")
    return PodAffinity(required_during_scheduling_ignored_during_execution=[term])


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
        *(["--try", f"{g.retries:$}", "--tries", str(TRIES)] if retried else []),
    ]


def _judged(names: Iterable[str]) -> list[str]:
    """All arguments of the workflow as Argo was given them, those too that it does not know."""
    known = ",".join(names)
    given = ["--arguments", f"{g.workflow.parameters:$}", "--labels", f"{g.workflow.labels.json:$}"]
    return [*given, *(["--known", known] if known else [])]


def _paths(mounts: Sequence[Mount]) -> list[str]:
    paths = []
    for mount in mounts:
        if mount in {Mount.BACKUP, Mount.BACKUP_READ_ONLY}:
            paths += ["--backup", BACKUP_PATH]
        elif mount in {Mount.SOURCE, Mount.TARGET}:
            paths += ["--file-storage", FILE_STORAGE_PATH]
        elif mount is Mount.REPLACED:
            paths += ["--replaced", REPLACED_PATH]
        elif mount is Mount.SCRATCH:
            paths += ["--scratch", SCRATCH_PATH]
    return paths


def _mounted_volume(mount: Mount, claim: str) -> Volume:
    if mount in {Mount.BACKUP, Mount.BACKUP_READ_ONLY}:
        return _volume("backup", PersistentVolumeClaimVolumeSource(claim_name=value(claim)))
    if mount is Mount.REPLACED:
        return _volume("replaced", PersistentVolumeClaimVolumeSource(claim_name=value(REPLACED_CLAIM)))
    if mount is Mount.SCRATCH:
        return _volume("scratch", PersistentVolumeClaimVolumeSource(claim_name=value(SCRATCH_CLAIM)))
    read_only = None if mount is Mount.TARGET else True
    return _volume(SYSTEM_STORAGE, PersistentVolumeClaimVolumeSource(claim_name=SYSTEM_STORAGE, read_only=read_only))


def _volume(name: str, claim: PersistentVolumeClaimVolumeSource | None) -> Volume:
    empty = EmptyDirVolumeSource() if claim is None else None
    return Volume(name=name, persistent_volume_claim=claim, empty_dir=empty)


def _secret_volume(name: str) -> Volume:
    """A Secret or none: a pod whose Secret must be there would wait for it in silence."""
    keys = [KeyToPath(key=key, path=key) for key in SECRET_KEYS]
    return Volume(name="secret", secret=SecretVolumeSource(secret_name=name, items=keys, optional=True))


def _mount(mount: Mount) -> VolumeMount:
    if mount in {Mount.BACKUP, Mount.BACKUP_READ_ONLY}:
        read_only = mount is Mount.BACKUP_READ_ONLY or None
        return VolumeMount(name="backup", mount_path=BACKUP_PATH, read_only=read_only)
    if mount is Mount.REPLACED:
        return VolumeMount(name="replaced", mount_path=REPLACED_PATH)
    if mount is Mount.SCRATCH:
        return VolumeMount(name="scratch", mount_path=SCRATCH_PATH)
    read_only = mount is Mount.SOURCE or None
    return VolumeMount(name=SYSTEM_STORAGE, mount_path=FILE_STORAGE_PATH, read_only=read_only)
