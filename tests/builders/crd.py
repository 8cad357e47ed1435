"""The schema of an APIManager's spec by the operator's own CRD, where that is kept beside a checkout."""

from pathlib import Path
from typing import Any

import pytest

from tests import documents

_CRD = Path(__file__).parents[3] / "shared/crds/3scale/apps.3scale.net_apimanagers.yaml"


def spec_schema() -> Any:
    """Read it, or skip the test and say so."""
    if not _CRD.exists():
        pytest.skip(f"the operator's CRD is not beside this checkout: {_CRD.name}")
    (definition,) = documents.read(_CRD.read_text())
    (version,) = definition["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]["properties"]["spec"]
