"""The settings that are fixed at rendering, so that a person who submits a workflow can't choose what runs."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from steps.contract import values
from steps.contract.names import INSTANCE_ID, PART_OF, Form, Operation
from steps.contract.value_kinds import Like, OrNothing
from workflows.rendering.pods import FreeKey, LabelValue, ObjectName, Pods, Text, Written

Namespace = Annotated[str, values.NAMESPACE]
Image = Annotated[str, values.IMAGE]
Strategy = Literal["OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"]
MEMORY = "2Gi"  # of restic: 1,000,000 files
_GO_DURATION = Like(
    r"([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h))+", "not a duration of Argo: write for instance 10m or 1h30m"
)


class Account(Written):
    """The service account of a workflow."""

    name: ObjectName | None = None
    """Name of the service account. By default it has the name of the workflow."""
    annotations: Mapping[FreeKey, Text] = Field(default_factory=dict)
    """Annotations of the service account, for instance for the identity at a cloud provider."""


class PodCollection(Written):
    """When Argo deletes the pods of a workflow. An ended pod still prevents the deletion of its claims."""

    strategy: Strategy = "OnPodCompletion"
    """Which pods are deleted, and after which event."""
    delete_delay_duration: Annotated[str, _GO_DURATION] = "10m"
    """How long after that event. Until then people can read the log of the pod."""


class Argo(Written):
    """What Argo's controller of this cluster asks of workflows."""

    namespace: Namespace = "argo"
    """Namespace of Argo's controller. The commands `doctor` and `init` ask there for its settings."""
    instance_id: LabelValue = Field(default="", alias="instanceID")
    """The `instanceID` of the controller that runs the workflows. A controller with one ignores all others."""
    parallelism: Annotated[int, values.PODS] | None = None
    """Run at most this many pods of a workflow at the same time."""
    pod_gc: PodCollection = Field(default=PodCollection(), alias="podGC")
    """When the pods of a workflow are deleted."""

    @property
    def labels(self) -> dict[str, str]:
        """The label by which a controller with an `instanceID` knows its objects."""
        return {INSTANCE_ID: self.instance_id} if self.instance_id else {}


class Settings(BaseModel):
    """The settings of one installation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: Image
    namespace: Namespace | None = None
    secrets: tuple[ObjectName, ...] = ()  # names from an APIManager, for the Roles
    configmaps: tuple[ObjectName, ...] = ()
    all_secrets: bool = False  # instead of names
    drill_namespace: Namespace | None = None  # for its Role
    look_s: float = Field(default=5.0, ge=0, le=3600)  # between two checks of the operator's progress
    notify_secret: ObjectName | None = None  # its key `url` is the address for results
    notify_form: Form = "webhook"
    repositories: tuple[ObjectName, ...] = ()  # Secrets, two at most
    prune_repositories: tuple[ObjectName, ...] = ()  # Secrets whose credentials may delete; empty: the same ones
    credentials: tuple[ObjectName, ...] = ()  # mounted instead of `repositories`, whose names they get
    repository_claim: ObjectName | None = None
    push: Literal["required", "best-effort", "no"] = "required"  # the default of a backup where there are repositories
    memory: Annotated[str, values.QUANTITY_OF_RESOURCE] = MEMORY  # of the pods that run restic
    database_image: Image | None = None  # with the clients of the databases; None: no database is copied
    databases: Annotated[str, values.DATABASES] = "all"  # which a scheduled backup copies
    database_credentials: Annotated[str, OrNothing(values.SECRET)] = ""
    pods: Pods = Pods()
    accounts: Mapping[Operation, Account] = Field(default_factory=dict)
    argo: Argo = Argo()

    @property
    def for_pruning(self) -> "Settings":
        """The same, with the credentials that may delete from the repositories."""
        return self.model_copy(update={"credentials": self.prune_repositories})

    def account(self, workflow: str) -> str:
        """Return the name of the service account of a workflow."""
        return self._account(workflow).name or workflow

    def annotations(self, workflow: str) -> dict[str, str]:
        """Return the annotations of the service account of a workflow."""
        return dict(self._account(workflow).annotations)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the objects that Argo's controller reads."""
        return {**PART_OF, **self.argo.labels}

    def _account(self, workflow: str) -> Account:
        named = {f"threescale-{operation}": account for operation, account in self.accounts.items()}
        return named.get(workflow, Account())
