"""What no installation of 3scale can be."""

from steps.errors.base import BadArgument


class BadDomain(BadArgument):
    value: str
    says = (
        "{value!r} is no domain for wildcard-domain: write a DNS-1123 subdomain such as apps.example.com, without '*.'"
    )
