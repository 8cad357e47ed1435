"""An API server that knows Argo's full types accepts what is rendered: nothing is applied, each field is judged."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.crons import BY_NIGHT
from tests.live import definitions
from tests.live.kubernetes import Kubernetes, Object, Refused
from tests.live.stage import Stage
from workflows.configuration.reading import of_file
from workflows.manifests import of, render
from workflows.rendering.pods import Pods

pytestmark = pytest.mark.cluster
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@pytest.fixture(scope="module")
def with_argos_kinds(kubernetes: Kubernetes) -> Iterator[None]:
    """Argo's kinds as the cluster has them, else from their full definitions beside the checkout."""
    served = {group["name"] for group in kubernetes.call("GET", "/apis")["groups"]}
    missing = [] if "argoproj.io" in served else definitions.genuine("argo-4.1.2")
    if "argoproj.io" not in served and not missing:
        pytest.skip("the cluster has no Argo, and Argo's definitions are not beside the checkout")
    with definitions.present(kubernetes, missing):
        if not definitions.lists_fields(kubernetes, "workflowtemplates.argoproj.io"):
            pytest.skip("the cluster has Argo's minimal definitions, which take any field")
        yield


def dry_run(live: Stage, manifest: Object) -> None:
    manifest = copy.deepcopy(manifest)
    manifest["metadata"]["name"] += "-dry"
    live.kubernetes.dry_run(manifest)


def manifests(live: Stage) -> list[Object]:
    settings = live.settings.model_copy(update={"pods": Pods(fs_group=1000, run_as_user=1000)})
    return render(settings, [BY_NIGHT], timezone="Europe/Madrid")


@pytest.mark.usefixtures("with_argos_kinds")
def test_everything_rendered_is_accepted_field_by_field(live: Stage) -> None:
    accepted = []
    for manifest in manifests(live):
        dry_run(live, manifest)
        accepted.append(manifest["kind"])

    assert {"WorkflowTemplate", "CronWorkflow", "Role", "RoleBinding", "ServiceAccount"} == set(accepted)


@pytest.mark.usefixtures("with_argos_kinds")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_accepted_field_by_field(live: Stage, example: Path) -> None:
    rendered = of(of_file(example.name, example.read_text(), {}).installation())
    judged = [each for each in rendered if each["kind"] != "PrometheusRule"]  # the cluster has no such kind

    for manifest in judged:
        manifest["metadata"]["namespace"] = live.namespace
        dry_run(live, manifest)

    assert len(judged) > 15


@pytest.mark.usefixtures("with_argos_kinds")
def test_a_field_that_argo_does_not_know_is_refused(live: Stage) -> None:
    (template, *_) = (manifest for manifest in manifests(live) if manifest["kind"] == "WorkflowTemplate")
    template["spec"]["serviceAcountName"] = "x"

    with pytest.raises(Refused, match="serviceAcountName"):
        dry_run(live, template)
