from datetime import datetime, timedelta, timezone

from steps.kubernetes import times


def test_times_are_written_as_kubernetes_does():
    moment = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))

    assert times.utc(moment) == "2026-01-02T03:04:05Z"
