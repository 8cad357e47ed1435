import pytest

from steps.contract.told import ClaimWait


@pytest.mark.parametrize(("told", "seconds"), [({}, 600.0), ({"claim_wait": 0}, 0.0), ({"claim-wait": 2}, 120.0)])
def test_a_claim_is_waited_for_by_the_minute_and_by_itself_for_ten(told, seconds):
    assert ClaimWait(**told).claim_wait_s == seconds
