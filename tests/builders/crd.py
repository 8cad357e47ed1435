"""Schemas by the CRDs of Argo and of the operator, where those are kept beside a checkout, never in it."""

import functools
from pathlib import Path
from typing import Any

import pytest

from tests import documents

_CRDS = Path(__file__).parents[3] / "shared/crds"
_CRD = _CRDS / "3scale/apps.3scale.net_apimanagers.yaml"
_KINDS = {"WorkflowTemplate": "workflowtemplates", "CronWorkflow": "cronworkflows", "Workflow": "workflows"}


def spec_schema() -> Any:
    """Read the schema of an APIManager's spec, or skip the test and say so."""
    if not _CRD.exists():
        pytest.skip(f"the operator's CRD is not beside this checkout: {_CRD.name}")
    (definition,) = documents.read(_CRD.read_text())
    (version,) = definition["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]["properties"]["spec"]


@functools.cache
def argo_schema(kind: str) -> dict[str, Any]:
    """Read the schema of a kind as JSON Schema, every object that lists its properties closed. Or skip the test."""
    path = _CRDS / f"argo-4.1.2/argoproj.io_{_KINDS[kind]}.yaml"
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
