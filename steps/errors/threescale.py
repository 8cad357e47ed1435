"""Values that no installation of 3scale can have."""

from steps.errors.base import BadArgument


class BadDomain(BadArgument):
    value: str
    says = (
        "{value!r} is not a valid domain for wildcard-domain. "
        "Write a DNS-1123 subdomain such as apps.example.com, without '*.' in front."
    )
