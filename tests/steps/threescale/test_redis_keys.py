"""What keys are to 3scale, by examples of its documentation."""

import pytest

from steps.threescale import redis_keys


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (b"service/id:2/backend_version", "configuration"),
        (b"service_token/token:e63b/service_id:2", "configuration"),
        (b"application/service_id:2/id:593a8c1a/keys", "configuration"),
        (b"usage_limit/service_id:2/plan_id:44/metric_id:31/minute", "configuration"),
        (b"stats/{service:2}/cinstances", "usage"),
        (b"daily_traffic/service:17/cinstance:593a8c1a/20250422", "usage"),
        (b"events/queue", "alerts"),
        (b"notify/aggregator/batch", "alerts"),
        (b"resque:queue:priority", "queues"),
        (b"\xff", "unknown"),
        (b"mine", "unknown"),
    ],
)
def test_a_key_of_backend_has_a_kind(key, kind):
    assert redis_keys.kind("backend-redis", key) == kind


@pytest.mark.parametrize(("key", "kind"), [(b"queue:default", "queues"), (b"schedule", "queues"), (b"mine", "unknown")])
def test_a_key_of_system_has_a_kind(key, kind):
    assert redis_keys.kind("system-redis", key) == kind


@pytest.mark.parametrize(
    ("key", "provider"),
    [
        (b"service/provider_key:a640/ids", b"a640"),
        (b"service/provider_key:a640/id", b""),
        (b"service/id:2/provider_key", b""),
    ],
)
def test_a_provider_key_is_found_in_the_name_of_a_key(key, provider):
    assert redis_keys.provider(key) == provider
