"""What is installed of this tool, compared with what the file asks for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from steps import errors
from steps.contract.names import PART_OF_SELECTOR
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import (
    CONFIGMAP,
    CRON_WORKFLOW,
    PROMETHEUS_RULE,
    ROLE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
    WORKFLOW_TEMPLATE,
    Kind,
)
from workflows.configuration.installation import Installation
from workflows.doctor import likeness
from workflows.doctor.finding import Examination, Finding, Patient, State, refused
from workflows.monitoring import dashboard
from workflows.rendering.document import Manifest

_RIGHTS = (ROLE_BINDING, ROLE)
_LISTED = (CRON_WORKFLOW, WORKFLOW_TEMPLATE, PROMETHEUS_RULE, *_RIGHTS, SERVICE_ACCOUNT)
_KINDS = {(kind.api_version, kind.name): kind for kind in (*_LISTED, CONFIGMAP)}
_SHOWN = 3  # parts of an object that a line names
_WHAT = "Installed objects"


class Place(NamedTuple):
    """Where an object of this tool is or should be."""

    kind: Kind
    name: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.name}"

    @property
    def deletion(self) -> str:
        """The command that deletes the object."""
        return f"kubectl delete {self.kind.name.lower()} {self.name} -n {self.namespace}"


class _Compared(NamedTuple):
    """Rendered objects by how they are in the cluster. `stale` names the parts that differ."""

    missing: list[Place]
    stale: list[str]
    same: list[Place]
    refusals: list[errors.NotAllowed]


def current(patient: Patient) -> Iterator[Finding]:
    """Installed objects: they are compared with what the file renders."""
    if patient.installation is None:
        told = "Without a file it is not known what should be installed."
        yield Finding(State.NOT_TRIED, _WHAT, told, "Use doctor -f FILE.")
        return
    seen = _compared(patient, _rendered(patient))
    if seen.missing:
        yield Finding(State.ERROR, _WHAT, f"These are missing: {_listed(seen.missing)}.", patient.apply)
    if seen.stale:
        yield Finding(State.WARNING, _WHAT, f"These are not as the file asks: {', '.join(seen.stale)}.", patient.apply)
    if seen.same:
        yield Finding(State.OK, _WHAT, f"{len(seen.same)} objects are as the file asks.")
    if seen.refusals:
        yield refused(_WHAT, seen.refusals)


def _compared(patient: Patient, rendered: Mapping[Place, Manifest]) -> _Compared:
    """Compare each rendered object with the one in the cluster."""
    seen = _Compared([], [], [], [])
    for place, manifest in rendered.items():
        try:
            real = patient.at(place.namespace).get(place.kind, place.name)
        except errors.NotAllowed as error:
            seen.refusals.append(error)
            continue
        if real is None:
            seen.missing.append(place)
        elif paths := [*likeness.differences(manifest, real)]:
            more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
            seen.stale.append(f"{place} ({', '.join(paths[:_SHOWN])}{more})")
        else:
            seen.same.append(place)
    return seen


def alerts(patient: Patient) -> Iterator[Finding]:
    """Alerts: the kind PrometheusRule exists if they are asked for."""
    asked = patient.installation is not None and patient.installation.monitoring.enabled
    if asked and not patient.cluster.serves(PROMETHEUS_RULE):
        told = "The cluster has no kind PrometheusRule of monitoring.coreos.com/v1, and monitoring.enabled asks for it."
        remedy = f"Install the Prometheus operator, or set monitoring.enabled to false in {patient.file}."
        yield Finding(State.ERROR, "Alerts", told, remedy)


def left_over(patient: Patient) -> Iterator[Finding]:
    """Left-over objects: they are of this tool, and no longer rendered."""
    if patient.installation is None:
        return
    what, rendered, refusals, found = "Left-over objects", _rendered(patient), [], []
    for kind, namespace in _places(patient, patient.installation):
        try:
            found += _of_ours(patient.at(namespace), kind)
        except errors.NotAllowed as error:
            refusals.append(error)
    left = [place for place in found if place not in rendered]
    if left:
        told = f"The file no longer asks for {_listed(left)}."
        yield Finding(State.WARNING, what, told, "; ".join(place.deletion for place in left))
    if refusals:
        yield refused(what, refusals)
    if not left and not refusals:
        yield Finding(State.OK, what, "There are none.")


def _listed(places: Sequence[Place]) -> str:
    """Name objects, those of a kind after each other."""
    kinds = dict.fromkeys(place.kind for place in places)
    names = {kind.name: [place.name for place in places if place.kind == kind] for kind in kinds}
    return ", ".join(f"{kind} {', '.join(each)}" for kind, each in names.items())


def _rendered(patient: Patient) -> dict[Place, Manifest]:
    """Return what the file renders, by its place."""
    found = {}
    for manifest in patient.rendered:
        metadata = manifest["metadata"]
        kind = _KINDS[manifest["apiVersion"], manifest["kind"]]
        found[Place(kind, metadata["name"], metadata.get("namespace") or patient.namespace)] = manifest
    return found


def _places(patient: Patient, installation: Installation) -> list[tuple[Kind, str]]:
    """Return the kinds and namespaces in which objects of this tool may be."""
    scratch = installation.drill.namespace
    places = [(kind, patient.namespace) for kind in (*_LISTED, CONFIGMAP)]
    return [*places, *((kind, scratch) for kind in _RIGHTS if scratch and scratch != patient.namespace)]


def _of_ours(cluster: Cluster, kind: Kind) -> list[Place]:
    """Return the objects of a kind that were rendered once. Of ConfigMaps, only the dashboard: others are evidence."""
    if kind == CONFIGMAP:
        names = [dashboard.NAME] if cluster.get(kind, dashboard.NAME) else []
    else:
        try:
            names = [each["metadata"]["name"] for each in cluster.heads(kind, PART_OF_SELECTOR)]
        except errors.UnknownResource:
            names = []
    return [Place(kind, name, cluster.namespace) for name in names]


EXAMINATIONS: tuple[Examination, ...] = (current, alerts, left_over)
