from decimal import Decimal

import pytest

from steps.kubernetes import claims
from steps.kubernetes.claims import quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("10Gi", 10 * 2**30),
        ("1.5Gi", 3 * 2**29),
        (".5Ki", 512),
        ("1.", 1),
        ("+1Mi", 2**20),
        ("-1Gi", -(2**30)),
        ("100M", 100_000_000),
        ("1k", 1000),
        ("5m", "0.005"),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("2Ei", 2 * 2**60),
    ],
)
def test_a_quantity_is_read(text, value):
    assert quantity(text) == Decimal(value)


@pytest.mark.parametrize(
    "text", ["", "Gi", "10 Gi", "10gi", "10GB", "1K", "ten", "1,5Gi", "1Gi\n", "0x10", "٣Gi", "--1", "1e"]
)
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        quantity(text)


@pytest.mark.parametrize(
    ("asked", "default", "expected"),
    [
        ("none", "fast", ""),
        ("none", None, ""),
        ("", "fast", "fast"),
        ("", "", ""),
        ("", None, None),
        ("slow", "", "slow"),
    ],
)
def test_none_asks_for_no_class_and_nothing_for_the_default(asked, default, expected):
    assert claims.class_of(asked, default) == expected


@pytest.mark.parametrize(("asked", "expected"), [("none", ""), ("", ""), ("slow", "slow")])
def test_a_named_volume_never_gets_the_cluster_s_default_class(asked, expected):
    spec = claims.on_volume("ReadWriteOnce", "1Gi", asked, "disk", "fast")

    assert (spec["storageClassName"], spec["volumeName"]) == (expected, "disk")
