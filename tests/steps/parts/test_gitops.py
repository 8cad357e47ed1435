import pytest

from steps.parts import gitops


def secret(*, labels=None, annotations=None, **metadata):
    named = {"name": "system-smtp", "namespace": "threescale", **metadata}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {**named, "labels": labels, "annotations": annotations}}


def apimanager(tracking_id):
    metadata = {"name": "example", "annotations": {"argocd.argoproj.io/tracking-id": tracking_id}}
    return {"apiVersion": "apps.3scale.net/v1alpha1", "kind": "APIManager", "metadata": metadata}


def tracked(tracking_id, **more):
    return secret(annotations={"argocd.argoproj.io/tracking-id": tracking_id}, **more)


@pytest.mark.parametrize(
    ("obj", "owner"),
    [
        (tracked("infra:/Secret:threescale/system-smtp"), "Argo CD (Application infra)"),
        (tracked("argo_infra:/Secret:threescale/system-smtp"), "Argo CD (Application argo_infra)"),
        (apimanager("infra:apps.3scale.net/APIManager:threescale/example"), "Argo CD (Application infra)"),
        (secret(labels={"argocd.argoproj.io/instance": "infra"}), "Argo CD (Application infra)"),
        (secret(annotations={"argocd.argoproj.io/instance": "infra"}), "Argo CD (Application infra)"),
        (
            secret(labels={"app.kubernetes.io/instance": "infra"}, annotations={"argocd.argoproj.io/sync-wave": "1"}),
            "Argo CD (Application infra)",
        ),
        (
            secret(
                labels={"app.kubernetes.io/instance": "infra"},
                managedFields=[{"manager": "kubectl"}, {"manager": "argocd-controller"}],
            ),
            "Argo CD (Application infra)",
        ),
        (
            secret(
                labels={
                    "kustomize.toolkit.fluxcd.io/name": "infra",
                    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
                }
            ),
            "Flux (Kustomization flux-system/infra)",
        ),
        (secret(labels={"kustomize.toolkit.fluxcd.io/name": "infra"}), "Flux (Kustomization infra)"),
        (
            secret(labels={"helm.toolkit.fluxcd.io/name": "infra", "helm.toolkit.fluxcd.io/namespace": "flux-system"}),
            "Flux (HelmRelease flux-system/infra)",
        ),
    ],
)
def test_a_controller_is_named_with_what_in_it_holds_the_object(obj, owner):
    assert gitops.owner(obj) == owner


@pytest.mark.parametrize(
    "obj",
    [
        secret(),
        secret(labels={}, annotations={}),
        secret(labels={"app": "3scale-api-management", "threescale_component": "system"}),
        secret(labels={"app.kubernetes.io/instance": "a-chart-s-own", "app.kubernetes.io/managed-by": "Helm"}),
        secret(labels={"app.kubernetes.io/instance": "a-chart-s-own"}, managedFields=[{"manager": "helm"}]),
        secret(annotations={"argocd.argoproj.io/sync-options": "Prune=false"}),
        secret(labels={"kustomize.toolkit.fluxcd.io/namespace": "flux-system"}),
        secret(annotations={"kustomize.toolkit.fluxcd.io/name": "infra"}),
    ],
    ids=str,
)
def test_other_labels_and_annotations_name_none(obj):
    assert gitops.owner(obj) == ""


@pytest.mark.parametrize(
    "tracking_id",
    [
        "infra:/Secret:threescale/another",
        "infra:/Secret:elsewhere/system-smtp",
        "infra:/ConfigMap:threescale/system-smtp",
        "infra:example.com/Secret:threescale/system-smtp",
        "infra",
        ":/Secret:threescale/system-smtp",
    ],
)
def test_the_tracking_of_another_object_that_was_copied_along_names_none(tracking_id):
    assert gitops.owner(tracked(tracking_id)) == ""
    copied = {"app.kubernetes.io/instance": "infra"}
    assert gitops.owner(tracked(tracking_id, labels=copied)) == ""


def test_a_saved_object_which_has_no_namespace_is_known_by_the_rest():
    tracking_id = "infra:/Secret:threescale/system-smtp"

    assert gitops.owner(tracked(tracking_id, namespace="")) == "Argo CD (Application infra)"
    assert gitops.owner(tracked(tracking_id, name="another", namespace="")) == ""
