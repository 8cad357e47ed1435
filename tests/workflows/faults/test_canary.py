"""No value of a Secret leaves the volume's object files, whether a run ends well or not.

Each Secret of the sample holds a canary. It is looked for, raw and in base64, in all that people and Argo can read of a
run: logs, messages, outputs, the Workflow, events, pods, claims, and what lies on the volume beside the objects.
"""

import base64
import json

import pytest

from steps.archive import layout
from steps.contract import names
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS
from workflows.rehearsal.threescale import installation as threescale

CANARY = "canary-in-a-coal-mine"
SHORTEST = 9  # shorter values are words such as `admin`
READ_BY_PEOPLE = ("events", "persistentvolumeclaims", "pods", "workflows", "workflowtaskresults")
OBJECTS = (layout.SECRETS, layout.CONFIGMAPS, layout.REFERENCED, "apimanager", layout.TREE)
EVIDENCE = (names.BACKUP_RESULTS, names.RESTORE_RESULTS)
RESTORE = "threescale-restore"
BACKUP = "threescale-backup"


def needles(stage) -> set[str]:
    """All that must not be found: the canary, however it goes on, and each longer value, raw and in base64."""
    data = [value for obj in stage.kubernetes.list("secrets", stage.namespace) for value in obj["data"].values()]
    raw = {base64.b64decode(value).decode() for value in data}
    encoded = {base64.b64encode(value.encode()).decode() for value in raw}
    return {text for text in {*raw, *encoded, CANARY, _beginning(CANARY)} if len(text) >= SHORTEST}


def _beginning(text) -> str:
    """What the base64 of anything begins with that begins with this text."""
    whole = text.encode()[: len(text) // 3 * 3]
    return base64.b64encode(whole).decode()


def left_behind(stage, workflows, claim) -> dict[str, str]:
    """All that a run leaves outside the object files, by its place."""
    root = stage.engine.volume(claim)
    files = {path for path in root.rglob("*") if path.is_file() and path.relative_to(root).parts[0] not in OBJECTS}
    return {
        **{f"{workflow.name}: log of {n.name}": n.log for workflow in workflows for n in workflow.nodes},
        **{workflow.name: repr(workflow) for workflow in workflows},
        **{name: json.dumps(stage.get("configmaps", name)) for name in EVIDENCE},
        **{resource: json.dumps(stage.kubernetes.list(resource, stage.namespace)) for resource in READ_BY_PEOPLE},
        **{str(path.relative_to(root)): path.read_text() for path in files},
    }


def leaks(wanted, places) -> list[str]:
    return sorted(place for place, text in places.items() if any(needle in text for needle in wanted))


@pytest.fixture
def mine(empty):
    """An installation full of canaries, and the templates with their exit handlers."""
    for manifest in render(SETTINGS):
        empty.engine.apply(manifest)
    empty.install(canary=CANARY)
    with threescale.Operator(empty.kubernetes):
        yield empty


def another_value(stage) -> None:
    metadata = {"name": "system-seed", "namespace": stage.namespace}
    data = {"ADMIN_PASSWORD": base64.b64encode(f"{CANARY}-other".encode()).decode()}
    stage.kubernetes.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


@pytest.mark.thorough
@pytest.mark.lesson(20)
def test_no_run_tells_a_value_of_a_secret(mine):
    wanted = needles(mine)
    saved = mine.backup(name="nightly")
    mine.lose()
    threescale.give_database_secrets(mine.kubernetes, mine.namespace)
    another_value(mine)
    refused = mine.engine.submit(RESTORE, {"claim-name": "nightly"}, entrypoint="prepare")
    mine.kubernetes.delete("secrets", mine.namespace, "system-seed")
    said = f'Secret "system-app" is invalid: data: Invalid value: "{CANARY}-system-app"'
    mine.kubernetes.refuse_next("create", "secrets", status=422, message=said)
    failed = mine.engine.submit(RESTORE, {"claim-name": "nightly"}, entrypoint="secrets")
    restored = mine.restore("nightly")

    places = left_behind(mine, [saved, refused, failed, restored], "nightly")

    assert (saved.phase, restored.phase) == ("Succeeded", "Succeeded")
    assert "system-seed: " in refused.node("report").log
    assert "HTTP 422" in failed.node("report").log
    assert all(workflow.name in places[names.RESTORE_RESULTS] for workflow in (refused, failed, restored))
    assert {
        "manifest.json",
        "result.json",
        "begin.json",
        "reports/secrets.json",
        "SHA256SUMS",
        layout.LISTING,
    } <= places.keys()
    assert leaks(wanted, places) == []


TELL_ALL = """
import base64, pathlib, sys
from steps.parts import secrets
def tell(cluster, root, **_):
    value = base64.b64decode(cluster.get(secrets.SECRET, "zync")["data"]["CANARY"])
    print(value.decode())
    (root / "reports").mkdir()
    (root / "reports/notes.json").write_bytes(base64.b64encode(value))
    outputs = pathlib.Path(sys.argv[sys.argv.index("--outputs") + 1])
    outputs.mkdir()
    (outputs / "files").write_bytes(value)
    raise SystemExit(0)
secrets.save = tell
from steps.__main__ import main
main()
"""


def test_a_phase_that_tells_is_found_out(mine):
    manifest = next(item for item in render(SETTINGS) if item["metadata"]["name"] == BACKUP and "spec" in item)
    manifest["spec"]["entrypoint"] = "secrets"
    (phase,) = [template for template in manifest["spec"]["templates"] if template["name"] == "secrets"]
    phase["container"]["command"] = ["python", "-c", TELL_ALL]
    mine.engine.apply(manifest)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": "nightly", "namespace": mine.namespace}
    mine.kubernetes.create(
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec},
    )
    parameters = {"backupPersistentVolumeClaimName": "nightly", "apiManagerSourceName": "example-apimanager"}
    workflow = mine.engine.submit(BACKUP, parameters, name="told")

    found = leaks(needles(mine), left_behind(mine, [workflow], "nightly"))

    assert workflow.phase == "Succeeded"
    assert found == ["reports/notes.json", "told", "told: log of told", "workflows"]
