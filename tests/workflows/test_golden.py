"""The rendered YAML, one resource a file, reviewed like code. `RECORD_GOLDEN=1` writes it anew."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from steps.contract.prune_contract import PruneArguments
from tests import documents
from tests.builders.crons import BY_NIGHT, WATCHED_BY_NIGHT
from workflows.manifests import render
from workflows.monitoring.alerts import Thresholds
from workflows.rendering.document import file_name, to_yaml
from workflows.rendering.pods import Pods
from workflows.rendering.settings import Settings
from workflows.schedule import Cron

GOLDEN = Path(__file__).parents[1] / "golden"
IMAGE = "registry.example.com/threescale-backup@sha256:" + "0" * 64

NOTIFIED = "backup-notification"

RULES = PruneArguments.model_validate({"keep-daily": "7", "keep-weekly": "4", "timezone": "Europe/Madrid"})
WITH_RULES = render(Settings(image=IMAGE), rules=RULES)
PROOFS = [
    Cron("verify", "0 4 * * *", {"sample": "10%"}),
    Cron("drill", "0 5 * * 0", {"scratch-namespace": "threescale-drills"}),
]
PLAIN = render(Settings(image=IMAGE), [BY_NIGHT, *PROOFS], timezone="Europe/Madrid")
WITH_USERS = render(
    Settings(
        image=IMAGE,
        namespace="api",
        pods=Pods(fs_group=2000, run_as_user=1234),
        drill_namespace="threescale-drills",
    )
)
ALARM = render(
    Settings(image=IMAGE, namespace="api", notify_secret=NOTIFIED, notify_form="slack"),
    [BY_NIGHT, WATCHED_BY_NIGHT],
    thresholds=Thresholds(
        expected_every=timedelta(hours=26), verified_every=timedelta(days=8), proven_every=timedelta(days=35)
    ),
)
# Every field of a pod and of Argo that a cluster may need, for all phases and for one.
NEEDS = {
    "resources": {"limits": {"cpu": "500m"}},
    "executorResources": {"requests": {"cpu": "10m"}, "limits": {"cpu": "100m", "memory": "128Mi"}},
    "imagePullPolicy": "IfNotPresent",
    "imagePullSecrets": [{"name": "my-registry"}],
    "nodeSelector": {"node-role.kubernetes.io/infra": ""},
    "tolerations": [{"key": "node-role.kubernetes.io/infra", "operator": "Exists", "effect": "NoSchedule"}],
    "priorityClassName": "backups",
    "labels": {"sidecar.istio.io/inject": "false"},
    "annotations": {"linkerd.io/inject": "disabled"},
    "phases": {
        "backup/seal": {
            "resources": {"limits": {"cpu": "2", "memory": "1Gi"}},
            "imagePullSecrets": [{"name": "of-the-seal"}],
            "nodeSelector": {"disk": "fast"},
            "labels": {"sidecar.istio.io/inject": "true"},
        }
    },
}
WITH_NEEDS = render(
    Settings.model_validate(
        {
            "image": IMAGE,
            "namespace": "api",
            "pods": NEEDS,
            "argo": {
                "instanceID": "ours",
                "parallelism": 3,
                "podGC": {"strategy": "OnPodSuccess", "deleteDelayDuration": "1h"},
            },
            "accounts": {"backup": {"name": "saver", "annotations": {"iam.gke.io/gcp-service-account": "backup"}}},
        }
    ),
    [BY_NIGHT],
)
WITH_REPOSITORIES = render(
    Settings(image=IMAGE, namespace="api", repositories=("at-our-provider", "elsewhere"), repository_claim="copies")
)
OF_REPOSITORIES = {"threescale-backup", "threescale-push", "threescale-fetch"}
OF_NEEDS = {"saver", "threescale-backup", "threescale-backup-schedule"}
OF_ALARM = {"threescale-watchdog", "threescale-watchdog-schedule", "threescale-backup-dashboard"}
CASES = [(file_name(manifest), manifest) for manifest in PLAIN]
CASES += [(f"with-users-{file_name(manifest)}", manifest) for manifest in WITH_USERS]
CASES += [
    (f"alarm-{file_name(manifest)}", manifest)
    for manifest in ALARM
    if manifest["metadata"]["name"] in OF_ALARM or manifest["kind"] == "PrometheusRule"
]
CASES += [
    (f"with-needs-{file_name(manifest)}", manifest)
    for manifest in WITH_NEEDS
    if manifest["metadata"]["name"] in OF_NEEDS and manifest["kind"] != "Role"
]
CASES += [
    (f"with-repositories-{file_name(manifest)}", manifest)
    for manifest in WITH_REPOSITORIES
    if manifest["metadata"]["name"] in OF_REPOSITORIES
]
CASES += [
    (f"with-rules-{file_name(manifest)}", manifest)
    for manifest in WITH_RULES
    if manifest["kind"] == "WorkflowTemplate" and manifest["metadata"]["name"] != "threescale-restore"
]


@pytest.mark.parametrize(("name", "manifest"), CASES, ids=[name for name, _ in CASES])
def test_what_is_rendered_is_what_was_reviewed(name: str, manifest: dict[str, object]) -> None:
    path = GOLDEN / name
    if os.environ.get("RECORD_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(to_yaml(manifest))

    assert to_yaml(manifest) == path.read_text()


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {name for name, _ in CASES}


def test_a_stream_reads_back_as_it_was_rendered() -> None:
    stream = "---\n".join(to_yaml(manifest) for manifest in PLAIN)

    assert documents.read(stream) == PLAIN
