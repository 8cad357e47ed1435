"""What the keys of 3scale's two Redis databases are, by their prefixes.

Backend: apisonator, docs/redis_keys.md, and resque's own prefix. System: Sidekiq and its extensions for unique and
scheduled jobs (porta, Gemfile).
"""

UNKNOWN = "unknown"
QUEUES = "queues"
# By the first prefix that fits.
_BACKEND: dict[str, tuple[str, ...]] = {
    "usage": ("stats/", "daily_traffic/"),
    "configuration": (
        "service/", "service_id:", "service_token/", "services_set", "application/", "metric/", "usage_limit/",
        "provider", "oauth_access_tokens/", "oauth_access_tokens_by_app/", "error_uris/",
    ),
    "alerts": ("alerts/", "events/", "notify/", "errors/", "latest_transactions/", "transactions/"),
    QUEUES: ("resque:",),
}  # fmt: skip
_SYSTEM: dict[str, tuple[str, ...]] = {
    QUEUES: (
        "queue:", "queues", "schedule", "retry", "dead", "stat:", "processes", "limit_fetch:", "lock:", "uniquejobs",
        "unique:", "cron", "b-", "BID-", "batches", "throttle", "process_set", "j|", "identity",
    ),
}  # fmt: skip
_KINDS = {"backend-redis": _BACKEND, "system-redis": _SYSTEM}
_PROVIDER = b"service/provider_key:"


def kind(database: str, key: bytes) -> str:
    """Return the kind of a key of the database: `usage`, `configuration`, `alerts`, `queues` or `unknown`."""
    text = key.decode(errors="replace")
    return next((name for name, prefixes in _KINDS[database].items() if text.startswith(prefixes)), UNKNOWN)


def provider(key: bytes) -> bytes:
    """Return the provider key in the name of a key of Backend, or nothing. It is a credential of a tenant."""
    if not (key.startswith(_PROVIDER) and key.endswith(b"/ids")):
        return b""
    return key.removeprefix(_PROVIDER).removesuffix(b"/ids")
