from steps.kubernetes import events
from tests.builders.pods import event


class TestLastEvent:
    def test_where_nothing_is_said_there_is_none(self, empty):
        assert events.last(empty.connect(), "Pod", "pod-1") is None

    def test_where_nothing_warns_the_newest_counts(self, empty):
        event(empty, "Pod", "pod-1", "Pulled", type_="Normal", at="2026-01-02T03:06:00Z")
        event(empty, "Pod", "pod-1", "Scheduled", type_="Normal", at="2026-01-02T03:04:00Z")

        assert str(events.last(empty.connect(), "Pod", "pod-1")) == "Pulled: so it is"

    def test_events_of_others_do_not_count(self, empty):
        event(empty, "Pod", "pod-2", "Failed")
        event(empty, "PersistentVolumeClaim", "pod-1", "Failed")

        assert events.last(empty.connect(), "Pod", "pod-1") is None
