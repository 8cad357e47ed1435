import pytest

from steps.kubernetes.kinds import CLAIM, CONFIGMAP, ROUTE, SECRET, Kind


@pytest.mark.parametrize(
    ("kind", "api_version", "group"),
    [
        (SECRET, "v1", ""),
        (CONFIGMAP, "v1", ""),
        (CLAIM, "v1", ""),
        (ROUTE, "route.openshift.io/v1", "route.openshift.io"),
    ],
)
def test_a_kind_knows_its_version_and_group(kind, api_version, group):
    assert isinstance(kind, Kind)
    assert (kind.api_version, kind.group) == (api_version, group)
