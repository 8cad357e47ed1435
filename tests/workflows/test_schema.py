"""The rendered YAML against Argo's types: Hera's models closed to unknown fields, and the full CRDs where present."""

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests import documents

GOLDEN = Path(__file__).parents[1] / "golden"
CRDS = Path(__file__).parents[3] / "shared" / "crds" / "argo-4.1.2"  # kept beside a checkout, never in it
KINDS = {"WorkflowTemplate": "workflowtemplates", "CronWorkflow": "cronworkflows", "Workflow": "workflows"}
ARGO = sorted(path for path in GOLDEN.iterdir() if path.name.partition("-")[0] in {"workflowtemplate", "cronworkflow"})
ARGO += sorted(GOLDEN.glob("with-*-workflowtemplate-*"))
ARGO += sorted([*GOLDEN.glob("alarm-workflowtemplate-*"), *GOLDEN.glob("alarm-cronworkflow-*")])

# A process of its own, because the models must be closed before they are imported for the first time.
CLOSED = """
import json, sys
from hera.shared._pydantic import APIBaseModel
APIBaseModel.model_config["extra"] = "forbid"
from hera.workflows import models
for manifest in json.load(sys.stdin):
    getattr(models, manifest["kind"]).model_validate(manifest)
"""


def closed(manifests: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", CLOSED], input=json.dumps(manifests), capture_output=True, text=True, check=False
    )


def load(path: Path) -> dict[str, Any]:
    (manifest,) = documents.read(path.read_text())
    return dict(manifest)


def test_every_field_is_one_that_hera_knows() -> None:
    result = closed([load(path) for path in ARGO])

    assert result.returncode == 0, result.stderr


def test_a_mistyped_field_is_found() -> None:
    manifest = load(ARGO[0])
    manifest["spec"]["serviceAcountName"] = "x"

    result = closed([manifest])

    assert "serviceAcountName" in result.stderr


@pytest.mark.parametrize("path", ARGO, ids=lambda path: path.name)
def test_argos_own_schema_accepts_it(path: Path) -> None:
    manifest = load(path)

    problems = list(jsonschema.Draft202012Validator(crd(manifest["kind"])).iter_errors(manifest))

    assert problems == []


def test_argos_own_schema_finds_a_mistyped_field() -> None:
    manifest = load(ARGO[0])
    manifest["spec"]["concurencyPolicy"] = "Forbid"

    problems = list(jsonschema.Draft202012Validator(crd(manifest["kind"])).iter_errors(manifest))

    assert problems


@functools.cache
def crd(kind: str) -> dict[str, Any]:
    """Read the schema of a kind as JSON Schema, every object that lists its properties closed."""
    path = CRDS / f"argoproj.io_{KINDS[kind]}.yaml"
    if not path.exists():
        pytest.skip(f"Argo's CRDs are not beside the checkout ({path.name})")
    (definition,) = documents.read(path.read_text())
    (version,) = definition["spec"]["versions"]
    schema: dict[str, Any] = _close(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {}
    return schema


def _close(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_close(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string") is True:
        return {"type": ["integer", "string"]}
    closed_schema = {key: _close(value) for key, value in schema.items() if key != "format"}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed_schema.setdefault("additionalProperties", False)
    return closed_schema
