"""The rendered YAML, one resource a file, reviewed like code. `RECORD_GOLDEN=1` writes it anew."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from steps.contract.prune_contract import PruneArguments
from tests import documents
from workflows.manifests import render
from workflows.monitoring.alerts import Thresholds
from workflows.rendering.document import file_name, to_yaml
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
PLAIN = render(Settings(image=IMAGE), cron="0 2 * * *", timezone="Europe/Madrid", proofs=PROOFS)
WITH_USERS = render(
    Settings(image=IMAGE, namespace="api", fs_group=2000, run_as_user=1234, drill_namespace="threescale-drills")
)
ALARM = render(
    Settings(image=IMAGE, namespace="api", notify_secret=NOTIFIED, notify_form="slack"),
    "0 2 * * *",
    watch_cron="17 * * * *",
    thresholds=Thresholds(
        expected_every=timedelta(hours=26), verified_every=timedelta(days=8), proven_every=timedelta(days=35)
    ),
)
OF_ALARM = {"threescale-watchdog", "threescale-watchdog-schedule", "threescale-backup-dashboard"}
CASES = [(file_name(manifest), manifest) for manifest in PLAIN]
CASES += [(f"with-users-{file_name(manifest)}", manifest) for manifest in WITH_USERS]
CASES += [
    (f"alarm-{file_name(manifest)}", manifest)
    for manifest in ALARM
    if manifest["metadata"]["name"] in OF_ALARM or manifest["kind"] == "PrometheusRule"
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
