import copy

import pytest

from steps.archive import contents, layout
from steps.kubernetes.kinds import SECRET
from steps.parts import controllers, objects
from steps.parts.controllers import TABLE, Fate
from steps.plans import restore_plan
from steps.plans.plan import Does
from tests.builders import phases
from tests.builders.objects import patch
from tests.builders.saved import MARK
from workflows.rehearsal.threescale import installation as threescale

NAME = "system-smtp"
ESO = {
    "labels": {"reconcile.external-secrets.io/managed": "true", "reconcile.external-secrets.io/created-by": "hash"},
    "annotations": {"reconcile.external-secrets.io/data-hash": "hash"},
}
OF_ESO = "external-secrets operator writes this object and may overwrite it from its store"
CERTIFICATE = {"cert-manager.io/certificate-name": "gateway", "cert-manager.io/issuer-name": "ours"}
SERVING = {
    "service.beta.openshift.io/expiry": "2027-01-01T00:00:00Z",
    "service.beta.openshift.io/originating-service-name": "gateway",
    "service.beta.openshift.io/originating-service-uid": "u",
}


def secret(*, labels=None, annotations=None, owners=None):
    metadata = {"name": NAME, "labels": labels, "annotations": annotations, "ownerReferences": owners}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {}}


def owner(kind, api):
    return {"apiVersion": api, "kind": kind, "name": "some", "uid": "u", "controller": True}


@pytest.mark.parametrize(
    ("obj", "warning"),
    [
        (secret(**ESO), OF_ESO),
        (secret(owners=[owner("ExternalSecret", "external-secrets.io/v1")]), OF_ESO),
        (secret(labels={"secrets.hashicorp.com/vso-ownerRefUID": "u"}), "Vault Secrets Operator writes"),
        (secret(labels={"secrets-store.csi.k8s.io/managed": "true"}), "Secrets Store CSI driver writes"),
        (secret(annotations={"sealedsecrets.bitnami.com/managed": "true"}), "sealed-secrets writes"),
        (secret(owners=[owner("SealedSecret", "bitnami.com/v1alpha1")]), "sealed-secrets writes"),
        (secret(annotations=CERTIFICATE), "cert-manager renews this object only if"),
        (secret(annotations=SERVING), "OpenShift service CA issued this certificate for a Service of one cluster"),
        (secret(annotations={"service.beta.openshift.io/inject-cabundle": "true"}), "OpenShift service CA writes the"),
        (secret(labels={"config.openshift.io/inject-trusted-cabundle": "true"}), "OpenShift network operator writes"),
        (secret(annotations={"meta.helm.sh/release-name": "infra"}), "Helm may overwrite this object"),
        (secret(labels={"olm.managed": "true", "olm.owner": "threescale.v1"}), "OLM made this object"),
        (
            secret(labels={"kustomize.toolkit.fluxcd.io/name": "infra"}),
            "Flux (Kustomization infra) manages this object and may overwrite it from its repository",
        ),
    ],
    ids=str,
)
def test_a_controller_that_may_write_an_object_is_warned_of_once(obj, warning):
    (found,) = controllers.warnings(obj)

    assert found.startswith(warning)


@pytest.mark.parametrize(
    "obj",
    [
        secret(),
        secret(labels={"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "infra"}),
        secret(labels={"velero.io/restore-name": "yesterday"}),
        secret(annotations={"cert-manager.io/allow-direct-injection": "true"}),
        secret(owners=[owner("ExternalSecret", "example.com/v1"), owner("APIManager", "apps.3scale.net/v1alpha1")]),
        secret(labels={"app": "3scale-api-management", "threescale_component": "system"}),
    ],
    ids=str,
)
def test_nobody_is_warned_of_without_a_mark(obj):
    assert list(controllers.warnings(obj)) == []


def test_each_row_says_where_its_marks_are_defined_and_what_happens():
    assert all(row.source and row.marks for row in TABLE)
    assert not [mark for row in TABLE for mark in row.marks if "threescale" in mark or "3scale" in mark]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.controller} {row.fate.value}")
@pytest.mark.parametrize("part", ["labels", "annotations"])
def test_a_restore_drops_or_keeps_marks_as_the_table_says(row, part):
    theirs = {f"{mark}x" if mark.endswith(("/", "-", ".")) else mark: "some" for mark in row.marks}
    obj = secret(**{part: {"example.test/own": "kept", **theirs}})
    before = copy.deepcopy(obj)

    restored = objects.marked(obj, MARK)["metadata"][part]

    assert restored["example.test/own"] == "kept"
    assert {name: restored[name] for name in theirs if name in restored} == (theirs if row.fate is Fate.KEPT else {})
    assert objects.clean(obj)["metadata"][part] == {"example.test/own": "kept", **theirs}
    assert obj == before


def test_a_secret_of_an_external_store_is_saved_as_it_was_and_restored_without_its_marks(installed, tmp_path):
    patch(installed, "secrets", NAME, {"metadata": ESO})
    phases.backup(installed, tmp_path / "nightly")
    opened = contents.open_at(tmp_path / "nightly", "nightly")
    installed.lose()
    threescale.give_database_secrets(installed.kubernetes, installed.namespace)

    plan = restore_plan.of(installed.connect(), opened, restore_plan.RestoreWishes(), last_try=True).plan
    phases.restore(installed, tmp_path / "nightly")

    saved = opened.read(f"{layout.SECRETS}/{NAME}.json")["metadata"]
    restored = installed.get(SECRET.resource, NAME)["metadata"]
    marks = {*ESO["labels"], *ESO["annotations"]}
    assert marks <= {*saved["labels"], *saved["annotations"]}
    assert not marks & {*restored.get("labels", {}), *restored["annotations"]}
    assert [(line.what, line.how) for line in plan.lines if line.does is Does.WARNING] == [(f"Secret {NAME}", OF_ESO)]
