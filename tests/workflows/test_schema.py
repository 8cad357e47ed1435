"""The rendered YAML against Argo's types: Hera's models closed to unknown fields, and the full CRDs where present."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests import documents
from tests.builders.crd import argo_schema

GOLDEN = Path(__file__).parents[1] / "golden"
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


@pytest.mark.thorough
@pytest.mark.parametrize("path", ARGO, ids=lambda path: path.name)
def test_argos_own_schema_accepts_it(path: Path) -> None:
    manifest = load(path)

    problems = list(jsonschema.Draft202012Validator(argo_schema(manifest["kind"])).iter_errors(manifest))

    assert problems == []


def test_argos_own_schema_finds_a_mistyped_field() -> None:
    manifest = load(ARGO[0])
    manifest["spec"]["concurencyPolicy"] = "Forbid"

    problems = list(jsonschema.Draft202012Validator(argo_schema(manifest["kind"])).iter_errors(manifest))

    assert problems
