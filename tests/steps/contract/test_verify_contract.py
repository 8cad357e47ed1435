"""How many shares a verification reads a repository in."""

import pytest

from steps.contract.verify_contract import VerifyRepository


@pytest.mark.parametrize(
    ("told", "nights"),
    [
        ({}, 30),
        ({"repository_nights": ""}, 30),
        ({"claim_name": "nightly", "repository_nights": ""}, 0),
        ({"claim_name": "nightly", "repository_nights": "7"}, 7),
        ({"repository_nights": "0"}, 0),
    ],
)
def test_who_names_a_claim_asks_for_no_share_unless_told(told: dict[str, str], nights: int) -> None:
    assert VerifyRepository.model_validate(told).nights == nights
