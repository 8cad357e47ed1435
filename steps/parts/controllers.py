"""Marks of other controllers on an object. They mean one cluster only, or one object in it.

A backup keeps each mark, because its files hold an object as it was. A restore drops those that tie the object to
another object which did not come along: with them, a controller would delete the object, refuse it or believe it is
up to date. It keeps those by which a controller or a person recognizes the object. A plan warns where a controller may
write the object too.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

from steps.kubernetes import fields
from steps.parts import gitops


class Fate(Enum):
    """What a restore does with a mark."""

    DROPPED = "dropped"
    KEPT = "kept"


class Row(NamedTuple):
    """Marks of one controller: labels and annotations by the start of their names, and the kind of an owner.

    `warns` is what a plan says of an object with one of them; empty: nothing. `source` is where the marks are defined.
    """

    controller: str
    marks: tuple[str, ...]
    fate: Fate
    warns: str
    source: str
    owner: str = ""  # KIND.GROUP; owner references are never saved


_OVERWRITES = "writes this object and may overwrite it"
_FROM_ITS_STORE = f"{_OVERWRITES} from its store"

TABLE = (
    Row(
        "Argo CD",
        (gitops.ARGO_CD,),
        Fate.KEPT,
        gitops.MANAGES,
        "argo-cd.readthedocs.io, user-guide/resource_tracking",
    ),
    Row(
        "Flux",
        tuple(prefix for prefix, _ in gitops.FLUX),
        Fate.KEPT,
        gitops.MANAGES,
        "fluxcd.io, kustomize-controller and helm-controller",
    ),
    Row(
        "external-secrets operator",
        ("reconcile.external-secrets.io/",),  # a hash of the data, and of the ExternalSecret
        Fate.DROPPED,
        _FROM_ITS_STORE,
        "external-secrets, apis/externalsecrets/v1/externalsecret_types.go",
        "ExternalSecret.external-secrets.io",
    ),
    Row(
        "Vault Secrets Operator",
        ("secrets.hashicorp.com/",),  # the uid of the owner; it deletes such a Secret whose owner is gone
        Fate.DROPPED,
        _FROM_ITS_STORE,
        "vault-secrets-operator, helpers/secrets.go",
    ),
    Row(
        "Secrets Store CSI driver",
        ("secrets-store.csi.k8s.io/",),  # deletes such a Secret when no pod uses it
        Fate.DROPPED,
        "writes this object while a pod mounts its store",
        "secrets-store-csi-driver.sigs.k8s.io, topics/sync-as-kubernetes-secret",
    ),
    Row(
        "sealed-secrets",
        ("sealedsecrets.bitnami.com/managed", "sealedsecrets.bitnami.com/patch"),  # a person allows it to take over
        Fate.KEPT,
        f"{_OVERWRITES} from a SealedSecret",
        "bitnami-labs/sealed-secrets, README, Managing existing secrets",
        "SealedSecret.bitnami.com",
    ),
    Row(
        "cert-manager",
        ("cert-manager.io/certificate-name", "cert-manager.io/issuer-"),  # with them it issues no second certificate
        Fate.KEPT,
        "renews this object only if its Certificate exists here",
        "cert-manager.io, docs/devops-tips/backup",
        "Certificate.cert-manager.io",
    ),
    Row(
        "OpenShift service CA",
        (
            "service.beta.openshift.io/originating-service-",
            "service.alpha.openshift.io/originating-service-",
            "service.beta.openshift.io/expiry",
            "service.alpha.openshift.io/expiry",
        ),  # the uid of a Service
        Fate.DROPPED,
        "issued this certificate for a Service of one cluster and does not renew a restored one. Delete the restored "
        "Secret where that Service exists, to get a new one",
        "openshift/service-ca-operator, pkg/controller/api/api.go",
    ),
    Row(
        "OpenShift service CA",
        ("service.beta.openshift.io/inject-cabundle", "service.alpha.openshift.io/inject-cabundle"),
        Fate.KEPT,
        "writes the CA of its cluster into this object",
        "openshift/service-ca-operator, pkg/controller/api/api.go",
    ),
    Row(
        "OpenShift network operator",
        ("config.openshift.io/inject-trusted-cabundle",),
        Fate.KEPT,
        "writes the trusted CAs of its cluster into this object",
        "docs.openshift.com, networking, configuring a custom PKI",
    ),
    Row(
        "Helm",
        ("meta.helm.sh/",),  # without them, a later `helm upgrade` refuses the object
        Fate.KEPT,
        "may overwrite this object with the next upgrade of its release",
        "helm, pkg/action/validate.go",
    ),
    Row(
        "OLM",
        ("olm.", "operators.coreos.com/"),  # it collects objects whose owner is gone
        Fate.DROPPED,
        "made this object for an operator and may make it again",
        "operator-framework/operator-lifecycle-manager, pkg/lib/ownerutil/util.go",
        "ClusterServiceVersion.operators.coreos.com",
    ),
    Row(
        "Velero",
        ("velero.io/backup-name", "velero.io/restore-name"),  # an earlier restore, by their names
        Fate.DROPPED,
        "",
        "velero.io, docs, restore reference",
    ),
)

_DROPPED = tuple(mark for row in TABLE if row.fate is Fate.DROPPED for mark in row.marks)


def without(obj: dict[str, Any]) -> dict[str, Any]:
    """The object without the marks that a restore drops. The object itself stays unchanged."""
    metadata = dict(obj["metadata"])
    for part in ("labels", "annotations"):
        texts = metadata.pop(part, None) or {}
        if kept := {name: value for name, value in texts.items() if not name.startswith(_DROPPED)}:
            metadata[part] = kept
    return {**obj, "metadata": metadata}


def warnings(obj: dict[str, Any]) -> Iterator[str]:
    """Yield what a plan warns of, a clause for each controller that marks the object."""
    if owner := gitops.owner(obj):
        yield gitops.warning(owner)
    names = [*(obj["metadata"].get("labels") or {}), *(obj["metadata"].get("annotations") or {})]
    owners = {f"{each.get('kind')}.{fields.group(each)}" for each in fields.owners(obj)}
    for row in TABLE:
        if row.warns == gitops.MANAGES:  # `gitops.owner` looks closer, because people copy these marks
            continue
        if row.warns and (row.owner in owners or any(name.startswith(row.marks) for name in names)):
            yield f"{row.controller} {row.warns}"
