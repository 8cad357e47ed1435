import pytest

from workflows.rehearsal.argo import retry_strategy


@pytest.mark.parametrize(
    ("text", "seconds"), [("15m", 900), ("1h30m", 5400), ("90", 90), ("1.5s", 1.5), ("2d", 172800)]
)
def test_a_duration_is_read_in_seconds(text, seconds):
    assert retry_strategy.duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 m", "5x"])
def test_a_duration_without_meaning_is_refused(text):
    with pytest.raises(ValueError, match="invalid duration"):
        retry_strategy.duration_s(text)


def test_a_back_off_grows_by_its_factor_up_to_its_cap():
    strategy = {"limit": 4, "backoff": {"duration": "10s", "factor": "2", "cap": "30s"}}

    assert [retry_strategy.backoff_s(strategy, count) for count in (1, 2, 3, 4, 5)] == [10, 20, 30, 30, 0]


def test_a_back_off_without_a_factor_stays_as_it_is():
    assert retry_strategy.backoff_s({"limit": "4", "backoff": {"duration": "10s"}}, 3) == 10


def test_argo_waits_only_under_a_limit():
    assert retry_strategy.backoff_s({"backoff": {"duration": "10s"}}, 1) == 0
