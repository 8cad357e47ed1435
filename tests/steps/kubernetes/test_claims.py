from decimal import Decimal

import pytest

from steps import errors
from steps.kubernetes import claims
from steps.kubernetes.claims import quantity
from tests.builders.refusals import refused


class TestSizes:
    @pytest.mark.parametrize(("value", "size"), [("10Gi", 10 * 2**30), ("100M", 10**8), ("1", 1), ("1e3", 1000)])
    def test_a_quantity_above_zero_is_a_size(self, value, size):
        assert claims.check_size(value, "storage-request") == size

    @pytest.mark.parametrize("value", ["", "10 Gi", "-1Gi", "0", "0Gi", "10gi", "10GB", "ten", "٣Gi"])
    def test_anything_else_is_refused(self, value):
        with refused(errors.BadQuantity, parameter="storage-request"):
            claims.check_size(value, "storage-request")


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
