"""What the pods of the phases need on a given cluster, in Kubernetes' own words and forms.

A field of one phase replaces that of all phases. Maps (labels, selectors, quantities) are merged by their keys.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from hera.workflows.models import ResourceRequirements
from hera.workflows.models import Toleration as ArgoToleration
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

from steps.contract import values
from steps.contract.value_kinds import Like, OrNothing

_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_DOMAIN = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_KEY = Like(rf"({_DOMAIN}/)?{_NAME}", "not a valid key: write NAME or DOMAIN/NAME")
_FREE_KEY = Like(
    rf"(?!workflows\.argoproj\.io/|threescale-backup/)({_DOMAIN}/)?{_NAME}",
    "not a free key: write NAME or DOMAIN/NAME. Argo and this tool set the keys of workflows.argoproj.io and "
    "threescale-backup themselves",
)
_RESOURCE = Like(
    rf"cpu|memory|ephemeral-storage|hugepages-[0-9]+[KMG]i|{_DOMAIN}/{_NAME}",
    "not a resource: write cpu, memory, ephemeral-storage or DOMAIN/NAME",
)
Text = Annotated[str, Like(r"((?!\{\{)[\s\S])*", "not taken, because Argo would replace '{{'. Leave out the braces")]
ObjectName = Annotated[str, values.OBJECT]
Key = Annotated[str, _KEY]
FreeKey = Annotated[str, _FREE_KEY]
LabelValue = Annotated[str, values.LABEL_VALUE]
Quantities = Mapping[Annotated[str, _RESOURCE], Annotated[str, values.QUANTITY_OF_RESOURCE]]


def present(told: Any) -> Any:
    """Return the fields that have a value."""
    if isinstance(told, Mapping):
        return {name: value for name, value in told.items() if value is not None}
    return told


class Written(BaseModel):
    """A part of the installation's file. Its fields are written in camelCase, as those of Kubernetes."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, alias_generator=to_camel, populate_by_name=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nothing(cls, told: Any) -> Any:
        """Take a field without a value as absent, so that a section may hold comments only."""
        return present(told)


class Resources(Written):
    """Requests and limits of a container."""

    limits: Quantities = {}
    """The most that the container may use, by resource."""
    requests: Quantities = {}
    """What the scheduler reserves for the container, by resource."""

    def over(self, other: "Resources") -> "Resources":
        """Return these quantities, and those of `other` where these have none."""
        return Resources(limits={**other.limits, **self.limits}, requests={**other.requests, **self.requests})

    def as_argo(self) -> ResourceRequirements:
        """Return them as a container of a template has them."""
        return ResourceRequirements.model_validate(self.model_dump(exclude_defaults=True))


class LocalReference(Written):
    """An object of the same namespace."""

    name: ObjectName
    """Name of the object."""


class Toleration(Written):
    """A taint of nodes that a pod tolerates."""

    key: Annotated[str, OrNothing(_KEY)] = ""
    """Key of the taint. If empty, every key is tolerated, and the operator must be `Exists`."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """`Exists` tolerates every value of the key."""
    value: LabelValue = ""
    """Value of the taint."""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""
    """Effect of the taint. If empty, every effect is tolerated."""
    toleration_seconds: Annotated[int, values.SECONDS] | None = None
    """For `NoExecute`: how many seconds a running pod stays on the node."""

    @model_validator(mode="after")
    def _would_kubernetes_take_it(self) -> Self:
        """Refuse what Kubernetes refuses (ValidateTolerations)."""
        if self.operator == "Exists" and self.value:
            raise ValueError("a toleration with the operator Exists has no value. Leave out value, or write Equal")
        if self.operator == "Equal" and not self.key:
            raise ValueError("a toleration without a key tolerates every taint. Write operator: Exists, or add key")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise ValueError("tolerationSeconds is for the effect NoExecute only. Write effect: NoExecute")
        return self


class PodNeeds(Written):
    """What the pods of a phase, or of all phases, need."""

    resources: Resources = Resources()
    """Requests and limits of the container of the phase."""
    executor_resources: Resources = Resources()
    """Requests and limits of Argo's own containers `init` and `wait`, which are in every pod."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """When a node pulls the image of the phases. By default Kubernetes decides by the tag."""
    image_pull_secrets: tuple[LocalReference, ...] = ()
    """Secrets with the credentials of the registry."""
    node_selector: Mapping[Key, LabelValue] = {}
    """Run the pods only on nodes with these labels."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints of nodes that the pods tolerate."""
    priority_class_name: ObjectName | None = None
    """PriorityClass of the pods."""
    labels: Mapping[FreeKey, LabelValue] = {}
    """Further labels of the pods, for instance for a service mesh."""
    annotations: Mapping[FreeKey, Text] = {}
    """Further annotations of the pods."""

    def over(self, other: "PodNeeds") -> "PodNeeds":
        """Return these needs, and those of `other` where these have none."""
        theirs, mine = ({name: getattr(each, name) for name in PodNeeds.model_fields} for each in (other, self))
        return PodNeeds.model_construct(**{name: _merged(mine[name], theirs[name]) for name in mine})

    def patch(self) -> str | None:
        """Return the patch for what a template of Argo has no field for, or None."""
        executor = self.executor_resources.model_dump(exclude_defaults=True)
        patch: dict[str, Any] = {}
        if executor:
            patch["initContainers"] = [{"name": "init", "resources": executor}]
            patch["containers"] = [{"name": "wait", "resources": executor}]
        if self.image_pull_secrets:
            patch["imagePullSecrets"] = [{"name": each.name} for each in self.image_pull_secrets]
        return json.dumps(patch) if patch else None

    def argo_tolerations(self) -> list[ArgoToleration] | None:
        """Return the tolerations as a template has them."""
        told = [each.model_dump(by_alias=True, exclude_defaults=True) for each in self.tolerations]
        return [ArgoToleration.model_validate(each) for each in told] or None


_USUAL = PodNeeds(
    resources=Resources(requests={"cpu": "50m", "memory": "96Mi"}, limits={"memory": "256Mi"}),
)


class Pods(PodNeeds):
    """What all pods need, and what the pods of single phases need besides."""

    fs_group: Annotated[int, values.GROUP] | None = None
    """Let this group own the volumes. OpenShift assigns a group itself, so leave it out there."""
    run_as_user: Annotated[int, values.USER] | None = None
    """Run the phases as this user. OpenShift assigns a user itself, so leave it out there."""
    phases: Mapping[str, PodNeeds] = {}
    """What single phases need, by `WORKFLOW/PHASE`, for instance `backup/file-storage`."""

    @property
    def all_needs(self) -> list[PodNeeds]:
        """What the file says of all pods, and of those of single phases."""
        return [self, *self.phases.values()]

    def of(self, command: Sequence[str], memory: str = "") -> PodNeeds:
        """Return what the pods of a phase need. `memory`: its usual limit, if it is not that of all phases."""
        own = self.phases.get("/".join(command), PodNeeds())
        usual = PodNeeds(resources=Resources(limits={"memory": memory})).over(_USUAL) if memory else _USUAL
        told = own.over(self).over(usual)
        return told.model_copy(update={"image_pull_secrets": own.image_pull_secrets})  # the others are the workflow's


def _merged(mine: Any, theirs: Any) -> Any:
    if isinstance(mine, Resources):
        return mine.over(theirs)
    if isinstance(mine, Mapping):
        return {**theirs, **mine}
    return mine or theirs
